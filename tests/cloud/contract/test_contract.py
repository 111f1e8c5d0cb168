"""The main path on both clouds: the same calls, the same answers, the same refusals."""

from __future__ import annotations

import json
import re

import pytest

from localcloud.strict.faults import Fault, Kind
from localcloud.strict.knobs import Knobs
from tests.cloud.strict.proof import IMAGE, group, network, refused, seen, tcp

TAGS = [{"Key": "kite:install", "Value": "test"}, {"Key": "kite:cluster", "Value": "c1"}]
BY_TAG = [{"Name": "tag:kite:cluster", "Values": ["c1"]}]
KINDS = ("instance", "volume", "network-interface")
_ID = re.compile(r"\b(i|vol|eni|sg|sgr|subnet|vpc|eipalloc|eipassoc)-[0-9a-f]{8,17}\b")
READ = {
    "instance": (
        *("InstanceId", "State", "ClientToken", "StateReason", "PublicIpAddress", "Tags"),
        *("PrivateIpAddress", "SubnetId", "VpcId", "PublicDnsName", "SecurityGroups", "ImageId"),
        *("InstanceType", "RootDeviceName", "MetadataOptions"),
    ),
    "volume": ("VolumeId", "State", "Size", "VolumeType", "Encrypted", "Tags"),
    "address": (
        *("AllocationId", "PublicIp", "AssociationId", "InstanceId", "Domain", "Tags"),
        *("NetworkInterfaceId", "PrivateIpAddress"),
    ),
    "group": ("GroupId", "GroupName", "Description", "VpcId", "IpPermissions", "Tags"),
    "rule": (
        *("SecurityGroupRuleId", "GroupId", "IsEgress", "IpProtocol", "FromPort", "ToPort"),
        *("CidrIpv4", "CidrIpv6", "Description", "ReferencedGroupInfo"),
    ),
    "interface": ("NetworkInterfaceId", "Attachment.InstanceId", "Groups", "TagSet"),
    "change": ("InstanceId", "CurrentState", "PreviousState"),
}
"""What Kite reads of each thing."""


def ground(ec2):
    """A network with a way out, as Kite wants one."""
    vpc_id, subnet_id = network(ec2)
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc_id)
    return vpc_id, subnet_id


def disk(device, size, **ebs):
    ends = {"DeleteOnTermination": True, "VolumeType": "gp3", "Encrypted": True, **ebs}
    return {"DeviceName": device, "Ebs": {"VolumeSize": size, **ends}}


def machine(ec2, subnet_id, *groups, token="t", **more):
    """A launch in Kite's form."""
    nic = {
        "DeviceIndex": 0,
        "SubnetId": subnet_id,
        "Groups": list(groups),
        "AssociatePublicIpAddress": True,
        "DeleteOnTermination": True,
    }
    asked = {
        "ImageId": IMAGE,
        "InstanceType": "m5.large",
        "MinCount": 1,
        "MaxCount": 1,
        "ClientToken": token,
        "NetworkInterfaces": [nic],
        "UserData": "#cloud-config",
        "BlockDeviceMappings": [disk("/dev/sda1", 20), disk("/dev/sdf", 50)],
        "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
        "TagSpecifications": [{"ResourceType": kind, "Tags": TAGS} for kind in KINDS],
    }
    return ec2.run_instances(**{**asked, **more})["Instances"][0]


def read(kind, thing):
    """The fields of a thing that Kite reads; an empty one, or a port -1, is the same as none."""
    found = {}
    for name in READ[kind]:
        value = thing
        for part in name.split("."):
            value = (value or {}).get(part)
        found[name] = value
    return _without_nothing(found)


def _without_nothing(value):
    if isinstance(value, dict):
        clean = {k: _without_nothing(v) for k, v in value.items()}
        return {k: v for k, v in clean.items() if v not in (None, "", [], {}, -1)}
    if isinstance(value, list):
        return sorted((_without_nothing(v) for v in value), key=str)
    return value


def ruled_group(ec2, vpc_id):
    """A group with a rule of each kind; its id and what EC2 told of the rules."""
    spec = [{"ResourceType": "security-group", "Tags": TAGS}]
    made = ec2.create_security_group(
        GroupName="kite-c1", Description="Kite", VpcId=vpc_id, TagSpecifications=spec
    )["GroupId"]
    v6 = {**tcp(19530), "Ipv6Ranges": [{"CidrIpv6": "2001:db8::/48", "Description": "kite:2"}]}
    v4 = {**tcp(19530), "IpRanges": [{"CidrIp": "203.0.113.7/32", "Description": "kite:1"}]}
    peers = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": made}]}
    return made, ec2.authorize_security_group_ingress(GroupId=made, IpPermissions=[v4, v6, peers])


def whole_life(cloud):
    """From a network to nothing, with everything read after each step."""
    cloud.api.knobs = Knobs(pending_seconds=30, shutting_down_seconds=20, address_quota=9)
    ec2, told = cloud.client(), []

    def tell(kind, *things):
        told.extend((kind, read(kind, thing)) for thing in things)

    def look():
        found = ec2.describe_instances(Filters=BY_TAG)["Reservations"]
        tell("instance", *(i for r in found for i in r["Instances"]))
        tell("volume", *ec2.describe_volumes(Filters=BY_TAG)["Volumes"])
        tell("address", *ec2.describe_addresses(Filters=BY_TAG)["Addresses"])
        groups = ec2.describe_security_groups(Filters=BY_TAG)["SecurityGroups"]
        tell("group", *groups)
        for one in groups:
            here = [{"Name": "group-id", "Values": [one["GroupId"]]}]
            tell("rule", *ec2.describe_security_group_rules(Filters=here)["SecurityGroupRules"])
            tell("interface", *ec2.describe_network_interfaces(Filters=here)["NetworkInterfaces"])

    vpc_id, subnet_id = ground(ec2)
    made, added = ruled_group(ec2, vpc_id)
    tell("rule", *added["SecurityGroupRules"])
    spec = [{"ResourceType": "elastic-ip", "Tags": TAGS}]
    address = ec2.allocate_address(Domain="vpc", TagSpecifications=spec)
    tell("address", address)
    first = machine(ec2, subnet_id, made)
    tell("instance", first)
    look()
    cloud.clock.advance(30)
    look()
    ec2.associate_address(
        AllocationId=address["AllocationId"],
        InstanceId=first["InstanceId"],
        AllowReassociation=True,
    )
    look()
    tell("instance", machine(ec2, subnet_id, made))
    rule = added["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    ec2.revoke_security_group_ingress(GroupId=made, SecurityGroupRuleIds=[rule])
    look()
    with refused("DependencyViolation"):
        ec2.delete_security_group(GroupId=made)
    with refused("InvalidIPAddress.InUse"):
        ec2.release_address(AllocationId=address["AllocationId"])
    gone = ec2.terminate_instances(InstanceIds=[first["InstanceId"]])
    tell("change", *gone["TerminatingInstances"])
    with refused("DependencyViolation"):
        ec2.delete_security_group(GroupId=made)
    cloud.clock.advance(20)
    look()
    ec2.release_address(AllocationId=address["AllocationId"])
    ec2.delete_security_group(GroupId=made)
    look()
    return told


def nameless(told):
    """Ids by the order in which they come, so that two clouds can be compared."""
    names = {}

    def name(found):
        kind = found[1]
        return names.setdefault(found[0], f"{kind}#{len(names)}")

    return json.loads(_ID.sub(name, json.dumps(told, sort_keys=True)))


def test_a_whole_life_reads_the_same_on_both(moto_ec2, fake_ec2):
    strict = nameless(whole_life(moto_ec2))
    fake = nameless(whole_life(fake_ec2))
    assert len(strict) > 30
    for then, now in zip(strict, fake, strict=True):
        assert then == now
    assert moto_ec2.api.calls.by_code() == fake_ec2.api.calls.by_code()


def test_a_launch_keeps_what_it_was_told(cloud):
    ec2 = cloud.client()
    vpc_id, subnet_id = ground(ec2)
    wanted = {i: group(ec2, vpc_id, f"kite-{i}") for i in "ab"}
    made = seen(ec2, machine(ec2, subnet_id, *wanted.values())["InstanceId"])
    assert made["MetadataOptions"]["HttpTokens"] == "required"
    assert made["MetadataOptions"]["HttpPutResponseHopLimit"] == 1
    assert {g["GroupId"] for g in made["SecurityGroups"]} == set(wanted.values())
    assert made["RootDeviceName"] == "/dev/sda1"
    ebs = {b["DeviceName"]: b["Ebs"] for b in made["BlockDeviceMappings"]}
    assert {d: e["DeleteOnTermination"] for d, e in ebs.items()} == {
        "/dev/sda1": True,
        "/dev/sdf": True,
    }
    found = ec2.describe_volumes(VolumeIds=[e["VolumeId"] for e in ebs.values()])["Volumes"]
    assert sorted((v["Size"], v["VolumeType"], v["Encrypted"]) for v in found) == [
        (20, "gp3", True),
        (50, "gp3", True),
    ]


def test_one_unknown_id_refuses_all_and_is_named(cloud):
    ec2 = cloud.client()
    _, subnet_id = ground(ec2)
    made = machine(ec2, subnet_id)["InstanceId"]
    unknown = ["i-00000000000000001", "i-00000000000000002"]
    with refused("InvalidInstanceID.NotFound", unknown[0]):
        ec2.describe_instances(InstanceIds=[made, unknown[0]])
    with refused("InvalidInstanceID.NotFound", ", ".join(unknown)):
        ec2.describe_instances(InstanceIds=[unknown[0], made, unknown[1]])
    with refused("InvalidInstanceID.NotFound"):
        ec2.terminate_instances(InstanceIds=[made, unknown[0]])
    assert seen(ec2, made)["State"]["Name"] == "running"


def test_values_of_a_filter_are_alternatives_with_wildcards_and_filters_all_hold(cloud):
    ec2 = cloud.client()
    _, subnet_id = ground(ec2)
    ids = {}
    for user in ("bob", "bab", "eve"):
        spec = [{"ResourceType": "instance", "Tags": [{"Key": "user", "Value": user}]}]
        made = machine(ec2, subnet_id, token=user, TagSpecifications=spec)
        ids[made["InstanceId"]] = user
    ec2.stop_instances(InstanceIds=[next(iter(ids))])

    def users(*filters):
        asked = [{"Name": name, "Values": values} for name, *values in filters]
        found = ec2.describe_instances(Filters=asked)["Reservations"]
        return {ids[i["InstanceId"]] for r in found for i in r["Instances"]}

    assert users(("tag:user", "bob", "eve")) == {"bob", "eve"}
    assert users(("tag:user", "*")) == {"bob", "bab", "eve"}
    assert users(("tag:user", "b?b")) == {"bob", "bab"}
    assert users(("tag-key", "user")) == {"bob", "bab", "eve"}
    assert users(("tag:user", "b?b"), ("instance-state-name", "running")) == {"bab"}
    assert users(("client-token", "eve")) == {"eve"}
    assert users(("instance-id", *list(ids)[1:])) == {"bab", "eve"}
    assert users(("tag:user", "nobody")) == set()


def test_a_kept_volume_is_deleted_once_it_is_free(cloud):
    ec2 = cloud.client()
    _, subnet_id = ground(ec2)
    disks = [disk("/dev/sda1", 20), disk("/dev/sdf", 50, DeleteOnTermination=False)]
    made = machine(ec2, subnet_id, BlockDeviceMappings=disks)["InstanceId"]
    here = [{"Name": "attachment.instance-id", "Values": [made]}]
    held = {v["Size"]: v["VolumeId"] for v in ec2.describe_volumes(Filters=here)["Volumes"]}
    with refused("VolumeInUse"):
        ec2.delete_volume(VolumeId=held[50])
    ec2.terminate_instances(InstanceIds=[made])
    (left,) = ec2.describe_volumes(Filters=BY_TAG)["Volumes"]
    assert (left["VolumeId"], left["State"]) == (held[50], "available")
    ec2.delete_volume(VolumeId=held[50])
    with refused("InvalidVolume.NotFound"):
        ec2.delete_volume(VolumeId=held[50])
    assert ec2.describe_volumes()["Volumes"] == []


def test_a_dry_run_does_nothing(cloud):
    ec2 = cloud.client()
    vpc_id, subnet_id = ground(ec2)
    made = machine(ec2, subnet_id)["InstanceId"]
    for attempt in (
        lambda: machine(ec2, subnet_id, token="dry", DryRun=True),
        lambda: ec2.terminate_instances(InstanceIds=[made], DryRun=True),
        lambda: ec2.allocate_address(DryRun=True),
        lambda: ec2.create_security_group(
            GroupName="g", Description="d", VpcId=vpc_id, DryRun=True
        ),
    ):
        with refused("DryRunOperation"):
            attempt()
    assert seen(ec2, made)["State"]["Name"] == "running"
    assert len(ec2.describe_instances()["Reservations"]) == 1
    assert ec2.describe_addresses()["Addresses"] == []


def test_a_page_is_of_whole_reservations(cloud):
    ec2 = cloud.client()
    _, subnet_id = ground(ec2)
    for at in range(6):
        machine(ec2, subnet_id, token=f"t{at}", MinCount=2, MaxCount=2)
    pages = ec2.get_paginator("describe_instances").paginate(
        Filters=BY_TAG, PaginationConfig={"PageSize": 5}
    )
    assert [[len(r["Instances"]) for r in page["Reservations"]] for page in pages] == [
        [2] * 5,
        [2],
    ]
    ids = [i["InstanceId"] for i in machines(ec2)]
    with refused("InvalidParameterCombination"):
        ec2.describe_instances(InstanceIds=ids, MaxResults=5)
    volumes = [one["VolumeId"] for one in ec2.describe_volumes()["Volumes"]]
    with refused("InvalidParameterCombination", "volumeSet"):
        ec2.describe_volumes(VolumeIds=volumes, MaxResults=5)
    assert len(ec2.describe_instances(InstanceIds=ids)["Reservations"]) == 6


def machines(ec2):
    return [i for r in ec2.describe_instances()["Reservations"] for i in r["Instances"]]


def test_a_stopped_machine_comes_back_with_another_address(cloud):
    ec2 = cloud.client()
    _, subnet_id = ground(ec2)
    made = machine(ec2, subnet_id)
    ec2.stop_instances(InstanceIds=[made["InstanceId"]])
    down = seen(ec2, made["InstanceId"])
    assert (down["State"]["Name"], down.get("PublicIpAddress")) == ("stopped", None)
    ec2.start_instances(InstanceIds=[made["InstanceId"]])
    up = seen(ec2, made["InstanceId"])
    assert up["PublicIpAddress"] != made["PublicIpAddress"]
    assert up["PrivateIpAddress"] == made["PrivateIpAddress"]


@pytest.mark.parametrize("kind", [Kind.LOST_REPLY, Kind.RESET, Kind.THROTTLE])
def test_a_launch_goes_wrong_once_and_is_made_once(cloud, kind):
    patient = cloud.client(retries={"total_max_attempts": 2, "mode": "standard"})
    _, subnet_id = ground(patient)
    cloud.api.faults.add(Fault(kind, action="RunInstances"))
    machine(patient, subnet_id)
    assert len(machines(patient)) == 1
    assert cloud.api.calls.count("RunInstances") == 2


def test_an_instance_that_never_comes_up_says_why(cloud):
    ec2 = cloud.client()
    _, subnet_id = ground(ec2)
    cloud.api.hold_pending = True
    made = machine(ec2, subnet_id)["InstanceId"]
    cloud.clock.advance(600)
    assert seen(ec2, made)["State"]["Name"] == "pending"
    cloud.api.mark_failed(made, "Server.InternalError")
    ended = seen(ec2, made)
    assert ended["State"]["Name"] == "terminated"
    assert ended["StateReason"]["Code"] == "Server.InternalError"
    assert ec2.describe_volumes()["Volumes"] == []


def test_what_is_not_simulated_is_refused(cloud):
    with refused("UnsupportedOperation"):
        cloud.client().get_spot_placement_scores(TargetCapacity=1)
