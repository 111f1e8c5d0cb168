import base64

import pytest

from localcloud.strict.call import Call, Params
from localcloud.strict.facts import Group, Volume
from localcloud.strict.rules.addresses import associate_verdict, private_name, public_name
from localcloud.strict.rules.groups import in_use_verdict
from localcloud.strict.rules.ids import id_verdict
from localcloud.strict.rules.interfaces import launch_shape_verdict
from localcloud.strict.rules.launches import count_verdict, type_verdict, user_data_verdict
from localcloud.strict.rules.naming import description_verdict, group_verdict, key_name_verdict
from localcloud.strict.rules.paging import page_verdict
from localcloud.strict.rules.permissions import Peer, permission
from localcloud.strict.rules.states import (
    modify_verdict,
    reboot_verdict,
    start_verdict,
    stop_verdict,
)
from localcloud.strict.rules.tags import specs_verdict, tags_verdict
from localcloud.strict.rules.tokens import print_of, repeat_verdict, token_verdict
from localcloud.strict.rules.volumes import (
    attach_verdict,
    detach_verdict,
    disks,
    grow_verdict,
    size_verdict,
)

VALID = "a-Z 09 ._-:/()#,@[]+=&;{}!$*"


def code(refusal):
    return refusal.code if refusal else ""


@pytest.mark.parametrize(
    ("name", "description", "wanted"),
    [
        ("kite-base", "d", ""),
        (VALID, VALID, ""),
        ("x" * 255, "x" * 255, ""),
        ("", "d", "MissingParameter"),
        ("g", "", "MissingParameter"),
        ("sg-x", "d", "InvalidParameterValue"),
        ("Sg-x", "d", "InvalidParameterValue"),
        ("default", "d", "InvalidGroup.Reserved"),
        ("x" * 256, "d", "InvalidParameterValue"),
        ("g", "x" * 256, "InvalidParameterValue"),
        ("a?b", "d", "InvalidParameterValue"),
        ("g", "a\nb", "InvalidParameterValue"),
    ],
)
def test_group_names(name, description, wanted):
    assert code(group_verdict(name, description)) == wanted


@pytest.mark.parametrize(
    ("text", "fits"), [("", True), (VALID, True), ("x" * 256, False), ("<", False), ("ü", False)]
)
def test_descriptions(text, fits):
    assert (description_verdict(text) is None) is fits


@pytest.mark.parametrize(
    ("name", "fits"),
    [("k", True), ("x" * 255, True), ("", False), ("x" * 256, False), ("ü", False), ("a\n", False)],
)
def test_key_names(name, fits):
    assert (key_name_verdict(name) is None) is fits


@pytest.mark.parametrize(
    ("parameter", "value", "wanted"),
    [
        ("InstanceId", "i-01234567", ""),
        ("InstanceIds", "i-0123456789abcdef0", ""),
        ("InstanceId", "i-0123456", "InvalidInstanceID.Malformed"),
        ("InstanceId", "i-0123456789ABCDEF0", "InvalidInstanceID.Malformed"),
        ("InstanceId", "vol-01234567", "InvalidInstanceID.Malformed"),
        ("GroupId", "", "InvalidGroupId.Malformed"),
        ("KeyName", "anything", ""),
    ],
)
def test_ids(parameter, value, wanted):
    assert code(id_verdict(parameter, value)) == wanted


@pytest.mark.parametrize(
    ("least", "most", "wanted"),
    [
        (1, 1, ""),
        (1, 9, ""),
        (None, 1, "MissingParameter"),
        (1, None, "MissingParameter"),
        (0, 1, "InvalidParameterValue"),
        (2, 1, "InvalidParameterValue"),
        (-1, -1, "InvalidParameterValue"),
    ],
)
def test_counts(least, most, wanted):
    assert code(count_verdict(least, most)) == wanted


@pytest.mark.parametrize(
    ("wanted", "verdict"),
    [("", ""), ("a", ""), ("b", "Unsupported"), ("M5", "InvalidParameterValue")],
)
def test_types(wanted, verdict):
    assert code(type_verdict(wanted, {"a", "b"}, {"a"}, "zone z")) == verdict


def test_user_data():
    def encoded(size):
        return base64.b64encode(b"x" * size).decode()

    assert user_data_verdict("") is None
    assert user_data_verdict(encoded(16384)) is None
    assert code(user_data_verdict(encoded(16385))) == "InvalidParameterValue"
    assert code(user_data_verdict("not base64!")) == "InvalidUserData.Malformed"


@pytest.mark.parametrize(
    ("action", "size", "fits"),
    [
        ("DescribeInstances", None, True),
        ("DescribeInstances", 5, True),
        ("DescribeInstances", 1000, True),
        ("DescribeInstances", 4, False),
        ("DescribeInstances", 1001, False),
        ("DescribeInstanceTypes", 101, False),
    ],
)
def test_pages(action, size, fits):
    assert (page_verdict(action, size) is None) is fits


STATES = ("pending", "running", "stopping", "stopped", "shutting-down", "terminated")


@pytest.mark.parametrize(
    ("verdict", "allowed"),
    [
        (start_verdict, {"stopped", "running", "pending"}),
        (stop_verdict, {"running", "stopping", "stopped"}),
        (reboot_verdict, {"running", "terminated"}),
    ],
)
def test_power(verdict, allowed):
    assert {state for state in STATES if verdict("i-1", state) is None} == allowed


def test_modify():
    kinds = frozenset({"InstanceType"}), frozenset({"SourceDestCheck"})
    allowed = [{s for s in STATES if modify_verdict("i-1", s, names) is None} for names in kinds]
    assert allowed == [{"stopped"}, {"pending", "running", "stopping", "stopped"}]


def test_associate():
    by_instance = {s: code(associate_verdict("i-1", "", s)) for s in (*STATES, "")}
    assert {s for s, said in by_instance.items() if not said} == {
        "running",
        "stopping",
        "stopped",
        "",
    }
    assert set(by_instance.values()) == {"", "InvalidInstanceID"}
    assert code(associate_verdict("", "eni-1", "pending")) == "IncorrectInstanceState"


def test_names_by_region():
    assert public_name("198.18.88.7", "us-east-1") == "ec2-198-18-88-7.compute-1.amazonaws.com"
    assert public_name("198.18.88.7", "eu-west-1") == (
        "ec2-198-18-88-7.eu-west-1.compute.amazonaws.com"
    )
    assert public_name("198.18.88.7", "cn-north-1") == (
        "ec2-198-18-88-7.cn-north-1.compute.amazonaws.com.cn"
    )
    assert private_name("10.0.0.7", "us-east-1") == "ip-10-0-0-7.ec2.internal"
    assert private_name("10.0.0.7", "cn-north-1") == "ip-10-0-0-7.cn-north-1.compute.internal"


def a_group(group_id, *peers, default=False):
    rules = {str(n): permission("-1", None, None, Peer.GROUP, p) for n, p in enumerate(peers)}
    return Group(
        id=group_id,
        name=group_id,
        vpc_id="vpc-1",
        is_default=default,
        in_default_vpc=False,
        ingress=rules,
        egress={},
    )


def test_groups_in_use():
    own, other = a_group("sg-1", "sg-1"), a_group("sg-2", "sg-1")
    assert in_use_verdict(own, [], [own]) is None
    assert code(in_use_verdict(own, ["eni-1"], [own])) == "DependencyViolation"
    assert code(in_use_verdict(own, [], [own, other])) == "DependencyViolation"
    assert in_use_verdict(other, [], [own, other]) is None
    assert code(in_use_verdict(a_group("sg-3", default=True), [], [])) == "CannotDelete"


@pytest.mark.parametrize("level", ["SubnetId", "SecurityGroupIds", "SecurityGroups"])
def test_interfaces_at_one_level(level):
    assert launch_shape_verdict(Params({level: "x"})) is None
    both = Params({level: "x", "NetworkInterfaces": [{}]})
    assert code(launch_shape_verdict(both)) == "InvalidParameterCombination"
    assert launch_shape_verdict(Params({"NetworkInterfaces": [{}]})) is None


@pytest.mark.parametrize(
    ("tags", "held", "wanted"),
    [
        ([("k", "v")], {}, ""),
        ([("k" * 128, "v" * 256)], {}, ""),
        ([(f"k{n}", "") for n in range(50)], {}, ""),
        ([("new", "")], {f"k{n}": "" for n in range(49)}, ""),
        ([("k1", "")], {f"k{n}": "" for n in range(50)}, ""),
        ([("new", "")], {"aws:x": "", **{f"k{n}": "" for n in range(49)}}, ""),
        ([("new", "")], {f"k{n}": "" for n in range(50)}, "TagLimitExceeded"),
        ([(f"k{n}", "") for n in range(51)], {}, "TagLimitExceeded"),
        ([("", "v")], {}, "InvalidParameterValue"),
        ([("k" * 129, "")], {}, "InvalidParameterValue"),
        ([("k", "v" * 257)], {}, "InvalidParameterValue"),
        ([("aws:k", "")], {}, "InvalidParameterValue"),
        ([("k", "1"), ("k", "2")], {}, "InvalidParameterValue"),
    ],
)
def test_tags(tags, held, wanted):
    assert code(tags_verdict(tags, held)) == wanted


def test_tag_specifications():
    assert specs_verdict("RunInstances", ["instance", "volume", "network-interface"]) is None
    assert specs_verdict("CreateUnheardOf", ["anything"]) is None
    assert code(specs_verdict("RunInstances", ["vpc"])) == "InvalidParameterValue"
    assert code(specs_verdict("RunInstances", ["volume", "volume"])) == "InvalidParameterValue"


def test_tokens():
    assert token_verdict("x" * 64) is None
    assert code(token_verdict("x" * 65)) == "InvalidParameterValue"
    assert code(token_verdict("ü")) == "InvalidParameterValue"
    first = print_of({"A": [1, {"B": b"x"}], "ClientToken": "t", "DryRun": False})
    assert first == print_of({"ClientToken": "u", "A": [1, {"B": b"x"}]})
    assert first != print_of({"A": [{"B": b"x"}, 1]})


def test_repeats():
    assert repeat_verdict("p", "p", []) is None
    assert repeat_verdict("p", "p", ["running", "terminated"]) is None
    assert code(repeat_verdict("p", "q", ["terminated"])) == "IdempotentParameterMismatch"
    for states in (["terminated"], ["shutting-down", "terminated"], [""]):
        assert code(repeat_verdict("p", "p", states)) == "IdempotentInstanceTerminated"


@pytest.mark.parametrize(
    ("size", "kind", "wanted"),
    [
        (1, "gp3", ""),
        (65536, "gp3", ""),
        (16384, "", ""),
        (None, "gp3", ""),
        (0, "gp3", "InvalidParameterValue"),
        (65537, "gp3", "InvalidParameterValue"),
        (16385, "", "InvalidParameterValue"),
        (124, "st1", "InvalidParameterValue"),
        (8, "gp9", "UnknownVolumeType"),
    ],
)
def test_volume_sizes(size, kind, wanted):
    assert code(size_verdict(size, kind)) == wanted


def a_volume(**changes):
    whole = {"id": "vol-1", "size": 50, "type": "gp3", "zone": "a", "instance_id": "", "device": ""}
    return Volume(**{**whole, **changes})


def test_volume_growth():
    assert grow_verdict(a_volume(), None) is None
    assert grow_verdict(a_volume(), 50) is None
    assert code(grow_verdict(a_volume(), 49)) == "InvalidParameterValue"


def test_attaching():
    used = ["/dev/sda1"]
    assert attach_verdict(a_volume(), "/dev/sdf", "running", "a", used) is None
    held = a_volume(instance_id="i-1")
    assert code(attach_verdict(held, "/dev/sdf", "running", "a", used)) == "VolumeInUse"
    assert code(attach_verdict(a_volume(), "/dev/sdf", "pending", "a", used)) == "IncorrectState"
    far = attach_verdict(a_volume(), "/dev/sdf", "running", "b", used)
    assert code(far) == "InvalidVolume.ZoneMismatch"
    taken = attach_verdict(a_volume(), "/dev/sda1", "running", "a", used)
    assert code(taken) == "InvalidParameterValue"


def test_detaching():
    root = a_volume(instance_id="i-1", device="/dev/sda1")
    assert code(detach_verdict(a_volume(), "", "")) == "IncorrectState"
    assert code(detach_verdict(root, "running", "/dev/sda1")) == "OperationNotPermitted"
    assert detach_verdict(root, "stopped", "/dev/sda1") is None
    assert detach_verdict(a_volume(instance_id="i-1", device="x"), "running", "/dev/sda1") is None


def test_disks_of_a_call():
    mappings = [
        {"DeviceName": "a", "Ebs": {"VolumeSize": 9, "VolumeType": "gp3"}},
        {"NoDevice": ""},
    ]
    run = Call("RunInstances", Params({"BlockDeviceMappings": mappings}), "1", "r")
    assert disks(run) == [(9, "gp3")]
    assert disks(Call("CreateVolume", Params({"Size": 7}), "1", "r")) == [(7, "")]
