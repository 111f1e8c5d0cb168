"""Nothing is lost between our words and the wire."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kite.v1 import cluster_pb2 as pb
from kite.v1 import operation_pb2 as op
from provisioner import packing
from provisioner.record import (
    Address,
    ClusterState,
    Condition,
    Event,
    Group,
    Intent,
    Node,
    NodeState,
    Offer,
    Operation,
    OperationState,
    OperationStep,
    Record,
    Role,
)
from tests.unit.provisioner.shapes import launched, record

text = st.text(max_size=8)
number = st.integers(0, 2**40)
slot = st.integers(0, 100)
texts = st.lists(text, max_size=3).map(tuple)
intents = st.builds(
    Intent,
    client_token=text, image_id=text, instance_type=text, subnet_id=text,
    security_group_ids=texts, key_pair=text, root_gib=slot, data_gib=slot,
    public_address=st.booleans(), user_data_hash=text, decided_at_ms=number,
    root_device=text,
)  # fmt: skip
nodes = st.builds(
    Node,
    slot=slot, role=st.sampled_from(Role), attempt=slot, token=text,
    state=st.sampled_from(NodeState), why=text, reason=text, state_since_ms=number,
    deadline_ms=number, intent=st.none() | intents, instance_id=text, key_pair=text,
    public_ip=text, private_ip=text, launched_at_ms=number,
    launches_ms=st.lists(number, max_size=3).map(tuple), retiring=st.booleans(),
    install_step=text, refused=st.lists(st.builds(Offer, text, text), max_size=2).map(tuple),
)  # fmt: skip
records = st.builds(
    Record,
    cluster_id=st.just("c1"), user=st.just("alice"), milvus_name=st.just("cats"),
    spec=st.just(record().spec), generation=st.just(3), operation_id=st.just("op-1"),
    whitelist_revision=st.just(2), state=st.sampled_from(ClusterState),
    observed_generation=number, reason=text, why=text, milvus_url=text, milvus_port=text,
    subnet_id=text,
    groups=st.lists(st.builds(Group, text, text, text, text), max_size=2).map(tuple),
    nodes=st.lists(nodes, max_size=2).map(tuple),
    address=st.builds(Address, text, text, text), address_intended=st.booleans(),
    conditions=st.lists(
        st.builds(Condition, text, st.booleans(), text, text, number), max_size=2
    ).map(tuple),
)  # fmt: skip
steps = st.builds(OperationStep, text, st.sampled_from(OperationState), text, number, number)
operations = st.builds(
    Operation,
    operation_id=text.filter(bool), type=text, state=st.sampled_from(OperationState),
    progress=slot, steps=st.lists(steps, max_size=2).map(tuple), reason=text, description=text,
    started_at_ms=number, ended_at_ms=number,
)  # fmt: skip


def wish():
    spec = pb.ClusterSpec(
        milvus_type="M5",
        disk_gib=50,
        address_mode=pb.ADDRESS_MODE_ELASTIC,
        master_instance_type="m5.large",
        wanted=True,
    )
    cluster = pb.Cluster(
        cluster_id="c1",
        user="alice",
        milvus_name="cats",
        spec=spec,
        generation=3,
        operation_id="op-1",
    )
    cluster.whitelist.revision = 2
    return cluster


@given(records)
def test_records_survive_the_wire(made):
    cluster = wish()
    cluster.status.CopyFrom(packing.pack_status(made, 7))
    assert packing.unpack_cluster(pb.Cluster.FromString(cluster.SerializeToString())) == made


@given(operations)
def test_operations_survive_the_wire(made):
    sent = packing.pack_operation(made, record())
    assert packing.unpack_operation(op.Operation.FromString(sent.SerializeToString())) == made
    assert (sent.user, sent.milvus_name, sent.cluster_id) == ("alice", "cats", "cabcdefgh")


def test_no_operation():
    assert packing.unpack_operation(op.Operation()) is None


def test_a_cluster_nobody_has_looked_at():
    found = packing.unpack_cluster(wish())
    assert (found.state, found.nodes, found.address) == (ClusterState.STARTING, (), Address())


def test_events_leave_empty_details_out():
    sent = packing.pack_event(Event(5, "NodeFailed", "why", (("a", "1"), ("b", ""))), "c1")
    assert (dict(sent.details), sent.origin, sent.cluster_id) == ({"a": "1"}, "provisioner", "c1")


def test_a_word_of_a_later_version_is_refused():
    cluster = wish()
    cluster.status.CopyFrom(packing.pack_status(record(launched()), 7))
    cluster.status.nodes[0].state = 99
    with pytest.raises(ValueError, match="99"):
        packing.unpack_cluster(cluster)
