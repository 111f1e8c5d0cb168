"""The registry's disk is really full: a small file system of its own, seen by nobody else."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kite.errors import Unavailable
from kite.rpc import client
from kite.v1 import registry_pb2 as pb
from kite.v1 import registry_pb2_grpc
from tests.store.servers import ROOT, free_port

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")
USER = "milvus-test"


class Disk:
    """A tmpfs of 1 MiB in a mount namespace that a sleeping process keeps."""

    def __init__(self, folder):
        self.folder = folder
        mount = f"mount -t tmpfs -o size=1m tmpfs {folder} && echo mounted && exec cat"
        self.keeper = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", mount],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.keeper.stdout.readline() == "mounted\n"

    @property
    def inside(self):
        """The folder as this process may write to it."""
        return Path(f"/proc/{self.keeper.pid}/root{self.folder}")

    def fill(self, *, leave=0):
        with contextlib.suppress(OSError), (self.inside / "filler").open("ab", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        filler = self.inside / "filler"
        os.truncate(filler, filler.stat().st_size - leave)

    def free(self):
        (self.inside / "filler").unlink()

    def close(self):
        self.keeper.communicate(timeout=10)  # its input ends, and with it the namespace


@pytest.fixture
def disk(tmp_path):
    (tmp_path / "small").mkdir()
    disk = Disk(tmp_path / "small")
    yield disk
    disk.close()


@contextlib.contextmanager
def registry(disk, port):
    """The process on that disk; killed at the end, as a power cut would."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("KITE_")} | {
        "KITE_ENV_FILE": os.devnull,
        "KITE_LOG_FORMAT": "json",
        "KITE_REGISTRY_LISTEN": f"127.0.0.1:{port}",
        "KITE_REGISTRY_FOLDER": str(disk.folder / "data"),
    }
    enter = ["nsenter", f"--mount=/proc/{disk.keeper.pid}/ns/mnt", f"--wd={ROOT}"]
    process = subprocess.Popen(
        [*enter, sys.executable, "-m", "registry_svc"],
        cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until_ready(process):
    for line in process.stdout:
        if json.loads(line)["event"] == "ready":
            return
    raise AssertionError(process.stderr.read())


async def create(stub, name):
    request = pb.CreateClusterRequest(user=USER, milvus_name=name, milvus_type="M5", disk_gib=50)
    return (await stub.CreateCluster(request)).cluster


async def names(stub):
    clusters = (await stub.ListClusters(pb.ListClustersRequest())).clusters
    return [cluster.milvus_name for cluster in clusters]


@needs_root
async def test_a_full_disk_stops_writes_only_and_only_while_it_is_full(disk):
    port = free_port()
    with registry(disk, port) as process:
        until_ready(process)
        async with client.connect(f"127.0.0.1:{port}", name="registry") as channel:
            stub = registry_pb2_grpc.RegistryServiceStub(channel)
            kept = []
            disk.fill(leave=60_000)
            with pytest.raises(Unavailable) as caught:
                for number in range(99):
                    await create(stub, f"name-{number}")
                    kept.append(f"name-{number}")
            assert (caught.value.reason, caught.value.retry_after) == ("STORE_FULL", 30)
            assert "full; free some space" in caught.value.description
            assert sorted(await names(stub)) == sorted(kept)
            disk.free()
            await create(stub, "again")
    with registry(disk, port) as process:  # what was acknowledged survives the kill
        until_ready(process)
        async with client.connect(f"127.0.0.1:{port}", name="registry") as channel:
            stub = registry_pb2_grpc.RegistryServiceStub(channel)
            assert sorted(await names(stub)) == sorted([*kept, "again"])


@needs_root
async def test_a_start_on_a_full_disk_does_not_blame_the_records(disk):
    port = free_port()
    with registry(disk, port) as process:
        until_ready(process)
        async with client.connect(f"127.0.0.1:{port}", name="registry") as channel:
            await create(registry_pb2_grpc.RegistryServiceStub(channel), "kept")
    disk.fill()
    with registry(disk, port) as process:
        code = process.wait(30)
        told = process.stderr.read()
    assert (code, "is full; free some space" in told, "damaged" in told) == (1, True, False), told
    disk.free()
    with registry(disk, port) as process:
        until_ready(process)
        async with client.connect(f"127.0.0.1:{port}", name="registry") as channel:
            assert await names(registry_pb2_grpc.RegistryServiceStub(channel)) == ["kept"]
