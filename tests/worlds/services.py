"""The four services as an operator runs them: `kite serve all`, on free ports of loopback."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("registry", "provisioner", "whitelist", "bff")
PATIENCE = 60


@dataclass(frozen=True)
class Services:
    """Where they listen (`targets`, host:port by name) and which processes they are."""

    targets: dict[str, str]
    pid: int
    log: Path
    env: dict[str, str] = field(repr=False)

    @property
    def url(self):
        return f"http://{self.targets['bff']}"

    def pids(self):
        """Process of each service: the children of the supervisor, by their command line."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        found = {}
        for child in children:
            words = Path(f"/proc/{child}/cmdline").read_bytes().decode().split("\0")
            found[words[2].removesuffix("_svc")] = int(child)
        return found


def free_ports(count):
    """Ports that are free now; held together so that they differ."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@contextmanager
def serving(folder, ec2_endpoint, **more):
    """Run them until the block ends; they must end well on SIGTERM."""
    targets = dict(zip(NAMES, (f"127.0.0.1:{p}" for p in free_ports(4)), strict=True))
    env = {name: value for name, value in os.environ.items() if not name.startswith("KITE_")} | {
        "KITE_ENV_FILE": os.devnull,
        "KITE_SECRET": secrets.token_urlsafe(32),
        "KITE_EC2_ENDPOINT": ec2_endpoint,
        "KITE_REGISTRY_FOLDER": str(folder / "registry"),
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        **{f"KITE_{name.upper()}_LISTEN": target for name, target in targets.items()},
        **{f"KITE_{name.upper()}": targets[name] for name in NAMES if name != "bff"},
        **more,
    }
    log = folder / "services.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "kite.cli", "serve", "all"],
            cwd=ROOT, env=env, stdout=out, stderr=out, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    services = Services(targets, process.pid, log, env)
    try:
        _until_ready(services, process)
        yield services
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(PATIENCE)
    assert code == 0, log.read_text()[-3000:]


def _until_ready(services, process):
    last = time.monotonic() + PATIENCE
    while time.monotonic() < last:
        try:
            with urllib.request.urlopen(f"{services.url}/readyz", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            assert process.poll() is None, services.log.read_text()[-3000:]
            time.sleep(0.1)
    raise TimeoutError(services.log.read_text()[-3000:])
