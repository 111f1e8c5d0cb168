"""Eventual consistency by the clock: F13 to F15 and F17 of the fault catalogue."""

from localcloud.strict.knobs import Knobs
from tests.cloud.strict.proof import group, launch, needs, network, refused, seen, tcp

TAGS = [{"Key": "kite:cluster", "Value": "c1"}]
BY_TAG = [{"Name": "tag:kite:cluster", "Values": ["c1"]}]


def tagged(ec2, **params):
    spec = [{"ResourceType": kind, "Tags": TAGS} for kind in ("instance", "volume")]
    return launch(ec2, TagSpecifications=spec, **params)["InstanceId"]


def found(ec2, **params):
    answer = ec2.describe_instances(**params)["Reservations"]
    return [i["InstanceId"] for r in answer for i in r["Instances"]]


@needs("visibility-delay")
def test_a_fresh_instance_is_not_found_for_a_while_but_its_token_finds_it(strict_ec2):
    strict_ec2.api.knobs = Knobs(visible_after_seconds=3)
    ec2 = strict_ec2.client()
    made = tagged(ec2, ClientToken="t")
    for _ in range(5):
        with refused("InvalidInstanceID.NotFound"):
            seen(ec2, made)
    assert found(ec2) == []
    assert tagged(ec2, ClientToken="t") == made
    with refused("InvalidInstanceID.NotFound"):
        ec2.terminate_instances(InstanceIds=[made])
    strict_ec2.clock.advance(3)
    assert seen(ec2, made)["InstanceId"] == made
    assert found(ec2) == [made]


@needs("visibility-delay")
def test_or_it_is_an_empty_list(strict_ec2):
    strict_ec2.api.knobs = Knobs(visible_after_seconds=3, visible_empty=True)
    ec2 = strict_ec2.client()
    made = tagged(ec2)
    assert found(ec2, InstanceIds=[made]) == []
    strict_ec2.clock.advance(3)
    assert found(ec2, InstanceIds=[made]) == [made]


@needs("visibility-delay")
def test_each_id_has_its_own_time(strict_ec2):
    strict_ec2.api.knobs = Knobs(visible_after_seconds=3)
    ec2 = strict_ec2.client()
    first = tagged(ec2)
    strict_ec2.clock.advance(2)
    second = tagged(ec2)
    strict_ec2.clock.advance(2)
    assert found(ec2) == [first]
    strict_ec2.clock.advance(2)
    assert found(ec2) == [first, second]


@needs("visibility-delay")
def test_a_fresh_group_cannot_be_used_yet(strict_ec2):
    ec2 = strict_ec2.client()
    vpc_id, subnet_id = network(ec2)
    strict_ec2.api.knobs = Knobs(visible_after_seconds=3)
    made = group(ec2, vpc_id)
    with refused("InvalidGroup.NotFound"):
        ec2.authorize_security_group_ingress(GroupId=made, IpPermissions=[tcp(1, "10.0.0.0/8")])
    with refused("InvalidGroup.NotFound"):
        launch(ec2, SubnetId=subnet_id, SecurityGroupIds=[made])
    strict_ec2.clock.advance(3)
    ec2.authorize_security_group_ingress(GroupId=made, IpPermissions=[tcp(1, "10.0.0.0/8")])


@needs("tag-lag")
def test_lookups_by_tag_lag_behind_those_by_id_and_token(strict_ec2):
    strict_ec2.api.knobs = Knobs(tags_after_seconds=10)
    ec2 = strict_ec2.client()
    made = tagged(ec2, ClientToken="t")
    assert found(ec2, InstanceIds=[made]) == [made]
    assert found(ec2, Filters=[{"Name": "client-token", "Values": ["t"]}]) == [made]
    assert found(ec2, Filters=BY_TAG) == []
    assert ec2.describe_volumes(Filters=BY_TAG)["Volumes"] == []
    assert ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [made]}])["Tags"] == []
    strict_ec2.clock.advance(10)
    assert found(ec2, Filters=BY_TAG) == [made]
    assert len(ec2.describe_volumes(Filters=BY_TAG)["Volumes"]) == 1
    assert len(ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [made]}])["Tags"]) == 1


def test_what_is_hidden_keeps_its_tags(strict_ec2):
    strict_ec2.api.knobs = Knobs(visible_after_seconds=3)
    ec2 = strict_ec2.client()
    made = tagged(ec2)
    ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [made]}])
    strict_ec2.clock.advance(3)
    assert seen(ec2, made)["Tags"] == TAGS
