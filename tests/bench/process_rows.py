"""P24 and P25: what a service costs before it does anything, beside its bare libraries."""

import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench.rows import Row
from tests.worlds.services import ROOT, serving

ROUNDS = 7
# A service and the libraries that it cannot do without (performance reference, section 5).
SETS = {
    "bff": ("import bff.app", "import aiohttp.web, grpc.aio", 1.3),
    "registry": ("import registry_svc.app", "import grpc.aio, mongoengine", 1.3),
    "provisioner": ("import provisioner.app", "import grpc.aio, boto3, ansible_runner", 1.0),
}
MEMORY = {"bff": (60, 50), "registry": (65, 55), "whitelist": (60, 50), "provisioner": (60, 50)}
NOBODY = "http://127.0.0.1:9"


def measure():
    return [*_imports(), *_memory()]


def _imports():
    seconds = {}
    for _ in range(ROUNDS):
        for name, (ours, theirs, _must) in SETS.items():
            seconds.setdefault((name, "ours"), []).append(_cpu(ours))
            seconds.setdefault((name, "libraries"), []).append(_cpu(theirs))
    found = []
    for name, (_, theirs, must) in SETS.items():
        ours, bare = (statistics.median(seconds[name, kind]) for kind in ("ours", "libraries"))
        what = f"import CPU, {name} / `{theirs}` ({ours * 1000:.0f} / {bare * 1000:.0f} ms)"
        found.append(Row(f"P24-{name}", what, ours / bare, must, None))
    return found


def _cpu(statement):
    """User and system seconds of a fresh process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", statement], cwd=ROOT, check=True, timeout=60)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _memory():
    """Resident MB when all answer; EC2 is away, but its client may be built already."""
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder), NOBODY) as services:
        resident = {name: _resident(pid) for name, pid in services.pids().items()}
    return [
        Row(f"P25-{name}", f"resident MB when ready, {name}{_why(name)}",
            resident[name], must, stretch)
        for name, (must, stretch) in MEMORY.items()
    ]  # fmt: skip


def _why(name):
    """The bar is for before the first EC2 call; these two look at EC2 as soon as they start."""
    return " (its EC2 client, some 25 MB, is built)" if name in {"whitelist", "provisioner"} else ""


def _resident(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"process {pid} is gone")
