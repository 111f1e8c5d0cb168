"""Everything the story needs, brought up and taken down: local cloud, four services, clients."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx

from kite.rpc.probe import probe
from localcloud import cleaning, clients, leftovers, preflight, survey, tenancy
from localcloud.demo.children import Child, ChildDied, Children
from localcloud.demo.story import Scene
from localcloud.ground import Ground

GROUND = Ground()
EC2_PORT_SETTING = "KITE_DEMO_EC2_PORT"
EC2_PORT = int(os.environ.get(EC2_PORT_SETTING, "5577"))
PORTS = {"registry": 50051, "provisioner": 50052, "whitelist": 50053, "bff": 8080}
MODULES = {
    "registry": "registry_svc",
    "provisioner": "provisioner",
    "whitelist": "whitelist_svc",
    "bff": "bff",
}
CLIENT_A, CLIENT_B = ("a", 200), ("b", 201)
INSTALL = "demo"
CLOUD_SECONDS, SERVICE_SECONDS, FOUND_SECONDS = 900.0, 60.0, 10.0
"""The first start builds the shared root and fetches the Milvus files."""


class Unfit(Exception):
    """The demo cannot run here; `sentences` say why, all of it."""

    def __init__(self, sentences: list[str]) -> None:
        super().__init__(" ".join(sentences))
        self.sentences = sentences


@dataclass(frozen=True)
class Built:
    """What is up, for the story and for the hand-over file."""

    scene: Scene
    cloud: dict[str, Any]


class Stage:
    """One demo of one checkout; `folder` (.run) holds its record, logs and data."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self.folder = folder
        self.children = Children(folder)
        self._say = say

    def check(self) -> None:
        """Raises Unfit before anything is changed."""
        ours = [child.name for child in self.children.all() if child.alive()]
        holder = tenancy.tenant(GROUND)
        if holder is not None and holder.lives():
            raise Unfit([tenancy.sentence(holder)])
        if ours:
            parts = f"Of an earlier demo in this folder {', '.join(ours)} still run"
            raise Unfit([f"{parts}; end it with `make stop` first."])
        seen = survey.look(GROUND, self._cloud_folder, EC2_PORT)
        sentences = preflight.problems(replace(seen, port_setting=EC2_PORT_SETTING))
        sentences += [
            f"Port {port} is taken and the {name} needs it; stop what listens there."
            for name, port in PORTS.items()
            if _taken(port)
        ]
        if sentences:
            raise Unfit(sentences)

    def build(self) -> Built:
        """Bring everything up. Raises ChildDied, with the end of the log, when a part does not."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        shutil.rmtree(self.folder / "logs", ignore_errors=True)
        shutil.rmtree(self.folder / "registry", ignore_errors=True)
        cloud = self._raise_cloud()
        self._start_services(cloud)
        first = clients.add(GROUND, CLIENT_A[0], _address(CLIENT_A[1]))
        second = clients.add(GROUND, CLIENT_B[0], _address(CLIENT_B[1]))
        self._until_ready(*MODULES)
        self._until_seen()
        scene = Scene(
            url=f"http://127.0.0.1:{PORTS['bff']}",
            ec2_endpoint=cloud["endpoint"],
            region=cloud["region"],
            first=first.namespace,
            first_address=first.address,
            second=second.namespace,
        )
        return Built(scene, cloud)

    @property
    def _cloud_folder(self) -> Path:
        return (self.folder / "cloud").absolute()

    def _raise_cloud(self) -> dict[str, Any]:
        argv = (sys.executable, "-m", "localcloud", "serve")
        options = ("--state", str(self._cloud_folder), "--port", str(EC2_PORT))
        child = self.children.start("localcloud", argv + options, {})
        return self._ready_line(child)

    def _ready_line(self, child: Child) -> dict[str, Any]:
        last = monotonic() + CLOUD_SECONDS
        told = 0
        while monotonic() < last:
            lines = Path(child.log).read_text(errors="replace").splitlines()
            for line in lines[told:]:
                if line.startswith("{"):
                    found: dict[str, Any] = json.loads(line)
                    return found
                self._say(f"  {line}")
            told = len(lines)
            self._insist_alive(child)
            sleep(0.05)
        raise ChildDied(f"the local cloud was not ready within {CLOUD_SECONDS:.0f} s")

    def _start_services(self, cloud: dict[str, Any]) -> None:
        env = service_settings(cloud, self.folder.absolute())
        for name, module in MODULES.items():
            self.children.start(name, (sys.executable, "-m", module), env)

    def _until_ready(self, *names: str) -> None:
        """Wait until these services serve; another one that is dead is not waited for."""
        last = monotonic() + SERVICE_SECONDS
        waiting = set(names)
        while waiting := {name for name in waiting if not _serves(name)}:
            for name in waiting:
                child = self.children.get(name)
                if child is not None:
                    self._insist_alive(child)
            if monotonic() > last:
                who = ", ".join(sorted(waiting))
                raise ChildDied(f"{who} did not serve within {SERVICE_SECONDS:.0f} s")
            sleep(0.05)

    def _until_seen(self) -> None:
        """Wait until the edge reaches all: one that came first dials again only after a pause."""
        last = monotonic() + SERVICE_SECONDS
        while unseen := [name for name in MODULES if not _edge_sees(name)]:
            if monotonic() > last:
                who = ", ".join(sorted(unseen))
                raise ChildDied(f"the edge did not reach {who} within {SERVICE_SECONDS:.0f} s")
            sleep(0.05)

    def _insist_alive(self, child: Child) -> None:
        if not child.alive():
            raise ChildDied(f"{child.name} ended at once; its log says:\n{child.tail()}")

    def restart(self, name: str) -> None:
        """Start one service again with the settings it had, and wait until it serves."""
        self.children.again(name)
        self._until_ready(name)
        last = monotonic() + FOUND_SECONDS
        while not _edge_sees(name) and monotonic() < last:
            sleep(0.05)

    def strike(self) -> list[str]:
        """Take everything down; answers with what this machine still has, which is nothing."""
        for name in (*MODULES, "localcloud"):
            if self.children.get(name):
                self.children.stop(name, patience=40)
        self.children.forget()
        with tenancy.hold(GROUND, self._cloud_folder):
            left = cleaning.sweep(GROUND)
            if not left:
                cleaning.forget(GROUND, self._cloud_folder)
        (self.folder / "env").unlink(missing_ok=True)
        return left.lines()

    def residue(self) -> list[str]:
        return leftovers.find(GROUND).lines()


def _address(last: int) -> IPv4Address:
    return GROUND.public[last]


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def _serves(name: str) -> bool:
    """Asked of the service itself: HTTP for the edge, gRPC health for the others."""
    port = PORTS[name]
    if name != "bff":
        return not probe(f"127.0.0.1:{port}", seconds=2)
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=2).is_success
    except httpx.HTTPError:
        return False


def _edge_sees(name: str) -> bool:
    """Whether the edge, if it lives, has found the service again."""
    try:
        answer = httpx.get(f"http://127.0.0.1:{PORTS['bff']}/readyz", timeout=2)
    except httpx.HTTPError:
        return name != "bff"
    return name == "bff" or answer.json()["services"].get(name) == "serving"


def service_settings(cloud: dict[str, Any], folder: Path) -> dict[str, str]:
    """The environment of the four services on this local cloud."""
    return {
        "KITE_INSTALL": INSTALL,
        "KITE_SECRET": secrets.token_urlsafe(32),
        "KITE_REGION": cloud["region"],
        "KITE_EC2_ENDPOINT": cloud["endpoint"],
        "KITE_LOG_FORMAT": "json",
        "KITE_REGISTRY_FOLDER": str(folder / "registry"),
        "KITE_WHITELIST_CONTROL_CIDRS": f"{cloud['gateway']}/32",
        "KITE_PROVISIONER_IMAGE_ID": cloud["image_id"],
        "KITE_PROVISIONER_SUBNETS": cloud["subnet_id"],
        "KITE_PROVISIONER_REACH": "private",
        "KITE_PROVISIONER_NODE_EXPORTER": "false",  # hosts of the local cloud see no package mirror
        "KITE_PROVISIONER_INSTALL_METHOD": "wheel",
        "KITE_PROVISIONER_ALLOW_INSECURE_WHEEL": "true",
        "KITE_PROVISIONER_ARTIFACT_URL": cloud["tree_url"],
        "KITE_PROVISIONER_ARTIFACT_SHA256": cloud["tree_sha256"],
        "KITE_PROVISIONER_ARTIFACT_KIND": "tree",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
    } | {f"KITE_{name.upper()}_LISTEN": f"127.0.0.1:{port}" for name, port in PORTS.items()}
