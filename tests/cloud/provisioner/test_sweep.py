"""The sweep over strict EC2 beside the real registry; EC2's clock is moved, nobody waits."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager

import pytest

from kite import tags
from kite.clock import SystemClock
from kite.errors import Internal, Unavailable
from kite.rpc import client
from kite.sweep import MINUTE_MS, Kind, Thing, Verdict
from kite.v1 import operation_pb2
from localcloud.strict.faults import Fault
from localcloud.strict.faults import Kind as FaultKind
from provisioner import app as provisioner_app
from provisioner.sweep.cloud import SweepCloud
from provisioner.tokens import token

HOUR = 3600.0


@pytest.fixture(autouse=True)
def clock(house):
    """EC2's clock; it begins at the time of this machine."""
    house.strict.clock.now = time.time()
    return house.strict.clock


async def twice(house):
    await house.provisioner.sweeper.turn()
    house.strict.clock.advance(60)
    return await house.provisioner.sweeper.turn()


def marks(house, cluster_id, slot=0, attempt=7, install="test"):
    owner = tags.NodeTags(install, cluster_id, slot, attempt)
    return tags.pack(tags.node_tags(owner, user="alice", milvus_name="cats", role="master"))


def launch(house, cluster_id, *, slot=0, attempt=7, install="test", minutes=6, **more):
    """A machine as a provisioner launched it that went on after its time was over: so long ago."""
    owned = marks(house, cluster_id, slot, attempt, install)
    asked = {
        "ImageId": house.settings.provisioner_image_id,
        "InstanceType": "m5.large",
        "SubnetId": house.settings.provisioner_subnets[0],
        "ClientToken": token(install, cluster_id, slot, attempt),
        "TagSpecifications": [{"ResourceType": "instance", "Tags": owned}],
    }
    found = house.ec2.run_instances(MinCount=1, MaxCount=1, **(asked | more))
    house.strict.clock.advance(minutes * 60)
    return found["Instances"][0]["InstanceId"]


def volume(house, cluster_id, slot=0, attempt=7):
    owned = marks(house, cluster_id, slot, attempt)
    made = house.ec2.create_volume(
        AvailabilityZone="us-east-1a",
        Size=8,
        TagSpecifications=[{"ResourceType": "volume", "Tags": owned}],
    )
    return made["VolumeId"]


def address(house, cluster_id):
    owned = tags.pack(tags.cluster_tags("test", cluster_id, kind="address"))
    made = house.ec2.allocate_address(
        Domain="vpc", TagSpecifications=[{"ResourceType": "elastic-ip", "Tags": owned}]
    )
    return made["AllocationId"]


def alive(house):
    return {i["InstanceId"] for i in house.machines()}


async def deleted(house, name="cats"):
    """A cluster that came and went; its tombstone."""
    house.ssh = False
    await house.create(name)
    await house.delete(name)
    return (await house.until("DELETED", name)).cluster_id


async def running(house):
    cluster = await house.create()
    await house.until("RUNNING")
    return cluster.cluster_id


async def test_a_second_machine_of_a_slot_goes_and_the_cluster_stays(house):
    cluster_id = await running(house)
    (mine,) = alive(house)
    extra = launch(house, cluster_id, attempt=0)
    plan = await twice(house)
    assert [thing.id for thing in plan.remove] == [extra]
    assert alive(house) == {mine}
    events = await house.operations.ListEvents(
        operation_pb2.ListEventsRequest(user="alice", milvus_name="cats", page_size=500)
    )
    (told,) = [event for event in events.events if event.type == "OrphanRemoved"]
    assert extra in told.description
    assert told.origin == "sweep"


async def test_what_a_deleted_cluster_left_goes_each_in_its_time(house):
    cluster_id = await deleted(house)
    machine = launch(house, cluster_id)
    disk, ip = volume(house, cluster_id), address(house, cluster_id)
    assert {thing.id for thing in (await twice(house)).remove} == {machine, ip}
    assert alive(house) == set()
    assert house.left()["addresses"] == []
    assert disk in house.left()["volumes"]  # a day of grace
    house.strict.clock.advance(25 * HOUR)
    assert {thing.id for thing in (await twice(house)).remove} == {disk}
    assert disk not in house.left()["volumes"]


async def test_the_volume_of_a_machine_that_did_not_take_it_along(house):
    """F44: an image, or somebody by hand, said that a volume outlives its machine."""
    cluster_id = await deleted(house)
    keep = {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 8, "DeleteOnTermination": False}}
    owned = marks(house, cluster_id)
    specifications = [{"ResourceType": kind, "Tags": owned} for kind in ("instance", "volume")]
    launch(house, cluster_id, BlockDeviceMappings=[keep], TagSpecifications=specifications)
    await twice(house)
    left = house.left()["volumes"]
    assert left
    house.strict.clock.advance(25 * HOUR)
    await twice(house)
    assert house.left()["volumes"] == []


async def test_the_volume_that_a_replaced_machine_left_while_its_cluster_lives(house):
    """F44: it goes within hours; that of the present attempt, ended by hand or not, stays."""
    cluster_id = await running(house)
    left, present = (volume(house, cluster_id, attempt=n) for n in (0, 1))
    missing = volume(house, cluster_id, slot=5, attempt=1)
    before = set(house.left()["volumes"])
    assert (await twice(house)).remove == ()  # young
    house.strict.clock.advance(2 * HOUR)
    plan = await twice(house)
    assert [thing.id for thing in plan.remove] == [left]
    assert [f.thing.id for f in plan.findings if f.verdict is Verdict.KEPT] == [missing]
    assert set(house.left()["volumes"]) == before - {left}
    house.ec2.terminate_instances(InstanceIds=sorted(alive(house)))
    await house.until("FAILED")
    house.strict.clock.advance(24 * HOUR)
    assert (await twice(house)).remove == ()
    assert present in house.left()["volumes"]


async def test_what_is_not_proven_to_be_ours_is_never_touched(house, clock):
    """T26: forged tags; F66: other installs, unknown clusters."""
    cluster_id = await running(house)
    gone = await deleted(house, "dogs")
    forged = launch(house, gone, ClientToken="mine")
    moved = launch(house, gone, attempt=8, ClientToken=token("test", gone, 0, 9))
    unknown = launch(house, "cnever")
    foreign = launch(house, gone, install="other")
    bare = launch(house, gone, ClientToken="x", TagSpecifications=[])
    later = launch(house, cluster_id)  # attempt 7, and the records have come to 1
    before = alive(house)
    assert before > {forged, moved, unknown, foreign, bare, later}
    sweeper = house.provisioner.sweeper
    for _ in range(4):
        plan = await sweeper.turn()
        clock.advance(240 * HOUR)
    assert alive(house) == before
    assert {f.thing.id: f.verdict for f in plan.findings} == dict.fromkeys(
        (forged, moved, unknown, later), Verdict.KEPT
    )


async def test_the_young_are_safe_whatever_the_local_clock_says(house, clock):
    """The guard goes by LaunchTime and the Date of EC2's answer; our clock is ten minutes off."""
    cluster_id = await deleted(house)

    class Off(SystemClock):
        def now_ms(self):
            return super().now_ms() + 10 * MINUTE_MS

    house.provisioner.loop._clock = house.provisioner.ec2._clock = Off()
    extra = launch(house, cluster_id, minutes=0)
    sweeper = house.provisioner.sweeper
    for _ in range(3):
        clock.advance(90)
        (found,) = (await sweeper.turn()).findings
        assert found.verdict is Verdict.YOUNG
    assert alive(house) == {extra}
    clock.advance(60)
    (found,) = (await sweeper.turn()).findings
    assert found.verdict is Verdict.FIRST


@asynccontextmanager
async def another(house, **changed):
    """A second provisioner beside the first, not running its loop."""
    built = provisioner_app.build(
        provisioner_app.Settings(**(dict(vars(house.settings)) | changed)),
        provisioner_app.Parts(
            clients=lambda: house.clients,
            registry=client.connect(house.targets["registry"], name="registry"),
            whitelist=client.connect(house.targets["whitelist"], name="whitelist"),
            installer=house.installer,
            probe=house.milvus,
            holder="beside",
        ),
    )
    try:
        yield built
    finally:
        await built.close()


async def test_of_two_provisioners_one_sweeps(house):
    cluster_id = await deleted(house)
    async with another(house) as second:
        assert await house.provisioner.sweeper.turn() is not None
        assert await second.sweeper.turn() is None
        machine = launch(house, cluster_id)
        assert await second.sweeper.turn() is None
        assert (await twice(house)).remove[0].id == machine


async def test_a_sweep_that_reports_tells_and_keeps(house):
    """As the setting says it, and the same thing goes when it says `on` again."""
    cluster_id = await deleted(house)
    machine = launch(house, cluster_id)
    async with another(house, provisioner_sweep="report") as second:
        for _ in range(3):
            plan = await second.sweeper.turn()
            house.strict.clock.advance(60)
    assert [(f.thing.id, f.verdict) for f in plan.findings] == [(machine, Verdict.GOES)]
    assert plan.remove == ()
    assert machine in alive(house)
    async with another(house, provisioner_sweep="on") as third:
        await third.sweeper.turn()
        house.strict.clock.advance(60)
        await third.sweeper.turn()
    assert machine not in alive(house)


async def test_a_sweep_that_is_off_does_not_look(house, monkeypatch):
    async with another(house, provisioner_sweep="off") as second:
        monkeypatch.setattr(second.sweeper, "_seconds", 0)
        before = house.strict.api.calls.count("DescribeAddresses")
        running = asyncio.create_task(second.sweeper.run())
        await asyncio.sleep(0.5)
        assert not running.done()
        running.cancel()
    assert house.strict.api.calls.count("DescribeAddresses") == before


@pytest.mark.parametrize(("minutes", "verdict"), [(9, Verdict.YOUNG), (11, Verdict.GOES)])
async def test_the_age_that_the_settings_ask_for_is_asked_of_machines(house, minutes, verdict):
    cluster_id = await deleted(house)
    launch(house, cluster_id, minutes=minutes - 1)
    async with another(house, provisioner_sweep_guard_seconds=600) as second:
        await second.sweeper.turn()
        house.strict.clock.advance(60)
        plan = await second.sweeper.turn()
    assert plan.findings[0].verdict is verdict


async def test_with_the_wrong_install_nothing_is_swept(house):
    """F66: the registry holds clusters under names of another install."""
    await running(house)
    async with another(house, install="kite2") as wrong:
        machine = launch(house, "cnever", install="kite2")
        plan = await wrong.sweeper.turn()
        assert "not of install kite2" in plan.skipped
    assert machine in alive(house)


async def test_with_an_empty_registry_nothing_goes(house, clock, tmp_path):
    """F66: a registry that was lost is no reason to end what it knew."""
    await running(house)
    await house.halt()
    house.folder = tmp_path / "new"
    house.targets["registry"] = await house._registry()
    house.run()
    address(house, "cnever")
    volume(house, "cnever")
    machines, left = alive(house), house.left()
    sweeper = house.provisioner.sweeper
    for _ in range(4):
        plan = await sweeper.turn()
        clock.advance(240 * HOUR)
    assert {f.verdict for f in plan.findings} == {Verdict.KEPT}
    assert len(plan.findings) >= 4
    assert (alive(house), house.left()) == (machines, left)


@pytest.mark.parametrize("action", ["DescribeInstances", "DescribeVolumes", "DescribeAddresses"])
async def test_a_throttled_look_decides_nothing(house, clock, action):
    cluster_id = await deleted(house)
    launch(house, cluster_id)
    sweeper = house.provisioner.sweeper
    await sweeper.turn()
    clock.advance(60)
    number = house.strict.api.faults.add(Fault(FaultKind.THROTTLE, action=action, times=0))
    assert "EC2 could not be read" in (await sweeper.turn()).skipped
    house.strict.api.faults.remove(number)
    assert (await sweeper.turn()).remove


async def test_an_incomplete_registry_decides_nothing(house, clock, monkeypatch):
    cluster_id = await deleted(house)
    machine = launch(house, cluster_id)
    sweeper = house.provisioner.sweeper
    await sweeper.turn()
    clock.advance(60)
    pages = sweeper._book._registry.ListClusters

    async def half(request, **more):
        if request.page_token:
            raise Unavailable("the registry went away", reason="STORE_AWAY")
        answer = await pages(request, **more)
        answer.next_page_token = "more"
        return answer

    monkeypatch.setattr(sweeper._book._registry, "ListClusters", half)
    assert "registry could not be read" in (await sweeper.turn()).skipped
    assert alive(house) == {machine}


async def test_a_machine_that_ec2_hides_is_waited_for(house, clock):
    """Launched and not yet shown: no orphan now, and none when it appears."""
    house.strict.api.faults.add(
        Fault(FaultKind.HIDE, action="RunInstances", describes=6, empty=True)
    )
    house.ssh = False
    await house.create()
    await house.eventually(house.machines)
    sweeper = house.provisioner.sweeper
    for _ in range(4):
        plan = await sweeper.turn()
        clock.advance(HOUR)
        assert plan.remove == ()
    house.ssh = True
    await house.until("RUNNING")
    assert len(house.machines()) == 1
    assert not (await sweeper.turn()).findings


async def test_too_many_at_once_are_left_to_a_person(house):
    cluster_id = await deleted(house)
    for attempt in range(10, 21):
        launch(house, cluster_id, attempt=attempt)
    plan = await twice(house)
    assert (plan.remove, len(alive(house))) == ((), 11)
    assert "11 of 11 instances" in plan.alarms[0]


async def test_removing_what_is_gone_is_no_failure(house):
    cloud = SweepCloud(house.provisioner.ec2, "test")
    for kind, name in (
        (Kind.INSTANCE, "i-0123456789abcdef0"),
        (Kind.VOLUME, "vol-0123456789abcdef0"),
        (Kind.ADDRESS, "eipalloc-0123456789abcdef0"),
    ):
        await cloud.remove(Thing(kind, name, "test", "cgone"))


async def test_the_loop_runs_beside_the_service(house, monkeypatch):
    turns = []

    async def pause(seconds):
        turns.append(seconds)
        await asyncio.sleep(0)

    sweeper = house.provisioner.sweeper
    sweeper._pause = pause
    task = asyncio.create_task(sweeper.run())
    await house.eventually(lambda: len(turns) > 2)
    task.cancel()
    assert set(turns) == {60}


async def test_groups_are_not_ours_to_remove(house):
    with pytest.raises(Internal):
        await SweepCloud(house.provisioner.ec2, "test").remove(
            Thing(Kind.GROUP, "sg-1", "test", "cgone")
        )
