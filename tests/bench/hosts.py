"""Pretend hosts to install on, each with its host key known before it is born."""

import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from localcloud import leftovers
from localcloud.ground import Ground
from provisioner.install.job import (
    ArtifactKind,
    InstallHost,
    InstallJob,
    InstallSettings,
    Method,
)
from tests.localcloud.world import World, raise_world

GROUND = Ground("kb", 82)
PASSWORD = "not-a-secret-of-anybody"
FILES = {
    "milvus.yaml": "/etc/kite/milvus/milvus.yaml",
    "etcd.yaml": "/etc/kite/milvus/etcd.yaml",
    "glog.conf": "/etc/kite/milvus/glog.conf",
    "milvus.service": "/etc/systemd/system/milvus.service",
}


@dataclass(frozen=True)
class Hosts:
    """A local cloud that only this bench uses."""

    world: World
    folder: Path

    @property
    def settings(self):
        ready = self.world.ready
        return InstallSettings(
            method=Method.WHEEL,
            artifact_url=ready["tree_url"],
            artifact_sha256=ready["tree_sha256"],
            artifact_kind=ArtifactKind.TREE,
            allow_insecure_wheel=True,
            connect_seconds=60,
            concurrency=4,
        )

    def launch(self):
        """A host that answers over SSH."""
        number = len(list(self.folder.glob("host-*.pub")))
        path = self.folder / f"host-{number}"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
        private = "".join(f"    {line}\n" for line in path.read_text().splitlines())
        public = " ".join(path.with_suffix(".pub").read_text().split()[:2])
        user_data = (
            f"#cloud-config\nssh_keys:\n  ed25519_private: |\n{private}  ed25519_public: {public}\n"
        )
        id_ = self.world.launch(user_data=user_data)
        address = self.world.wait(id_)["PrivateIpAddress"]
        return InstallHost(f"tok-{id_[2:10]}", id_, address, "master", public)

    @contextmanager
    def some(self, count=1):
        found = [self.launch() for _ in range(count)]
        try:
            yield found
        finally:
            for host in found:
                self.world.end(host.instance_id)

    def job(self, hosts, key="bench"):
        variables = {
            "disk_device": "none",
            "node_exporter_enabled": False,  # it would need a package mirror
            "milvus_stop_seconds": 3,
            "milvus_root_password_set_later": True,  # the peers set none either
        }
        return InstallJob(
            key=key,
            hosts=tuple(hosts),
            private_key=self.world.key.read_bytes(),
            variables=variables,
            secrets={"milvus_root_password": PASSWORD},
        )

    def copy_files(self, host):
        """What our roles wrote, for the peers to write the same."""
        for name, path in FILES.items():
            text = self.world.login(host.instance_id, f"sudo cat {path}")
            (self.folder / name).write_text(f"{text}\n")


@contextmanager
def raised(folder):
    with raise_world(GROUND, folder) as world:
        yield Hosts(world, folder)
    left = leftovers.find(GROUND)
    if left:
        raise RuntimeError("; ".join(left.lines()))
