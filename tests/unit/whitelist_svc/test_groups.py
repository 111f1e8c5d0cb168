import re

import pytest

from kite import tags
from whitelist_svc import groups
from whitelist_svc.groups import Kind, Owner

ID = "caaaaaaaaaaaaaaaa"
EC2_NAME = re.compile(r"(?!sg-)[A-Za-z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{1,255}\Z")

ALL = [
    groups.base("test"),
    groups.whitelist("test", ID, user="ann.b@x", milvus_name="cats"),
    groups.peers("test", ID, user="ann.b@x", milvus_name="cats"),
]


@pytest.mark.parametrize("wanted", ALL, ids=[one.kind for one in ALL])
def test_names_are_such_as_ec2_takes(wanted):
    assert EC2_NAME.match(wanted.name)
    assert EC2_NAME.match(wanted.description)


def test_names():
    assert [one.name for one in ALL] == ["kite-base-test", f"kite-{ID}", f"kite-{ID}-peers"]


def test_owners_and_kinds_are_in_the_tags():
    assert [one.owner for one in ALL] == [Owner("test"), Owner("test", ID), Owner("test", ID)]
    assert [one.tags[tags.KIND] for one in ALL] == ["base", "whitelist", "peers"]


def test_logical_names_are_the_seeds():
    assert [groups.logical_name(kind, "cats") for kind in Kind] == [
        "sg-base",
        "sg-cats",
        "sg-cats-peers",
    ]


def test_the_base_group_opens_four_ports_to_the_control_plane_only():
    found = groups.base_rules(["10.88.0.0/16"])
    assert {(key.cidr, key.port) for key in found} == {
        ("10.88.0.0/16", port) for port in (22, 19530)
    }
    assert groups.base_rules([]) == {}
