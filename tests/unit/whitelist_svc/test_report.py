from kite.ports import PortType
from kite.v1 import cluster_pb2, whitelist_pb2
from whitelist_svc import packing, report
from whitelist_svc.change import Held, Key
from whitelist_svc.cluster import Cluster
from whitelist_svc.report import Line, State
from whitelist_svc.rules import Entry, Wished

A = Entry("1.2.3.4/32", PortType.MILVUS, "desk")
B = Entry("1.2.3.4/32", PortType.MILVUS_EM)


def held(rule_id, key):
    return Held(rule_id, key, "", ours=True, v4=True, v6=False)


def lines(held_rules, *entries):
    return report.lines(entries, held_rules, web_gui=3000)


def test_what_is_in_force_has_its_rule_id():
    found = lines([held("sgr-a", Key("1.2.3.4/32", 19530))], A, B)
    assert found == (Line(A, "sgr-a", State.AUTHORIZED), Line(B, "", State.AUTHORIZING))


def test_what_is_open_though_not_wished_is_shown():
    found = lines([held("sgr-b", Key("1.2.3.4/32", 3000))], A)
    assert found[1] == Line(Entry("1.2.3.4/32", PortType.MILVUS_EM), "sgr-b", State.REVOKING)


def test_other_ports_and_kinds_are_not_whitelist_lines():
    assert lines([held("sgr-c", Key("1.2.3.4/32", 22)), held("sgr-d", None)]) == ()


def test_unknown_when_ec2_does_not_tell():
    assert lines(None, A) == (Line(A, "", State.UNKNOWN),)


def test_lines_and_entries_cross_the_wire():
    message = packing.line(Line(A, "sgr-a", State.AUTHORIZED))
    assert message.state == whitelist_pb2.RULE_STATE_AUTHORIZED
    assert packing.entry(message.rule) == A
    assert {packing.line(Line(A, "", state)).state for state in State} == {0, 1, 2, 3}
    wish = whitelist_pb2.WishedRange(source_ip="x", port_type="y", note="z", expires_at_ms=5)
    assert packing.wished(wish) == Wished("x", "y", "z", 5)


def cluster_message():
    return cluster_pb2.Cluster(
        cluster_id="c1",
        user="ann",
        milvus_name="cats",
        spec=cluster_pb2.ClusterSpec(wanted=True),
        whitelist=cluster_pb2.Whitelist(
            revision=4,
            rules=[packing.rule(A), cluster_pb2.Rule(source_ip="9.9.9.9/32", port_type=0)],
        ),
        status=cluster_pb2.ClusterStatus(
            security_groups=[
                cluster_pb2.SecurityGroup(kind="base", group_id="sg-0"),
                cluster_pb2.SecurityGroup(kind="whitelist", group_id="sg-1"),
            ]
        ),
    )


def test_a_cluster_is_read():
    assert packing.cluster(cluster_message()) == Cluster("c1", "ann", "cats", True, (A,), 4, "sg-1")


def test_a_deleted_cluster_is_not_wanted_and_holds_nothing():
    message = cluster_message()
    message.deleted_at_ms = 1
    found = packing.cluster(message)
    assert not found.wanted
    assert found.keys(0, web_gui=3000) == {}


def test_a_wanted_cluster_holds_its_live_entries():
    entries = (A, Entry("2.2.2.2/32", PortType.MILVUS, "", 1000))
    found = Cluster("c1", "ann", "cats", True, entries, 1)
    assert set(found.keys(999, web_gui=3000)) == {
        Key("1.2.3.4/32", 19530),
        Key("2.2.2.2/32", 19530),
    }
    assert set(found.keys(1000, web_gui=3000)) == {Key("1.2.3.4/32", 19530)}
    assert found.group_id == ""
