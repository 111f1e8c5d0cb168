"""A pretend host as the tests of the roles see it, and the ways to install on it."""

import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from grpc import RpcError
from pymilvus import MilvusClient, MilvusException

from localcloud.ground import Ground
from provisioner.install.inventory import inventory
from provisioner.install.job import InstallHost, InstallJob, InstallSettings
from provisioner.install.runner import Installer
from tests.localcloud.conftest import _unfit
from tests.localcloud.world import World

ON_HOST = [
    pytest.mark.localcloud,
    pytest.mark.skipif(bool(_unfit()), reason=_unfit()),
]
GROUND = Ground("kp", 89)
GIB = 5
PASSWORD = "canary-6fd1-word"
STALE_SECONDS = 120  # twice the life of a session of Milvus
EXPORTER = b"""#!/usr/bin/python3
import http.server, sys
address = sys.argv[1].rpartition(":")[2]
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("", int(address)), Handler).serve_forever()
"""


@dataclass(frozen=True)
class Mirror:
    """Where hosts fetch from, and the checksums of what lies there."""

    url: str
    tree: str
    exporter: str
    folder: Path


@dataclass(frozen=True)
class Machine:
    """A launched host and all that is needed to install on it."""

    cloud: World
    instance_id: str
    host: InstallHost
    settings: InstallSettings

    def job(self, key, **variables):
        return InstallJob(
            key=key,
            hosts=(self.host,),
            private_key=self.cloud.key.read_bytes(),
            variables={
                "disk_size_gib": GIB,
                "milvus_stop_seconds": 3,
                "node_exporter_enabled": False,  # it would need a package mirror
                **variables,
            },
            secrets={"milvus_root_password": PASSWORD},
        )

    def inventory(self, folder, **variables):
        """What a person at a shell would write."""
        (folder / "known_hosts").write_text(f"{self.host.address} {self.host.host_key}\n")
        tree = inventory(self.job("by hand", **variables), self.settings, str(folder))
        shared = tree["milvus"]["vars"]
        del shared["milvus_root_password_file"]
        shared["ansible_ssh_private_key_file"] = str(self.cloud.key)
        shared.update(variables)
        return tree

    def shell(self, script):
        return self.cloud.login(self.instance_id, script)


async def install(machine, key="k", **change):
    """One job from start to results; the settings may be changed."""
    installer = Installer(replace(machine.settings, **change))
    try:
        installer.start(machine.job(key))
        (result,) = await installer.wait(key)
        return result, installer.progress(key)[0]
    finally:
        await installer.close()


@contextmanager
def connected(machine, password):
    client = MilvusClient(
        f"http://{machine.host.address}:19530", user="root", password=password, timeout=30
    )
    try:
        yield client
    finally:
        client.close()


def opens(machine, password):
    try:
        with connected(machine, password) as client:
            return client.list_users() == ["root"]
    except (MilvusException, RpcError):  # the second, when it was let in by a name known before
        return False


def change_password(machine, old, new):
    """Also soon after Milvus restarted: it refuses then until the session before has ended."""
    until = time.monotonic() + STALE_SECONDS
    while True:
        try:
            with connected(machine, old) as client:
                client.update_password("root", old, new)
        except (MilvusException, RpcError):
            if opens(machine, new):
                return
            if time.monotonic() > until:
                raise
        else:
            return
        time.sleep(1)
