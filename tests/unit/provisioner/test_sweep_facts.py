from dataclasses import replace
from datetime import UTC, datetime

import pytest

from kite import tags
from kite.sweep import Kind, Slot, Thing
from kite.sweeping import time_of
from kite.v1 import cluster_pb2
from provisioner.record import Address, NodeState, Record, Spec
from provisioner.sweep import facts
from tests.unit.provisioner.shapes import CLUSTER, INSTALL, node, token_of

AT = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
AT_MS = int(AT.timestamp() * 1000)


def marks(**more):
    owned = tags.node_tags(
        tags.NodeTags(INSTALL, CLUSTER, 0, 1), user="alice", milvus_name="cats", role="master"
    )
    return tags.pack({k: v for k, v in (owned | more).items() if v is not None})


def machine(**more):
    plain = {
        "InstanceId": "i-1",
        "State": {"Name": "running"},
        "LaunchTime": AT,
        "ClientToken": token_of(),
        "Tags": marks(),
    }
    return facts.instance(plain | more)


MACHINE = Thing(Kind.INSTANCE, "i-1", INSTALL, CLUSTER, 0, 1, AT_MS, name="cats")


def test_a_machine_of_ours():
    assert machine() == MACHINE
    assert machine(State={"Name": "shutting-down"}).ended


def test_tags_that_somebody_put_on_prove_nothing():
    assert not machine(ClientToken="").proven
    assert not machine(Tags=marks(**{tags.SLOT: "1"})).proven
    assert not machine(Tags=marks(**{tags.CLUSTER: "cother"})).proven
    damaged = machine(Tags=marks(**{tags.SLOT: "x"}))
    assert (damaged.proven, damaged.slot, damaged.attempt) == (False, -1, -1)
    assert machine(Tags=None).install == ""


@pytest.mark.parametrize(
    ("state", "used", "ended"),
    [
        ("creating", True, False),
        ("available", False, False),
        ("in-use", True, False),
        ("deleting", False, True),
        ("error", False, False),
    ],
)
def test_a_volume(state, used, ended):
    found = facts.volume({"VolumeId": "vol-1", "State": state, "CreateTime": AT, "Tags": marks()})
    expected = Thing(Kind.VOLUME, "vol-1", INSTALL, CLUSTER, 0, 1, AT_MS, name="cats")
    assert found == replace(expected, used=used, ended=ended)
    bare = facts.volume({"VolumeId": "vol-1", "State": state})
    assert (bare.install, bare.slot, bare.born_ms) == ("", -1, 0)


def test_an_address_has_no_age():
    owned = tags.pack(tags.cluster_tags(INSTALL, CLUSTER, kind="address"))
    plain = {"AllocationId": "eipalloc-1", "PublicIp": "198.18.88.7", "Tags": owned}
    assert facts.address(plain) == Thing(
        Kind.ADDRESS, "eipalloc-1", INSTALL, CLUSTER, name="198.18.88.7"
    )
    assert facts.address(plain | {"AssociationId": "eipassoc-1"}).used


SLOTS = [
    (node(), Slot(0, 1)),
    (node(instance_id="i-1"), Slot(0, 1, "i-1")),
    (node(NodeState.LOADING, instance_id="i-1"), Slot(0, 1, "i-1")),
    (node(NodeState.RUNNING, instance_id="i-1"), Slot(0, 1, "i-1", shown=True)),
    (node(NodeState.FAILED, instance_id="i-1", retiring=True), Slot(0, 1, "i-1")),
    (node(NodeState.FAILED, instance_id="i-1", reason="INSTANCE_LOST"), Slot(0, 1, "i-1")),
    (node(NodeState.FAILED, reason="INSTALL_FAILED"), Slot(0, 1, open=False)),
    (node(NodeState.GONE, instance_id="i-1"), Slot(0, 1, "i-1", open=False)),
]


@pytest.mark.parametrize(("one", "slot"), SLOTS, ids=[repr(slot) for _, slot in SLOTS])
def test_a_slot_is_open_while_somebody_looks_after_its_machine(one, slot):
    record = Record(CLUSTER, "alice", "cats", Spec(), nodes=(one,), address=Address("eipalloc-1"))
    live = facts.live([record], INSTALL)
    assert live.clusters[CLUSTER].slots == (slot,)
    assert live.clusters[CLUSTER].allocation_id == "eipalloc-1"
    assert live.gaps == ()


def test_clusters_of_the_wire_are_read():
    cluster = cluster_pb2.Cluster(cluster_id=CLUSTER)
    cluster.status.nodes.add(slot=0, attempt=1, token=token_of(), instance_id="i-1")
    found = facts.read([cluster], install=INSTALL)
    assert found.clusters[CLUSTER].slots == (Slot(0, 1, "i-1"),)
    assert facts.read([cluster], install="kite2").gaps


def test_a_registry_with_names_of_another_install_is_not_ours():
    records = [Record(c, "alice", "cats", Spec(), nodes=(node(),)) for c in (CLUSTER, "cother")]
    live = facts.live(records, "kite2")
    assert len(live.gaps) == 1
    assert "kite2" in live.gaps[0]
    nameless = Record(CLUSTER, "alice", "cats", Spec(), nodes=(node(token=""),))
    assert facts.live([nameless], "kite2").gaps == ()


def test_the_time_is_that_of_the_answer():
    def answer(date):
        return {"ResponseMetadata": {"HTTPHeaders": {"date": date}}}

    assert time_of(answer("Mon, 23 Nov 2026 12:00:00 GMT")) == AT_MS
    assert time_of(answer("no date")) == 0
    assert time_of({}) == 0
