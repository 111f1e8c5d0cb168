"""What is sent to EC2 and what is read from it, against the strict endpoint."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from kite.errors import CloudRefused, KiteError, LeaseLost, Unavailable
from localcloud.strict.faults import Fault, Kind
from localcloud.strict.knobs import Knobs
from provisioner import guard
from provisioner.ec2.act import Hands
from provisioner.ec2.see import Finder
from provisioner.plan import Launch
from provisioner.record import Intent, Record, Role, Spec
from provisioner.tokens import token
from provisioner.user_data import user_data_hash
from tests.cloud.provisioner.house import SECRET

CLUSTER = "caaaaaaaaaaaaaaaa"
RECORD = Record(CLUSTER, "alice", "cats", Spec())
TOKEN = token("test", CLUSTER, 0, 1)


@pytest.fixture
def hands(ec2):
    return Hands(ec2, install="test", secret=SECRET)


@pytest.fixture
def launch(strict_ec2, ground):
    plain = strict_ec2.plain()
    group = plain.create_security_group(GroupName="kite-x", Description="x", VpcId=ground.vpc)
    intent = Intent(
        client_token=TOKEN,
        image_id=ground.image,
        instance_type="m5.large",
        subnet_id=ground.subnets[0],
        security_group_ids=(group["GroupId"],),
        key_pair="kite-test",
        root_gib=20,
        data_gib=50,
        public_address=False,
        user_data_hash=user_data_hash(SECRET, "test", TOKEN),
        decided_at_ms=0,
    )
    return Launch(0, 1, Role.MASTER, intent)


async def test_no_call_is_sent_that_its_guard_holds_back(strict_ec2, ec2, hands, launch):
    """Asked in the thread that sends, after every wait on the way."""
    asked = []

    def over():
        asked.append(threading.current_thread())
        raise LeaseLost("over")

    with guard.guarded(over), pytest.raises(LeaseLost):
        await hands.launch(RECORD, launch)
    assert [one.name.startswith("ec2") for one in asked] == [True]
    assert machines(strict_ec2) == []
    await hands.launch(RECORD, launch)
    assert len(machines(strict_ec2)) == 1


def machines(strict):
    found = strict.plain().describe_instances()["Reservations"]
    return [i for r in found for i in r["Instances"]]


def tags_of(thing):
    return {t["Key"]: t["Value"] for t in thing.get("Tags", thing.get("TagSet", []))}


# launching --------------------------------------------------------------------------------------


async def test_one_call_brings_machine_disks_interface_and_all_tags(strict_ec2, hands, launch):
    made = await hands.launch(RECORD, launch)
    assert strict_ec2.api.calls.writing == 1
    (machine,) = machines(strict_ec2)
    assert machine["InstanceId"] == made.instance.instance_id
    assert (made.instance.token, made.instance.slot, made.instance.attempt) == (TOKEN, 0, 1)
    wanted = {
        "username": "alice",
        "milvus-name": "cats",
        "miluse-username": "alice",
        "node-type": "master",
        "kite:install": "test",
        "kite:cluster": CLUSTER,
        "kite:slot": "0",
        "kite:attempt": "1",
    }
    plain = strict_ec2.plain()
    volumes = plain.describe_volumes()["Volumes"]
    interfaces = plain.describe_network_interfaces()["NetworkInterfaces"]
    for thing in (machine, *volumes, *interfaces):
        assert wanted.items() <= tags_of(thing).items()
    assert sorted(v["Size"] for v in volumes) == [20, 50]
    assert all(v["VolumeType"] == "gp3" and v["Encrypted"] for v in volumes)
    disks = machine["BlockDeviceMappings"]
    assert all(d["Ebs"]["DeleteOnTermination"] for d in disks)
    assert {d["DeviceName"] for d in disks} == {"/dev/sda1", "/dev/sdf"}
    metadata = machine["MetadataOptions"]
    assert (metadata["HttpTokens"], metadata["HttpPutResponseHopLimit"]) == ("required", 1)
    assert [g["GroupId"] for g in interfaces[0]["Groups"]] == list(launch.intent.security_group_ids)
    assert "KeyName" not in machine
    assert "PublicIpAddress" not in machine


async def test_the_same_launch_twice_is_one_machine(strict_ec2, hands, launch):
    first = await hands.launch(RECORD, launch)
    second = await hands.launch(RECORD, launch)
    assert first.instance.instance_id == second.instance.instance_id
    assert len(machines(strict_ec2)) == 1


async def test_without_tokens_it_would_be_two(strict_ec2, hands, launch):
    with strict_ec2.api.chain.without("client-token"):
        await hands.launch(RECORD, launch)
        await hands.launch(RECORD, launch)
    assert len(machines(strict_ec2)) == 2


async def test_a_lost_reply_is_silence_and_the_next_try_finds_the_machine(
    strict_ec2, hands, launch
):
    strict_ec2.api.faults.add(Fault(Kind.LOST_REPLY, action="RunInstances"))
    with pytest.raises(Unavailable):
        await hands.launch(RECORD, launch)
    assert strict_ec2.api.calls.count("RunInstances") == 1  # nobody retried behind our back
    again = await hands.launch(RECORD, launch)
    assert [m["InstanceId"] for m in machines(strict_ec2)] == [again.instance.instance_id]


async def test_other_parameters_under_the_same_token_are_refused(strict_ec2, hands, launch):
    await hands.launch(RECORD, launch)
    other = replace(launch, intent=replace(launch.intent, instance_type="m5.xlarge"))
    with pytest.raises(CloudRefused) as refused:
        await hands.launch(RECORD, other)
    assert refused.value.reason == "LAUNCH_PARAMETERS_CHANGED"
    assert len(machines(strict_ec2)) == 1


async def test_user_data_that_has_changed_never_reaches_ec2(strict_ec2, ec2, launch):
    other = Hands(ec2, install="test", secret="another-secret-1")
    with pytest.raises(CloudRefused) as refused:
        await other.launch(RECORD, launch)
    assert refused.value.reason == "USER_DATA_CHANGED"
    assert strict_ec2.api.calls.writing == 0


async def test_a_token_of_an_ended_machine_is_told_as_such(strict_ec2, hands, launch):
    made = await hands.launch(RECORD, launch)
    strict_ec2.plain().terminate_instances(InstanceIds=[made.instance.instance_id])
    with pytest.raises(CloudRefused) as refused:
        await hands.launch(RECORD, launch)
    assert refused.value.context["aws-code"] == "IdempotentInstanceTerminated"


# seeing -----------------------------------------------------------------------------------------


async def test_a_machine_is_found_by_its_token_and_its_tags(strict_ec2, ec2, hands, launch):
    made = (await hands.launch(RECORD, launch)).instance.instance_id
    finder = Finder(ec2, "test")
    found = await finder.by_token(CLUSTER, TOKEN)
    assert (found.instance_id, found.token) == (made, TOKEN)
    assert await finder.by_token(CLUSTER, "other") is None
    assert [i.instance_id for i in await finder.by_cluster(CLUSTER)] == [made]
    assert await Finder(ec2, "stranger").by_cluster(CLUSTER) == []
    free, busy = await finder.volumes(CLUSTER)
    assert (free, len(busy)) == ((), 2)


async def test_a_machine_whose_tags_come_late_is_found_by_its_token(strict_ec2, ec2, hands, launch):
    strict_ec2.api.knobs = Knobs(tags_after_seconds=60)
    made = (await hands.launch(RECORD, launch)).instance.instance_id
    finder = Finder(ec2, "test")
    assert await finder.by_cluster(CLUSTER) == []
    assert (await finder.by_token(CLUSTER, TOKEN)).instance_id == made
    strict_ec2.clock.advance(61)
    assert [i.instance_id for i in await finder.by_cluster(CLUSTER)] == [made]


# addresses and keys -----------------------------------------------------------------------------


async def test_an_address_is_tagged_in_its_call_and_found_again(strict_ec2, ec2, hands):
    made = (await hands.allocate(CLUSTER)).address
    (address,) = strict_ec2.plain().describe_addresses()["Addresses"]
    assert tags_of(address) == {
        "kite:install": "test",
        "kite:cluster": CLUSTER,
        "kite:kind": "address",
    }
    assert await Finder(ec2, "test").addresses(CLUSTER) == [made]
    assert await Finder(ec2, "stranger").addresses(CLUSTER) == []
    await hands.release((made.allocation_id,))
    await hands.release((made.allocation_id,))
    assert strict_ec2.plain().describe_addresses()["Addresses"] == []


async def test_a_lost_allocation_is_not_repeated_blindly(strict_ec2, ec2, hands):
    strict_ec2.api.faults.add(Fault(Kind.LOST_REPLY, action="AllocateAddress"))
    with pytest.raises(Unavailable):
        await hands.allocate(CLUSTER)
    assert len(await Finder(ec2, "test").addresses(CLUSTER)) == 1


async def test_an_address_follows_a_running_machine(strict_ec2, hands, launch):
    made = (await hands.launch(RECORD, launch)).instance
    address = (await hands.allocate(CLUSTER)).address
    first = await hands.associate(address.allocation_id, made.instance_id)
    again = await hands.associate(address.allocation_id, made.instance_id)
    assert first.association_id.startswith("eipassoc-")
    assert again.association_id.startswith("eipassoc-")
    assert machines(strict_ec2)[0]["PublicIpAddress"] == address.public_ip


async def test_ending_twice_and_ending_what_is_not_there(strict_ec2, hands, launch):
    made = (await hands.launch(RECORD, launch)).instance.instance_id
    await hands.terminate(("i-0123456789abcdef0", made))
    await hands.terminate((made,))
    await hands.terminate(("i-0123456789abcdef0",))
    assert machines(strict_ec2)[0]["State"]["Name"] in {"shutting-down", "terminated"}


async def test_volumes_left_behind_can_be_deleted(strict_ec2, ec2, hands):
    made = strict_ec2.plain().create_volume(
        AvailabilityZone="us-east-1a",
        Size=8,
        TagSpecifications=[
            {
                "ResourceType": "volume",
                "Tags": [
                    {"Key": "kite:install", "Value": "test"},
                    {"Key": "kite:cluster", "Value": CLUSTER},
                ],
            }
        ],
    )["VolumeId"]
    assert await Finder(ec2, "test").volumes(CLUSTER) == ((made,), ())
    await hands.delete_volumes((made,))
    await hands.delete_volumes((made,))
    assert await Finder(ec2, "test").volumes(CLUSTER) == ((), ())


@pytest.mark.parametrize("act", [
    lambda hands: hands.terminate(("i-1",)),
    lambda hands: hands.release(("eipalloc-1",)),
])  # fmt: skip
async def test_refusals_keep_their_meaning(strict_ec2, hands, act):
    strict_ec2.api.faults.add(Fault(Kind.ERROR, code="UnauthorizedOperation", times=0))
    with pytest.raises(KiteError) as refused:
        await act(hands)
    assert refused.value.reason == "CLOUD_PERMISSION"
