from kite import tags
from kite.ports import PortType
from whitelist_svc import groups
from whitelist_svc.change import Held, Key
from whitelist_svc.groups import Group, Kind
from whitelist_svc.rules import Entry
from whitelist_svc.survey import survey

INSTALL, CLUSTER, GUI = "test", "cabcdefgh", 3000


def held(cidr, port, *, ours=True, text="by hand"):
    key = Key(cidr, port) if cidr else None
    return Held("", key, text, ours=ours, v4=True, v6=False)


def group(wanted, *rules):
    return Group(f"sg-{wanted.name}", wanted.name, "vpc-1", wanted.tags, rules)


def named(make, cluster=CLUSTER):
    return make(INSTALL, cluster, user="alice", milvus_name="cats")


BASE = group(groups.base(INSTALL), held("10.0.0.0/8", 22))


def look(*standing):
    return survey(standing, install=INSTALL, web_gui=GUI)


def test_rules_in_force_become_the_whitelist():
    rules = (held("198.18.88.11/32", 19530), held("198.18.88.0/24", GUI))
    (seen,) = look(BASE, group(named(groups.peers)), group(named(groups.whitelist), *rules))
    assert seen.cluster_id == CLUSTER
    assert [kind for kind, _ in seen.groups] == [Kind.BASE, Kind.PEERS, Kind.WHITELIST]
    assert seen.entries == (
        Entry("198.18.88.11/32", PortType.MILVUS),
        Entry("198.18.88.0/24", PortType.MILVUS_EM),
    )
    assert seen.strange == ()


def test_rules_by_hand_are_told_and_not_taken_over():
    rules = (
        held("198.18.88.11/32", 19530, ours=False, text="a"),
        held("", 0, text="b"),
        held("198.18.88.11/32", 22, text="c"),
    )
    (seen,) = look(group(named(groups.whitelist), *rules))
    assert seen.entries == ()
    assert seen.strange == ("a", "b", "c")


def test_each_cluster_has_its_own_and_all_share_the_base():
    found = look(
        BASE,
        group(named(groups.whitelist, "cb"), held("198.18.88.12/32", 19530)),
        group(named(groups.whitelist, "ca")),
    )
    assert [(one.cluster_id, len(one.groups), len(one.entries)) for one in found] == [
        ("ca", 2, 0),
        ("cb", 2, 1),
    ]


def test_a_group_under_a_strange_name_is_nobodys():
    owned = tags.cluster_tags(INSTALL, CLUSTER, kind="whitelist")
    assert look(BASE, Group("sg-1", "mine", "vpc-1", owned)) == ()
