"""Documents and messages say the same."""

import bson
import pytest
from hypothesis import given, settings

from kite.errors import InvalidRequest
from kite.v1 import cluster_pb2 as pb
from registry_svc import documents, packing, spelling
from registry_svc.admission import AddressMode, RuleWish, Wish
from registry_svc.plans import Plan
from tests.unit.registry_svc import shapes


def stored(document):
    """As a database gives it back."""
    return bson.decode(bson.encode(document))


@given(shapes.records)
@settings(max_examples=150)
def test_a_record_comes_back(record):
    document = stored(packing.pack_record(record))
    assert packing.unpack_record(document) == record
    assert packing.unpack_cluster(document) == record.cluster


@given(shapes.operations)
def test_an_operation_comes_back(operation):
    told = packing.pack_operation(operation, writes=7)
    assert packing.unpack_operation(stored(told)) == operation
    assert packing.unpack_operation(stored(packing.pack_operation_part(operation))) == operation


@given(shapes.events)
def test_an_event_comes_back(event):
    assert packing.unpack_event(stored(packing.pack_event(event))) == event


@given(shapes.duties)
def test_a_duty_comes_back(duty):
    assert packing.unpack_duty(stored(packing.pack_duty(duty))) == duty


@given(shapes.keys)
def test_a_key_comes_back(key):
    assert packing.unpack_key(stored(packing.pack_key(key))) == key


def test_a_document_of_an_older_version_is_read_with_fields_missing():
    document = {
        "_id": "c1",
        "username": "milvus-test",
        "milvus-name": "search-cats",
        "milvus-type": "M5",
        "address-mode": "elastic",
        "state": "running",
        "milvus-url": None,
    }
    record = packing.unpack_record(document)
    assert record.cluster.milvus_name == "search-cats"
    assert record.cluster.status.milvus_url == ""
    assert record.writes == 1
    assert (
        packing.unpack_operation(
            {"operation-id": "op", "type": "t", "state": "running"}
        ).operation_id
        == "op"
    )


@pytest.mark.parametrize("state", ["starting", "loading", "running", "failed"])
def test_nodes_are_stored_in_the_seeds_words(state):
    number = pb.NodeState.Value(f"NODE_STATE_{state.upper()}")
    status = pb.ClusterStatus(
        state=pb.CLUSTER_STATE_LOADING, nodes=[pb.Node(role=pb.ROLE_WORKER, state=number)]
    )
    [instance] = packing.pack_status(status)["instances"]
    assert (instance["node-type"], instance["status"]) == ("worker", state)


def test_a_machine_that_is_gone_is_no_instance():
    nodes = [
        pb.Node(slot=1, role=pb.ROLE_MASTER, state=pb.NODE_STATE_RUNNING),
        pb.Node(slot=0, role=pb.ROLE_MASTER, state=pb.NODE_STATE_GONE),
    ]
    document = packing.pack_status(pb.ClusterStatus(state=pb.CLUSTER_STATE_RUNNING, nodes=nodes))
    assert [i["slot"] for i in document["instances"]] == [1]
    assert [(i["slot"], i["status"]) for i in document["gone-instances"]] == [(0, "failed")]


@pytest.mark.parametrize(
    "status",
    [
        pb.ClusterStatus(),
        pb.ClusterStatus(state=pb.CLUSTER_STATE_RUNNING, nodes=[pb.Node(role=pb.ROLE_MASTER)]),
        pb.ClusterStatus(
            state=pb.CLUSTER_STATE_RUNNING, nodes=[pb.Node(state=pb.NODE_STATE_RUNNING)]
        ),
    ],
)
def test_what_is_unspecified_is_refused(status):
    with pytest.raises(InvalidRequest, match="is not one of"):
        packing.pack_status(status)


def test_every_word_goes_both_ways():
    for words, back, enumeration in (
        (spelling.ROLES, spelling.ROLES_BACK, pb.Role),
        (spelling.NODE_STATES, spelling.NODE_STATES_BACK, pb.NodeState),
        (spelling.CLUSTER_STATES, spelling.CLUSTER_STATES_BACK, pb.ClusterState),
        (spelling.ADDRESS_MODES, spelling.ADDRESS_MODES_BACK, pb.AddressMode),
        (spelling.PORT_TYPES, spelling.PORT_TYPES_BACK, pb.PortType),
    ):
        assert set(words) == set(enumeration.values()) - {0}
        assert {back[word] for word in words.values()} == set(words)


@pytest.mark.parametrize(
    ("message", "tables", "elsewhere"),
    [
        (pb.Node, spelling.NODE, {"role", "state", "intent", "launches_ms", "refused"}),
        (pb.Offer, spelling.OFFER, set()),
        (pb.LaunchIntent, spelling.INTENT, {"security_group_ids"}),
        (pb.SecurityGroup, spelling.GROUP, set()),
        (pb.Address, spelling.ADDRESS, set()),
        (pb.Condition, spelling.CONDITION, set()),
        (pb.ClusterSpec, spelling.SPEC, {"address_mode"}),
        (
            pb.ClusterStatus,
            spelling.STATUS,
            {"state", "security_groups", "nodes", "address", "conditions"},
        ),
        (pb.Cluster, spelling.CLUSTER, {"spec", "status", "whitelist"}),
        (pb.Rule, spelling.RULE, {"port_type"}),
    ],
)
def test_no_field_of_a_message_is_forgotten(message, tables, elsewhere):
    spelled = {name for _, name in tables} | elsewhere
    assert spelled == {field.name for field in message.DESCRIPTOR.fields}


def test_the_schema_names_every_field_that_is_packed():
    cluster = pb.Cluster(cluster_id="c", user="u", milvus_name="n")
    cluster.spec.address_mode = pb.ADDRESS_MODE_ELASTIC
    cluster.status.state = pb.CLUSTER_STATE_RUNNING
    cluster.status.address.public_ip = "198.18.88.1"
    packed = packing.pack_record(packing.Record(cluster, quota_number=1))
    schema = {field.db_field for field in documents.Cluster._fields.values()}
    assert set(packed) == schema


def test_a_wish_becomes_a_cluster():
    wish = Wish(
        "milvus-test",
        "search-cats",
        "m5",
        50,
        AddressMode.PRIVATE,
        "hash",
        rules=(RuleWish("10.0.0.1/32", packing.PortType.MILVUS_EM, "me", 5),),
    )
    plan = Plan("M5", "m5.large", "r5.large", 2, 8, 100)
    cluster = packing.new_cluster(wish, plan, cluster_id="c1", now_ms=7)
    assert cluster == pb.Cluster(
        cluster_id="c1",
        user="milvus-test",
        milvus_name="search-cats",
        spec=pb.ClusterSpec(
            milvus_type="m5",
            disk_gib=50,
            address_mode=pb.ADDRESS_MODE_PRIVATE,
            master_instance_type="m5.large",
            worker_instance_type="r5.large",
            workers=2,
            wanted=True,
        ),
        status=pb.ClusterStatus(
            state=pb.CLUSTER_STATE_STARTING, why="accepted; waiting for its turn"
        ),
        whitelist=pb.Whitelist(
            revision=1,
            rules=[
                pb.Rule(
                    source_ip="10.0.0.1/32",
                    port_type=pb.PORT_TYPE_MILVUS_EM,
                    note="me",
                    expires_at_ms=5,
                )
            ],
        ),
        generation=1,
        rev=1,
        created_at_ms=7,
    )


def test_a_rule_is_looked_at_as_it_is():
    rule = pb.Rule(source_ip="10.0.0.1/32", port_type=pb.PORT_TYPE_MILVUS, note="n")
    assert packing.rule_wish(rule) == RuleWish("10.0.0.1/32", packing.PortType.MILVUS, "n", 0)
    assert packing.rule_wish(pb.Rule()).port_type is None
    assert packing.rule_wish(pb.Rule(port_type=99)).port_type is None
