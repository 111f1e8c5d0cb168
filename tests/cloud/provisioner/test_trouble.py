"""EC2 misbehaves, hosts misbehave: the cluster ends well or says why, and nothing is left."""

from __future__ import annotations

import asyncio

import pytest

from localcloud.strict.faults import Fault, Kind
from provisioner.facts import Answer
from provisioner.tokens import token
from tests.cloud.provisioner.test_story import NOTHING


def fault(house, kind, action, **more):
    house.strict.api.faults.add(Fault(kind, action=action, **more))


async def leaves_nothing(house):
    house.strict.api.faults.clear()
    await house.delete()
    await house.until("DELETED")
    assert house.left() == NOTHING


@pytest.mark.parametrize("kind", [Kind.LOST_REPLY, Kind.RESET, Kind.THROTTLE])
@pytest.mark.parametrize("action", [
    "RunInstances", "AllocateAddress", "AssociateAddress", "CreateSecurityGroup",
    "DescribeInstances",
])  # fmt: skip
async def test_a_call_that_goes_wrong_once(house, kind, action):
    fault(house, kind, action)
    await house.create()
    await house.until("RUNNING")
    assert len(house.machines()) == 1
    assert len(house.left()["addresses"]) == 1
    await leaves_nothing(house)


@pytest.mark.parametrize("action", ["RunInstances", "CreateSecurityGroup", "DescribeInstances"])
async def test_a_gateway_that_is_overloaded(house, action):
    fault(house, Kind.ERROR, action, code="ServiceUnavailable", status=503, times=3)
    await house.create()
    await house.until("RUNNING")
    assert len(house.machines()) == 1


async def test_a_storm_of_throttling_is_lived_through_and_not_shown(house):
    """A good part of all calls is refused; everything comes to its end, and no user is told."""
    names = [f"c{n}" for n in range(3)]
    for skip in range(0, 30, 3):
        fault(house, Kind.THROTTLE, "*", skip=skip)
    made = [await house.create(name) for name in names]
    seen = []
    for name in names:
        cluster = await house.until("RUNNING", name)
        seen += [c.reason + c.description for c in cluster.status.conditions]
    for cluster in made:
        seen.append(str(await house.operation(cluster.operation_id)))
        seen.append(str(await house.events(cluster.milvus_name)))
    assert len(house.machines()) == 3
    assert not [text for text in seen if "THROTTLED" in text or "slow down" in text]


@pytest.mark.parametrize("action", [
    "TerminateInstances", "ReleaseAddress", "DeleteSecurityGroup",
])  # fmt: skip
async def test_a_deletion_that_loses_a_reply(house, action):
    await house.create()
    await house.until("RUNNING")
    fault(house, Kind.LOST_REPLY, action)
    await house.delete()
    await house.until("DELETED")
    assert house.left() == NOTHING


@pytest.mark.parametrize("empty", [True, False])
async def test_a_hidden_machine_is_waited_for(house, empty):
    fault(house, Kind.HIDE, "RunInstances", describes=5, empty=empty)
    await house.create()
    await house.until("RUNNING")
    assert house.writes().count("RunInstances") == 1


async def test_no_capacity_in_the_first_zone(house):
    fault(house, Kind.NO_CAPACITY, "RunInstances", zone="us-east-1a", times=0)
    await house.create()
    cluster = await house.until("RUNNING")
    (node,) = cluster.status.nodes
    assert (node.attempt, node.intent.subnet_id) == (2, house.settings.provisioner_subnets[1])
    assert len(house.machines()) == 1


async def test_no_capacity_for_the_type(house):
    fault(house, Kind.NO_CAPACITY, "RunInstances", instance_type="m5.*", times=0)
    await house.create()
    cluster = await house.until("RUNNING")
    assert cluster.status.nodes[0].intent.instance_type == "m6i.large"


@pytest.mark.parametrize("tuned", [{"provisioner_capacity_seconds": 1}])
async def test_no_capacity_anywhere(house):
    fault(house, Kind.NO_CAPACITY, "RunInstances", times=0)
    await house.create()
    cluster = await house.until("FAILED")
    assert cluster.status.reason == "INSUFFICIENT_CAPACITY"
    assert house.writes().count("RunInstances") == len(cluster.status.nodes[0].refused) == 8
    assert house.machines() == []
    await leaves_nothing(house)


@pytest.mark.parametrize(("code", "reason"), [
    ("VcpuLimitExceeded", "QUOTA_EXCEEDED"),
    ("UnauthorizedOperation", "CLOUD_PERMISSION"),
    ("InvalidParameterValue", "CLOUD_REFUSED"),
])  # fmt: skip
@pytest.mark.parametrize("tuned", [{"provisioner_unseen_seconds": 1}])
async def test_a_launch_refused_for_good(house, code, reason):
    fault(house, Kind.ERROR, "RunInstances", code=code, times=0)
    cluster = await house.create()
    failed = await house.until("FAILED")
    assert failed.status.reason == reason
    assert code in failed.status.why or "RunInstances" in failed.status.why
    assert (await house.operation(cluster.operation_id)).reason == reason
    assert house.writes().count("RunInstances") == 1
    await leaves_nothing(house)


async def test_no_address_to_be_had(house):
    fault(house, Kind.ERROR, "AllocateAddress", code="AddressLimitExceeded", times=0)
    await house.create()
    failed = await house.until("FAILED")
    assert failed.status.reason == "QUOTA_EXCEEDED"
    assert "RunInstances" not in house.writes()
    await leaves_nothing(house)


@pytest.mark.parametrize("tuned", [{"provisioner_ssh_seconds": 1}])
async def test_ssh_that_never_answers_opens_the_breaker(house):
    house.ssh = False
    await house.create()
    failed = await house.until("FAILED", seconds=30)
    assert failed.status.reason == "LAUNCH_LOOP"
    assert "SSH" in failed.status.why
    assert house.writes().count("RunInstances") == 3
    assert house.machines() == []
    await leaves_nothing(house)


@pytest.mark.parametrize("tuned", [{"provisioner_milvus_seconds": 1}])
async def test_milvus_that_never_answers(house):
    house.milvus.answer = Answer.SILENT
    await house.create()
    failed = await house.until("FAILED")
    assert failed.status.reason == "MILVUS_NOT_HEALTHY"
    await house.eventually(lambda: not house.machines())
    await leaves_nothing(house)


async def test_an_install_that_cannot_reach_its_host_is_tried_three_times(house):
    house.installer.ok, house.installer.reason = False, "UNREACHABLE"
    await house.create()
    failed = await house.until("FAILED")
    assert failed.status.reason == "UNREACHABLE"
    assert [job.key[-2:] for job in house.installer.jobs] == ["-1", "-2", "-3"]


async def test_deleting_cancels_the_install_first(house):
    house.installer.looks = 10_000
    await house.create()
    await house.until("LOADING")
    await house.delete()
    await house.until("DELETED")
    assert len(house.installer.cancelled) == 1
    assert house.left() == NOTHING


async def test_a_machine_that_dies_at_boot_is_replaced(house):
    house.ssh = False
    await house.create()
    await house.eventually(house.machines)
    house.strict.api.mark_failed(house.machines()[0]["InstanceId"])
    await house.eventually(lambda: house.writes().count("RunInstances") == 2)
    house.ssh = True
    cluster = await house.until("RUNNING")
    assert cluster.status.nodes[0].attempt == 2
    assert cluster.status.address.public_ip == house.machines()[0]["PublicIpAddress"]
    await leaves_nothing(house)


async def test_the_whitelist_is_closed_before_the_machines_end(house):
    await house.create()
    await house.until("RUNNING")
    await house.allow("10.88.9.9/32")
    before = len(house.writes())
    await house.delete()
    await house.until("DELETED")
    order = house.writes()[before:]
    assert order.index("RevokeSecurityGroupIngress") < order.index("TerminateInstances")
    assert order.index("TerminateInstances") < order.index("DeleteSecurityGroup")


async def test_groups_still_in_use_are_waited_for(house):
    await house.create()
    await house.until("RUNNING")
    fault(house, Kind.ERROR, "DeleteSecurityGroup", code="DependencyViolation", times=3)
    await house.delete()
    await house.until("DELETED")
    assert house.left() == NOTHING


async def test_what_holds_a_group_is_named_and_waited_for(house, ground):
    """F20: somebody put a machine of their own into the whitelist group."""
    await house.create()
    cluster = await house.until("RUNNING")
    group = next(g for g in cluster.status.security_groups if g.kind == "whitelist")
    somebody = house.strict.client()
    stranger = somebody.run_instances(
        ImageId=ground.image, InstanceType="t3.micro", MinCount=1, MaxCount=1,
        SubnetId=ground.subnets[0], SecurityGroupIds=[group.group_id],
    )["Instances"][0]  # fmt: skip
    await house.delete()
    (interface,) = stranger["NetworkInterfaces"]

    async def told():
        found = {c.type: c for c in (await house.get()).status.conditions}
        return found.get("GroupsDropped")

    async with asyncio.timeout(50):
        while not (condition := await told()):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert (condition.ok, condition.reason) == (False, "GROUPS_IN_USE")
    assert interface["NetworkInterfaceId"] in condition.description
    somebody.terminate_instances(InstanceIds=[stranger["InstanceId"]])
    await house.until("DELETED", seconds=40)


async def test_deleted_at_once(house):
    await house.create()
    await house.delete()
    await house.until("DELETED")
    assert house.left() == NOTHING


async def test_a_base_group_dropped_meanwhile_is_made_anew(house):
    fault(house, Kind.ERROR, "RunInstances", code="InvalidGroup.NotFound")
    await house.create()
    await house.until("RUNNING")
    assert len(house.machines()) == 1


@pytest.mark.parametrize("code", ["InvalidAMIID.NotFound", "InvalidSubnetID.NotFound"])
async def test_an_image_or_subnet_that_went_meanwhile_is_found_anew(house, code):
    """Both are found once per process, which may live for months."""
    fault(house, Kind.ERROR, "RunInstances", code=code)
    await house.create()
    await house.until("RUNNING")
    assert house.strict.api.calls.count("DescribeImages") == 2
    assert len(house.machines()) == 1


async def test_what_a_lost_process_left_under_the_tags_goes_with_the_cluster(house):
    cluster = await house.create()
    await house.until("RUNNING")
    tags = [
        {"Key": "kite:install", "Value": "test"},
        {"Key": "kite:cluster", "Value": cluster.cluster_id},
    ]
    kinds = {"address": "elastic-ip", "volume": "volume", "instance": "instance"}
    house.ec2.allocate_address(
        Domain="vpc", TagSpecifications=[{"ResourceType": kinds["address"], "Tags": tags}]
    )
    volume = house.ec2.create_volume(
        AvailabilityZone="us-east-1a",
        Size=8,
        TagSpecifications=[{"ResourceType": kinds["volume"], "Tags": tags}],
    )["VolumeId"]
    house.ec2.run_instances(
        ImageId=house.settings.provisioner_image_id,
        MinCount=1,
        MaxCount=1,
        SubnetId=house.settings.provisioner_subnets[0],
        ClientToken=token("test", cluster.cluster_id, 0, 7),
        TagSpecifications=[
            {
                "ResourceType": kinds["instance"],
                "Tags": [
                    *tags,
                    {"Key": "kite:slot", "Value": "0"},
                    {"Key": "kite:attempt", "Value": "7"},
                ],
            }
        ],
    )
    await house.delete()
    await house.until("DELETED")
    left = house.left()
    assert volume not in left["volumes"]
    # The root volume of the machine above has no tags: nothing tells that it is ours.
    assert {k: v for k, v in left.items() if k != "volumes"} == {
        k: [] for k in NOTHING if k != "volumes"
    }


def launched_like(house, ground, **more):
    """A machine of somebody's own, made with "launch more like this": all tags are copied."""
    (ours,) = house.machines()
    kinds = ("instance", "volume")
    specifications = [{"ResourceType": kind, "Tags": ours["Tags"]} for kind in kinds]
    return house.strict.client().run_instances(
        ImageId=ground.image, InstanceType="t3.micro", MinCount=1, MaxCount=1,
        SubnetId=ground.subnets[0], TagSpecifications=specifications, **more,
    )["Instances"][0]["InstanceId"]  # fmt: skip


async def test_somebodys_own_machine_with_copied_tags_outlives_the_cluster(house, ground):
    await house.create()
    await house.until("RUNNING")
    theirs = launched_like(house, ground)
    await house.delete()
    gone = await house.until("DELETED")
    assert [one["InstanceId"] for one in house.machines()] == [theirs]
    volumes = house.ec2.describe_volumes()["Volumes"]
    assert {a["InstanceId"] for v in volumes for a in v["Attachments"]} == {theirs}
    told = [one for one in await house.events() if one.type == "MachineLeftAlone"]
    assert [theirs in one.description for one in told] == [True]
    (condition,) = [one for one in gone.status.conditions if one.type == "AllMachinesProven"]
    assert (condition.ok, condition.reason) == (False, "MACHINE_NOT_PROVEN")


async def test_a_deletion_waits_for_a_copy_in_our_groups_and_says_what_to_do(house, ground):
    await house.create()
    cluster = await house.until("RUNNING")
    groups = [one.group_id for one in cluster.status.security_groups]
    theirs = launched_like(house, ground, SecurityGroupIds=groups)
    operation = await house.delete()

    async def told():
        steps = (await house.operation(operation.operation_id)).steps
        return next((one.description for one in steps if theirs in one.description), "")

    async with asyncio.timeout(50):
        while "GROUPS_IN_USE" not in {c.reason for c in (await house.get()).status.conditions}:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert "take it out, or end it" in await told()
    assert [one["InstanceId"] for one in house.machines()] == [theirs]
    house.strict.client().terminate_instances(InstanceIds=[theirs])
    await house.until("DELETED", seconds=40)
    assert house.left() == NOTHING
