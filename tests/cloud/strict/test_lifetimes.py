import pytest

from localcloud.strict.knobs import Knobs
from tests.cloud.strict.proof import launch, needs, refused, seen


@pytest.fixture
def slow(strict_ec2):
    strict_ec2.api.knobs = Knobs(pending_seconds=30, stopping_seconds=20, shutting_down_seconds=10)
    return strict_ec2


@pytest.fixture
def held(strict_ec2):
    strict_ec2.api.hold_pending = True
    return strict_ec2


def state(ec2, instance_id):
    return seen(ec2, instance_id)["State"]["Name"]


def test_an_instance_is_pending_for_its_time(slow):
    ec2 = slow.client()
    made = launch(ec2)["InstanceId"]
    assert state(ec2, made) == "pending"
    slow.clock.advance(29)
    assert state(ec2, made) == "pending"
    slow.clock.advance(1)
    assert state(ec2, made) == "running"


def test_stop_and_start_take_their_time(slow):
    ec2 = slow.client()
    made = launch(ec2)["InstanceId"]
    slow.clock.advance(30)
    ec2.stop_instances(InstanceIds=[made])
    assert state(ec2, made) == "stopping"
    with refused("IncorrectInstanceState"):
        ec2.start_instances(InstanceIds=[made])
    slow.clock.advance(20)
    assert state(ec2, made) == "stopped"
    ec2.start_instances(InstanceIds=[made])
    assert state(ec2, made) == "pending"


def test_an_ending_instance_shuts_down_first_and_holds_its_group(slow):
    ec2 = slow.client()
    vpc_id = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    group = ec2.create_security_group(GroupName="g", Description="d", VpcId=vpc_id)["GroupId"]
    made = launch(ec2, SecurityGroupIds=[group])["InstanceId"]
    ec2.terminate_instances(InstanceIds=[made])
    assert state(ec2, made) == "shutting-down"
    with refused("DependencyViolation"):
        ec2.delete_security_group(GroupId=group)
    slow.clock.advance(10)
    assert state(ec2, made) == "terminated"
    ec2.delete_security_group(GroupId=group)


def test_a_held_instance_stays_pending_until_it_is_reachable(held):
    ec2 = held.client()
    made = launch(ec2)["InstanceId"]
    held.clock.advance(86400)
    assert state(ec2, made) == "pending"
    assert state(held.plain(), made) == "pending"
    held.api.mark_reachable(made)
    assert state(ec2, made) == "running"


def test_a_held_instance_that_failed_is_terminated_with_the_reason(held):
    ec2 = held.client()
    made = launch(ec2)["InstanceId"]
    held.api.mark_failed(made, "Client.InternalError")
    now = seen(ec2, made)
    assert now["State"]["Name"] == "terminated"
    assert now["StateReason"]["Code"] == "Client.InternalError"
    held.api.mark_reachable(made)
    assert state(ec2, made) == "terminated"


def test_a_started_instance_is_held_too(held):
    ec2 = held.client()
    made = launch(ec2)["InstanceId"]
    held.api.mark_reachable(made)
    ec2.stop_instances(InstanceIds=[made])
    ec2.start_instances(InstanceIds=[made])
    assert state(ec2, made) == "pending"


def test_a_held_stop_lasts_until_somebody_says_so(strict_ec2):
    ec2 = strict_ec2.client()
    made = launch(ec2)["InstanceId"]
    strict_ec2.api.mark_stopped(made)
    assert state(ec2, made) == "running"
    strict_ec2.api.hold_stopping = True
    ec2.stop_instances(InstanceIds=[made])
    strict_ec2.clock.advance(86400)
    assert state(ec2, made) == "stopping"
    with refused("IncorrectInstanceState"):
        ec2.start_instances(InstanceIds=[made])
    strict_ec2.api.mark_stopped(made)
    assert state(ec2, made) == "stopped"
    ec2.start_instances(InstanceIds=[made])
    assert state(ec2, made) == "running"


@needs("instance-lifetimes")
def test_a_terminated_instance_is_seen_for_an_hour_then_gone_with_its_tags(strict_ec2):
    ec2 = strict_ec2.client()
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "k", "Value": "v"}]}]
    made = launch(ec2, TagSpecifications=tags)["InstanceId"]
    ec2.terminate_instances(InstanceIds=[made])
    strict_ec2.clock.advance(3599)
    assert state(ec2, made) == "terminated"
    strict_ec2.clock.advance(1)
    with refused("InvalidInstanceID.NotFound"):
        seen(ec2, made)
    assert ec2.describe_tags()["Tags"] == []


def test_terminating_twice_changes_nothing(strict_ec2):
    ec2 = strict_ec2.client()
    made = launch(ec2)["InstanceId"]
    ec2.terminate_instances(InstanceIds=[made])
    again = ec2.terminate_instances(InstanceIds=[made])["TerminatingInstances"][0]
    assert again["PreviousState"]["Name"] == "terminated"


def test_starting_a_running_instance_keeps_its_address(strict_ec2):
    ec2 = strict_ec2.client()
    made = launch(ec2)
    ec2.start_instances(InstanceIds=[made["InstanceId"]])
    assert seen(ec2, made["InstanceId"])["PublicIpAddress"] == made["PublicIpAddress"]


@needs("terminated-is-bare")
def test_a_terminated_instance_shows_no_addresses(strict_ec2):
    ec2 = strict_ec2.client()
    made = launch(ec2)["InstanceId"]
    ec2.terminate_instances(InstanceIds=[made])
    now = seen(ec2, made)
    assert not {"PrivateIpAddress", "PublicIpAddress", "SubnetId", "VpcId"} & set(now)
    assert now["NetworkInterfaces"] == now["SecurityGroups"] == []
