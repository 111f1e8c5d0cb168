"""ProvisionerService over loopback, and the wire the probe uses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kite.rpc import client
from kite.rpc.server import RpcServer
from kite.v1 import provisioner_pb2, provisioner_pb2_grpc
from provisioner.install.job import HostProgress, InstallJob, InstallResult
from provisioner.installs import Installs, Secrets
from provisioner.plan import Install
from provisioner.provisioner_rpc import ProvisionerRpc
from provisioner.record import Role

SERVICE = "kite.v1.ProvisionerService"
ORDER = Install(0, "token", "i-1", "10.88.1.4", Role.MASTER, 50)


class Installer:
    """Two looks of progress, then the end."""

    def __init__(self, *results: InstallResult) -> None:
        self.results_of: list[InstallResult] = list(results)
        self.looks = 0
        self.keys: list[str] = []
        self.jobs: list[InstallJob] = []
        self.cancelled: list[str] = []

    def start(self, job) -> None:
        self.jobs.append(job)
        self.keys.append(job.key)
        self.looks = 0

    def progress(self, key):
        self.looks += 1
        return (HostProgress("token", f"step {min(self.looks, 3)}", min(self.looks, 3), 3),)

    def results(self, key):
        return tuple(self.results_of) if self.looks > 2 else None

    def running(self, key):
        return self.results(key) is None

    async def cancel(self, key) -> None:
        self.cancelled.append(key)

    async def close(self) -> None:
        return None


def installs(*results):
    installer = Installer(*results)
    return Installs(installer, Secrets("test", "0123456789abcdef"), {}), installer


@pytest.fixture
async def served(monkeypatch):
    monkeypatch.setattr("provisioner.provisioner_rpc.PAUSE_SECONDS", 0.01)
    monkeypatch.setattr("provisioner.provisioner_rpc.NONE_YET_SECONDS", 0.05)
    made, _ = installs(InstallResult("token", False, "DISK_FULL", "no room", 1.0))
    nudged = []
    server = RpcServer("127.0.0.1:0")

    async def zones(instance_types):
        return {one: ("us-east-1a",) if one == "m5.large" else () for one in instance_types}

    rpc = ProvisionerRpc(made, nudged.append, zones)
    server.add(provisioner_pb2_grpc.add_ProvisionerServiceServicer_to_server, rpc, SERVICE)
    port = await server.start()
    async with client.connect(f"127.0.0.1:{port}", name="provisioner") as channel:
        yield provisioner_pb2_grpc.ProvisionerServiceStub(channel), made, nudged
    await server.drain(0)


async def test_an_install_is_told_step_by_step_to_its_end(served):
    stub, made, _ = served
    made.begin("c1", ORDER)
    request = provisioner_pb2.WatchInstallRequest(cluster_id="c1")
    lines = [answer.line async for answer in stub.WatchInstall(request)]
    assert lines == ["step 1", "step 2", "DISK_FULL: no room"]


async def test_a_watch_of_nothing_ends(served):
    stub, _, _ = served
    request = provisioner_pb2.WatchInstallRequest(cluster_id="c2")
    assert [answer async for answer in stub.WatchInstall(request)] == []


async def test_a_nudge(served):
    stub, _, nudged = served
    await stub.Nudge(provisioner_pb2.NudgeRequest(cluster_id="c1"))
    assert nudged == ["c1"]


async def test_what_zones_offer_is_told_in_the_order_asked(served):
    stub, _, _ = served
    asked = provisioner_pb2.CheckOffersRequest(instance_types=["x9.huge", "m5.large"])
    answer = await stub.CheckOffers(asked)
    assert [(one.instance_type, list(one.zones)) for one in answer.offers] == [
        ("x9.huge", []),
        ("m5.large", ["us-east-1a"]),
    ]


async def test_a_running_install_is_not_begun_twice_and_a_failed_one_is():
    made, installer = installs(InstallResult("token", False, "UNREACHABLE", "gone", 1.0))
    made.begin("c1", ORDER)
    made.begin("c1", ORDER)
    assert installer.keys == ["token-1"]
    for _ in range(3):
        made.facts(["token"])
    assert made.facts(["token"])["token"].reason == "UNREACHABLE"
    made.begin("c1", ORDER)
    assert installer.keys == ["token-1", "token-2"]
    assert made.facts(["token", "other"])["token"].tries == 2


@pytest.mark.parametrize("volume", ["", "vol-0123456789abcdef0"])
async def test_a_data_volume_that_is_known_is_named(volume):
    made, installer = installs()
    made.begin("c1", replace(ORDER, data_volume=volume))
    (job,) = installer.jobs
    named = {"disk_volume_id": volume} if volume else {}
    assert job.variables == {"disk_size_gib": 50} | named


async def test_only_what_runs_is_cancelled_and_a_gone_cluster_is_forgotten():
    made, installer = installs(InstallResult("token", True, "OK", "", 1.0))
    await made.cancel(["token"])
    made.begin("c1", ORDER)
    await made.cancel(["token"])
    assert installer.cancelled == ["token-1"]
    for _ in range(3):
        made.facts(["token"])
    assert made.facts(["token"])["token"].ok
    await made.cancel(["token"])
    assert installer.cancelled == ["token-1"]
    assert made.of_cluster("c1")
    made.forget("c1")
    made.forget("c1")
    assert made.facts(["token"]) == made.of_cluster("c1") == {}
