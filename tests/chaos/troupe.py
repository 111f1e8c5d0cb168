"""The services as processes: started, armed, killed, frozen, thawed, started again.

Names are `registry-1`, `provisioner-2`, … There may be several registries (on a MongoDB) and
several provisioners; one whitelist service and one edge.
"""

import contextlib
import os
import secrets
import signal
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from kite.rpc.probe import probe
from localcloud.demo.children import Children
from tests.worlds.services import free_ports

INSTALL = "chaos"
PATIENCE = 60
MODULES = {
    "registry": "registry_svc",
    "whitelist": "whitelist_svc",
    "provisioner": "provisioner",
    "bff": "bff",
}
HOSTLESS = "tests.chaos.hostless"


def hostless_settings(cloud, folder):
    """Settings of services on the strict EC2 of tests/chaos/ec2.py, in a hurry."""
    return {
        "KITE_REGION": cloud["region"],
        "KITE_EC2_ENDPOINT": cloud["endpoint"],
        "KITE_WHITELIST_CONTROL_CIDRS": f"{cloud['gateway']}/32",
        "KITE_PROVISIONER_IMAGE_ID": cloud["image_id"],
        "KITE_PROVISIONER_SUBNETS": cloud["subnet_id"],
        "KITE_PROVISIONER_REACH": "private",
        "KITE_PROVISIONER_POLL_SECONDS": "0.05",
        "KITE_PROVISIONER_LEASE_SECONDS": "20",
        "KITE_WHITELIST_MEND_SECONDS": "2",
        "KITE_TEST_HOSTS": str(folder / "hosts"),
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
    }


@dataclass
class Troupe:
    """`settings` are the environment that all services share; `mongodb` is empty for embedded."""

    folder: Path
    settings: dict[str, str]
    registries: int = 1
    provisioners: int = 1
    mongodb: str = ""
    pretend: bool = True
    instead: dict[str, str] = field(default_factory=dict)
    """Modules that run in place of a service's own."""
    targets: dict[str, str] = field(default_factory=dict)
    children: Children = field(init=False)

    def __post_init__(self):
        counts = {"registry": self.registries, "provisioner": self.provisioners}
        names = [f"{s}-{n + 1}" for s in MODULES for n in range(counts.get(s, 1))]
        ports = free_ports(len(names))
        self.targets = dict(zip(names, (f"127.0.0.1:{p}" for p in ports), strict=True))
        self.folder.mkdir(parents=True, exist_ok=True)
        self.children = Children(self.folder)
        self._env = self._shared()

    @property
    def names(self):
        return tuple(self.targets)

    def of(self, service):
        """The processes of one service."""
        return tuple(name for name in self.names if service_of(name) == service)

    @property
    def url(self):
        return f"http://{self.targets['bff-1']}"

    def _shared(self):
        return {
            "KITE_ENV_FILE": os.devnull,
            "KITE_INSTALL": INSTALL,
            "KITE_SECRET": secrets.token_urlsafe(32),
            "KITE_LOG_FORMAT": "json",
            "PYTHONUNBUFFERED": "1",
            "KITE_REGISTRY": ",".join(self.targets[name] for name in self.of("registry")),
            "KITE_PROVISIONER": self.targets["provisioner-1"],
            "KITE_WHITELIST": self.targets["whitelist-1"],
            "KITE_REGISTRY_FOLDER": str(self.folder / "registry"),
            **({"KITE_REGISTRY_MONGODB_URI": self.mongodb} if self.mongodb else {}),
            **self.settings,
        }

    def start(self, name):
        """Start one process; `await_serving` waits for it."""
        service = service_of(name)
        stand_ins = {"provisioner": HOSTLESS} if self.pretend else {}
        module = {**MODULES, **stand_ins, **self.instead}[service]
        listen = {f"KITE_{service.upper()}_LISTEN": self.targets[name]}
        armed = {"KITE_CRASH_AT": f"@{self.trap(name)}"}
        env = {**self._env, **listen, **armed}
        self.children.start(name, (sys.executable, "-m", module), env)

    def start_all(self):
        for name in self.names:
            self.start(name)
        self.await_serving(*self.names)
        self.await_ready()

    def await_ready(self, *, seconds=PATIENCE):
        """Until the edge has found all it stands on: one that came first dials again only later."""
        last = time.monotonic() + seconds
        while not self._answers("/readyz"):
            assert time.monotonic() < last, "the edge serves, but does not reach the others"
            time.sleep(0.02)

    def await_serving(self, *names, seconds=PATIENCE, supervised=False):
        """`supervised`: somebody starts again what is dead, so it may be waited for."""
        last = time.monotonic() + seconds
        waiting = set(names)
        while waiting := {name for name in waiting if not self.serves(name)}:
            for name in waiting:
                child = self.children.get(name)
                assert child is not None, f"{name} was never started"
                assert supervised or child.alive(), f"{name} is dead: {child.tail()}"
            assert time.monotonic() < last, f"{waiting} do not serve"
            time.sleep(0.02)

    def serves(self, name):
        if service_of(name) != "bff":
            return not probe(self.targets[name], seconds=2)
        return self._answers("/healthz")

    def _answers(self, path):
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=5):
                return True
        except OSError:
            return False

    def alive(self, name):
        child = self.children.get(name)
        if child is not None:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child.pid, os.WNOHANG)  # a zombie would look alive
        return child is not None and child.alive()

    # trouble --------------------------------------------------------------------------------

    def trap(self, name):
        """The file that arms a process."""
        return self.folder / f"{name}.trap"

    def arm(self, name, point, *, freeze=False):
        """Let it die, or freeze, when it reaches the point next."""
        new = self.trap(name).with_suffix(".new")
        new.write_text(f"{point} stop" if freeze else point)
        new.replace(self.trap(name))

    def sprung(self, name):
        """Whether the point was reached."""
        return not self.trap(name).exists()

    def disarm(self, name):
        self.trap(name).unlink(missing_ok=True)

    def signal(self, name, number):
        """Send a signal to the process if it is still the one that was started."""
        child = self.children.get(name)
        if child is not None and self.alive(name):
            os.kill(child.pid, number)

    def freeze(self, name):
        self.signal(name, signal.SIGSTOP)

    def thaw(self, name):
        self.signal(name, signal.SIGCONT)

    def terminate(self, name):
        """Ask it to end; it is not waited for."""
        self.signal(name, signal.SIGTERM)

    def kill(self, name):
        child = self.children.get(name)
        self.signal(name, signal.SIGKILL)
        last = time.monotonic() + PATIENCE
        while child.alive():  # the same name may live again by now
            assert time.monotonic() < last, f"{name} survives SIGKILL"
            time.sleep(0.01)

    def revive(self):
        """Start again what is dead, disarmed, as a supervisor does; which ones it was."""
        dead = [name for name in self.names if not self.alive(name)]
        for name in dead:
            self.disarm(name)
            self.start(name)
        return dead

    def stop(self):
        """End all, politely first."""
        for name in self.names:
            self.disarm(name)
            self.signal(name, signal.SIGCONT)
            self.signal(name, signal.SIGTERM)
        for name in self.names:
            if self.children.get(name) is not None:
                self.children.stop(name)

    def pid(self, name):
        return self.children.get(name).pid

    def log(self, name):
        """All that a process, and those before it, ever said."""
        return Path(self.children.get(name).log).read_text(errors="replace")

    def tails(self, lines=15):
        """The ends of all logs, for a failure's message."""
        children = filter(None, (self.children.get(name) for name in self.names))
        return "\n".join(f"--- {child.name}\n{child.tail(lines)}" for child in children)


def service_of(name):
    return name.rpartition("-")[0]
