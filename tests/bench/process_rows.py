"""P24 and P25: what a service costs before it does anything, beside its bare libraries."""

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kite.cli.services import RESTING_ENV, Service
from tests.bench.rows import Row
from tests.worlds.services import ROOT, serving

ROUNDS = 7
# A service and the libraries that it cannot do without (performance reference, section 5).
SETS = {
    "bff": ("import bff.app", "import aiohttp.web, grpc.aio", 1.3),
    "registry": ("import registry_svc.app", "import grpc.aio, mongoengine", 1.3),
    "provisioner": ("import provisioner.app", "import grpc.aio, boto3, ansible_runner", 1.0),
}
GRPC = "import grpc.aio"
SETTINGS = "import grpc.aio, kite.settings"
MEMORY = {"bff": (60, 50), "registry": (65, 55), "whitelist": (60, 50), "provisioner": (60, 50)}
SETTLE_SECONDS = 1.0
NOBODY = "http://127.0.0.1:9"


def measure():
    return [*_imports(), *_memory()]


def _imports():
    seconds = {}
    for _ in range(ROUNDS):
        for name, (ours, theirs, _must) in SETS.items():
            seconds.setdefault((name, "ours"), []).append(_cpu(ours))
            seconds.setdefault((name, "libraries"), []).append(_cpu(theirs))
    settings_ms = (min(_cpu(SETTINGS) for _ in range(3)) - min(_cpu(GRPC) for _ in range(3))) * 1000
    found = []
    for name, (_, theirs, must) in SETS.items():
        ours, bare = (statistics.median(seconds[name, kind]) for kind in ("ours", "libraries"))
        what = f"import CPU, {name} / `{theirs}` ({ours * 1000:.0f} / {bare * 1000:.0f} ms"
        what += f"; {settings_ms:.0f} of ours is pydantic with the settings, kept: DECISIONS 18)"
        found.append(Row(f"P24-{name}", what, ours / bare, must, None))
    return found


def _cpu(statement):
    """User and system seconds of a fresh process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", statement], cwd=ROOT, check=True, timeout=60)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _memory():
    """Resident MB when all answer, and of those that use EC2 before they looked at it."""
    found = {}
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder), NOBODY) as services:
        running = {name: _resident(pid) for name, pid in services.pids().items()}
        env = services.env
    for name in ("whitelist", "provisioner"):
        found[name] = _alone(name, env)
    rows = []
    for name, (must, stretch) in MEMORY.items():
        what = f"resident MB when ready, {name}; 10 are pydantic's"
        if name in found:
            what += f" (before its first EC2 call; beside the others: {running[name]:.0f})"
        rows.append(Row(f"P25-{name}", what, found.get(name, running[name]), must, stretch))
    return rows


def _alone(name, env):
    """Without a registry there is nothing to ask EC2 about."""
    listen = f"KITE_{name.upper()}_LISTEN"
    command = (sys.executable, *Service(name).command()[1:])
    more = {"KITE_REGISTRY": "127.0.0.1:9", listen: "127.0.0.1:0", "KITE_LOG_FORMAT": "json"}
    with subprocess.Popen(
        command, cwd=ROOT, env=env | RESTING_ENV | more, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            for line in process.stdout:
                if json.loads(line)["event"] == "ready":
                    time.sleep(SETTLE_SECONDS)
                    return _resident(process.pid)
        finally:
            process.terminate()
    raise RuntimeError(f"{name} did not come up")


def _resident(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"process {pid} is gone")
