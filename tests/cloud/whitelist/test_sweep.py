"""Groups that no cluster stands for, on strict EC2 with a registry in memory."""

from __future__ import annotations

import asyncio

import pytest

from kite import tags
from kite.errors import Unavailable
from kite.rpc import client
from kite.rpc.server import RpcServer
from kite.sweep import Verdict
from kite.v1 import sweep_pb2, sweep_pb2_grpc
from localcloud.strict.faults import Kind
from tests.cloud.whitelist.conftest import CLUSTER
from whitelist_svc import groups, session, sweep
from whitelist_svc.settings import Settings


def settings(**more):
    return Settings(install="test", whitelist_control_cidrs="10.88.0.0/16", **more)


DEAD = "cdeaddeaddeaddea"


async def twice(world):
    await world.app.sweeper.turn()
    world.strict.clock.advance(60)
    return await world.app.sweeper.turn()


def names(world):
    found = world.ec2.describe_security_groups()["SecurityGroups"]
    return {one["GroupName"] for one in found} - {"default"}


def group_of(world, cluster_id, name, install="test"):
    owned = tags.pack(tags.cluster_tags(install, cluster_id, kind="whitelist"))
    return world.ec2.create_security_group(
        GroupName=name,
        Description="left behind",
        VpcId=world.vpc,
        TagSpecifications=[{"ResourceType": "security-group", "Tags": owned}],
    )["GroupId"]


@pytest.fixture
async def dead(world):
    """Groups of a cluster whose deletion is complete."""
    world.registry.add(DEAD, name="dogs")
    await world.ensure()
    made = await world.ensure(DEAD, peers=True)
    world.registry.clusters[DEAD].deleted_at_ms = 1
    return made


ALL = {"kite-base-test", f"kite-{CLUSTER}", f"kite-{DEAD}", f"kite-{DEAD}-peers"}


async def test_groups_of_a_deleted_cluster_go_and_the_others_stay(world, dead):
    assert names(world) == ALL
    plan = await world.app.sweeper.turn()
    assert [f.verdict for f in plan.findings] == 2 * [Verdict.FIRST]
    assert names(world) == ALL
    world.strict.clock.advance(60)
    plan = await world.app.sweeper.turn()
    assert {thing.id for thing in plan.remove} == {dead["whitelist"], dead["peers"]}
    assert names(world) == {"kite-base-test", f"kite-{CLUSTER}"}
    assert [event.type for event in world.registry.events] == 2 * ["OrphanRemoved"]
    assert not (await twice(world)).findings


@pytest.mark.parametrize("settings", [settings(whitelist_sweep="report")])
async def test_a_sweep_that_reports_tells_and_keeps(world, dead):
    plan = await twice(world)
    assert {f.thing.id for f in plan.findings if f.verdict is Verdict.GOES} == {
        dead["whitelist"],
        dead["peers"],
    }
    assert names(world) == ALL


@pytest.mark.parametrize("settings", [settings(whitelist_sweep="off")])
async def test_a_sweep_that_is_off_does_not_look(world, dead):
    running = asyncio.create_task(world.app.sweeper.run())
    for _ in range(20):
        await asyncio.sleep(0)
    assert not running.done()
    running.cancel()
    assert world.pauses.waited == []
    assert names(world) == ALL


async def test_a_group_in_use_is_closed_at_once_and_goes_later(world, dead):
    subnet = world.ec2.create_subnet(VpcId=world.vpc, CidrBlock="10.88.1.0/24")["Subnet"]
    interface = world.ec2.create_network_interface(
        SubnetId=subnet["SubnetId"], Groups=[dead["whitelist"]]
    )["NetworkInterface"]["NetworkInterfaceId"]
    world.ec2.authorize_security_group_ingress(
        GroupId=dead["whitelist"], IpProtocol="tcp", FromPort=19530, ToPort=19530,
        CidrIp="198.18.88.11/32",
    )  # fmt: skip
    await twice(world)
    assert names(world) == ALL - {f"kite-{DEAD}-peers"}
    assert world.in_force(dead["whitelist"]) == {}
    world.ec2.delete_network_interface(NetworkInterfaceId=interface)
    await world.app.sweeper.turn()
    assert f"kite-{DEAD}" not in names(world)


async def test_what_is_of_others_or_of_nobody_known_is_kept(world, dead):
    kept = {
        group_of(world, "cnever", "kite-cnever"),
        group_of(world, DEAD, "kite-other", install="other"),
        world.ec2.create_security_group(GroupName="bare", Description="x", VpcId=world.vpc)[
            "GroupId"
        ],
    }
    await twice(world)
    world.strict.clock.advance(86_400)
    plan = await twice(world)
    assert [f.verdict for f in plan.findings] == [Verdict.KEPT]
    left = {one["GroupId"] for one in world.ec2.describe_security_groups()["SecurityGroups"]}
    assert kept < left


@pytest.mark.parametrize("where", ["ec2", "registry"])
async def test_an_incomplete_look_removes_nothing(world, dead, where):
    await world.app.sweeper.turn()
    world.strict.clock.advance(60)
    if where == "ec2":
        world.fault(Kind.ERROR, "DescribeSecurityGroups", code="UnauthorizedOperation")
    else:
        world.registry.fail["ListClusters"] = 9 * [Unavailable("away")]
    assert (await world.app.sweeper.turn()).skipped
    assert names(world) == ALL


async def test_who_has_not_the_duty_sweeps_nothing(world, dead):
    world.registry.duty_granted = False
    assert await twice(world) is None
    assert names(world) == ALL


async def test_a_person_sweeps_by_rpc(world, dead):
    server = RpcServer("127.0.0.1:0")
    world.app.add_to(server)
    async with client.connect(f"127.0.0.1:{await server.start()}", name="whitelist") as channel:
        stub = sweep_pb2_grpc.SweepServiceStub(channel)
        first = await stub.Sweep(sweep_pb2.SweepRequest())
        assert [one.verdict for one in first.leftovers] == ["first", "first"]
        seen = [one.sighting for one in first.leftovers]
        early = await stub.Sweep(sweep_pb2.SweepRequest(act=True, seen=seen))
        assert not any(one.removed for one in early.leftovers)
        world.strict.clock.advance(60)
        dry = await stub.Sweep(sweep_pb2.SweepRequest(seen=seen))
        assert [(one.verdict, one.removed) for one in dry.leftovers] == 2 * [("goes", False)]
        world.fault(Kind.ERROR, "DeleteSecurityGroup", code="UnauthorizedOperation", message="no")
        done = await stub.Sweep(sweep_pb2.SweepRequest(act=True, seen=seen))
        assert sorted(one.removed for one in done.leftovers) == [False, True]
        (trouble,) = [one.trouble for one in done.leftovers if not one.removed]
        assert "CLOUD_PERMISSION" in trouble
        now = await stub.Sweep(sweep_pb2.SweepRequest(act=True, now=True))
        assert [one.removed for one in now.leftovers] == [True]
    await server.drain(0)
    assert names(world) == {"kite-base-test", f"kite-{CLUSTER}"}


async def test_a_look_is_read_to_the_last_page(world, dead, monkeypatch):
    monkeypatch.setattr(session, "MOST_PAGES", 3)
    cloud = world.app.sweeper._cloud
    one = len((await cloud.look()).things)

    class Session:
        def __init__(self, endless):
            self.endless, self.asked = endless, 0

        async def call(self, operation, **params):
            answer = await world.session.call(operation, Filters=params["Filters"])
            self.asked += 1
            assert ("NextToken" in params) is (self.asked > 1)
            return answer | {"NextToken": "more" if self.endless or self.asked < 2 else ""}

    cloud._session = Session(endless=False)
    assert len((await cloud.look()).things) == 2 * one
    cloud._session = Session(endless=True)
    with pytest.raises(Unavailable):
        await cloud.look()


async def test_removing_what_is_gone_is_no_failure(world):
    gone = sweep.thing(groups.Group("sg-0123456789abcdef0", "gone", world.vpc, {}))
    await world.app.sweeper._cloud.remove(gone)
