import pytest

from bff import json_out
from kite.v1 import cluster_pb2, operation_pb2, registry_pb2, whitelist_pb2

AT = 1_700_000_000_123
NODE = {
    "slot": 1,
    "role": cluster_pb2.ROLE_WORKER,
    "state": cluster_pb2.NODE_STATE_LOADING,
    "instance_id": "i-1",
    "key_pair": "kite-kite1",
    "public_ip": "198.18.88.7",
    "private_ip": "10.88.0.7",
}


def cluster(**status) -> cluster_pb2.Cluster:
    return cluster_pb2.Cluster(
        cluster_id="c1",
        user="milvus-test",
        milvus_name="search-cats",
        spec=cluster_pb2.ClusterSpec(milvus_type="M5", disk_gib=50, wanted=True),
        status=cluster_pb2.ClusterStatus(**status),
        created_at_ms=AT,
    )


def rule(ip: str, kind: int = cluster_pb2.PORT_TYPE_MILVUS, **more) -> whitelist_pb2.RuleInForce:
    return whitelist_pb2.RuleInForce(
        rule=cluster_pb2.Rule(source_ip=ip, port_type=kind, **more),
        state=whitelist_pb2.RULE_STATE_AUTHORIZING,
    )


@pytest.mark.parametrize(
    ("at_ms", "text"),
    [(0, ""), (1, "1970-01-01T00:00:00.001Z"), (AT, "2023-11-14T22:13:20.123Z")],
)
def test_times_are_utc_with_milliseconds(at_ms: int, text: str):
    assert json_out.time(at_ms) == text


def test_the_document_starts_with_the_seeds_fields_and_words():
    shown = json_out.document(
        cluster(
            state=cluster_pb2.CLUSTER_STATE_LOADING,
            nodes=[cluster_pb2.Node(**NODE)],
            security_groups=[
                cluster_pb2.SecurityGroup(logical_name="sg-base", group_name="kite-base-kite1")
            ],
        )
    )
    assert list(shown)[:8] == [
        "username",
        "milvus-name",
        "milvs-name",
        "milvus-url",
        "milvus-port",
        "milvus-type",
        "subnet-id",
        "security-groups",
    ]
    assert shown["milvus-port"] == "19530"
    assert shown["security-groups"][0]["group-name"] == "sg-base"
    seeds = ("node-type", "instance-id", "status", "key-pair", "public-ip", "private-ip")
    told = [shown["instances"][0][key] for key in seeds]
    assert told == ["worker", "i-1", "loading", "kite-kite1", "198.18.88.7", "10.88.0.7"]
    assert shown["status"] == "loading"
    assert shown["address-mode"] == "elastic"


def test_a_node_that_is_gone_is_not_shown_and_a_failed_one_is():
    states = (cluster_pb2.NODE_STATE_GONE, cluster_pb2.NODE_STATE_FAILED)
    nodes = [cluster_pb2.Node(slot=n, state=state) for n, state in enumerate(states)]
    shown = json_out.document(cluster(nodes=nodes))
    assert [one["status"] for one in shown["instances"]] == ["failed"]


def test_a_record_just_made_is_starting():
    assert json_out.cluster_status(cluster()) == "starting"


@pytest.mark.parametrize("state", [s for s in cluster_pb2.ClusterState.values() if s])
def test_every_state_is_one_plain_word(state: int):
    assert json_out.cluster_status(cluster(state=state)).isalpha()


def test_the_first_answer_tells_the_password_and_what_is_missing():
    first = json_out.created(cluster(), operation_pb2.Operation(), password="p")
    assert first["credentials"] == {"username": "root", "password": "p"}
    assert json_out.NOBODY in first["notices"]
    assert json_out.ADDRESS_LATER in first["notices"]


def test_a_later_answer_tells_neither():
    known = cluster(milvus_url="host")
    known.whitelist.rules.add(source_ip="1.2.3.4/32")
    later = json_out.created(known, operation_pb2.Operation(), password="")
    assert "credentials" not in later
    assert later["notices"] == []


def test_conditions_are_told_with_their_time():
    shown = json_out.document(
        cluster(conditions=[cluster_pb2.Condition(type="Ready", ok=True, since_ms=AT)])
    )
    assert shown["conditions"][0] == {
        "type": "Ready",
        "status": True,
        "reason": "",
        "description": "",
        "since": json_out.time(AT),
    }


def test_operations_and_their_steps():
    found = operation_pb2.Operation(
        operation_id="op-1",
        state=operation_pb2.OPERATION_STATE_RUNNING,
        steps=[operation_pb2.Step(name="launch", state=operation_pb2.OPERATION_STATE_SUCCEEDED)],
    )
    listed = json_out.operations(operation_pb2.ListOperationsResponse(operations=[found]))
    shown = listed["operations"][0]
    assert (shown["status"], shown["steps"][0]["status"]) == ("running", "succeeded")
    assert json_out.operation(operation_pb2.Operation())["status"] == "pending"


def test_events_say_where_to_go_on():
    told = [operation_pb2.Event(number=n, details={"a": "b"}) for n in (4, 5)]
    assert json_out.events(told, 3)["after"] == 5
    assert json_out.events([], 3) == {"events": [], "after": 3}


def test_a_whitelist_in_kites_words():
    shown = json_out.whitelist(
        "cats", [rule("1.2.3.4/32", cluster_pb2.PORT_TYPE_MILVUS_EM, note="n")], 2, ["x"]
    )
    assert shown["ip-ranges"] == [
        {
            "source-ip": "1.2.3.4/32",
            "port-type": "milvus-em-port",
            "note": "n",
            "rule-id": "",
            "status": "authorizing",
        }
    ]
    assert (shown["revision"], shown["notices"]) == (2, ["x"])


def test_a_rule_that_ec2_was_not_asked_about_is_unknown():
    asked = rule("1.2.3.4/32")
    asked.state = whitelist_pb2.RULE_STATE_UNSPECIFIED
    shown = json_out.whitelist("c1", [asked], 3)["ip-ranges"]
    assert [one["status"] for one in shown] == ["unknown"]


def wish(ip: str, kind: str) -> whitelist_pb2.WishedRange:
    return whitelist_pb2.WishedRange(source_ip=ip, port_type=kind)


def test_the_seed_form_keeps_order_and_spelling_of_the_request():
    asked = [
        wish("10.0.0.9", "milvus-port"),
        wish("10.0.0.8/32", "miluvs-em-port"),
        wish("10.0.0.9/32", "miluvs-port"),
        wish("no range", "miluvs-port"),
    ]
    rules = [
        rule("10.0.0.7/32", cluster_pb2.PORT_TYPE_MILVUS_EM),
        rule("10.0.0.8/32", cluster_pb2.PORT_TYPE_MILVUS_EM),
        rule("10.0.0.9/32"),
    ]
    shown = [tuple(one.values()) for one in json_out.seed_whitelist(asked, rules)]
    assert shown == [
        ("10.0.0.9/32", "milvus-port"),
        ("10.0.0.8/32", "miluvs-em-port"),
        ("10.0.0.7/32", "miluvs-em-port"),
    ]


def test_plans_and_pages():
    plan = registry_pb2.Plan(name="M5", min_disk_gib=8)
    shown = json_out.plans(registry_pb2.ListPlansResponse(plans=[plan]))
    assert shown["plans"][0]["milvus-type"] == "M5"
    page = json_out.listing(
        registry_pb2.ListClustersResponse(clusters=[cluster()], next_page_token="t")
    )
    assert (len(page["clusters"]), page["next-page-token"]) == (1, "t")


def test_endpoints_are_the_name_or_the_masters():
    nodes = [
        cluster_pb2.Node(**{**NODE, "role": role, "state": cluster_pb2.NODE_STATE_RUNNING})
        for role in (cluster_pb2.ROLE_MASTER, cluster_pb2.ROLE_WORKER)
    ]
    running = cluster(milvus_url="host", nodes=nodes)
    public = json_out.endpoints(running, "public_endpoints")
    assert public["endpoints"] == [{"schema": "grpc", "host": "host", "port": "19530"}]
    hosts = json_out.endpoints(running, "host_endpoints")
    assert [one["node-type"] for one in hosts["endpoints"]] == ["master"]
