"""Clusters through the edge: create once, be told the address, follow, delete."""

import asyncio

import pytest

from kite import secrets
from kite.errors import Unavailable
from kite.v1 import cluster_pb2, operation_pb2
from tests.edge.conftest import SECRET, Edge, start_edge

pytestmark = pytest.mark.asyncio(loop_scope="package")
SUCCEEDED = operation_pb2.OPERATION_STATE_SUCCEEDED
FAILED = operation_pb2.OPERATION_STATE_FAILED
CANCELLED = operation_pb2.OPERATION_STATE_CANCELLED


async def test_create_answers_with_the_seeds_fields(edge: Edge):
    answer = await edge.create()
    assert answer.status == 202
    assert answer.json["milvs-name"] == answer.json["milvus-name"] == "search-cats"
    assert answer.json["milvus-url"] == edge.world.url
    assert answer.json["milvus-port"] == "19530"
    assert answer.headers["location"] == f"/v1/operations/{answer.json['operation-id']}"
    assert "whitelist is empty: nobody can connect yet" in answer.json["notices"]


async def test_the_password_is_shown_once(edge: Edge):
    first, again = await edge.create(), await edge.create()
    cluster = edge.world.clusters["alice", "search-cats"]
    password = secrets.password(SECRET, cluster.cluster_id)
    assert first.json["credentials"] == {"username": "root", "password": password}
    assert "credentials" not in again.json
    assert password not in again.body.decode()


async def test_the_password_is_shown_when_the_registrys_first_reply_was_lost(edge: Edge):
    edge.world.lost_reply = True
    answer = await edge.create()
    assert edge.world.creates == 2
    assert (answer.status, "credentials" in answer.json) == (202, True)


async def test_a_request_id_of_the_caller_does_not_bring_the_password_back(edge: Edge):
    same = [("X-Request-Id", "mine")]
    assert "credentials" in (await edge.create(headers=same)).json
    assert "credentials" not in (await edge.create(headers=same)).json


async def test_the_answer_is_held_until_the_address_is_known(behind):
    edge = await start_edge(behind, bff_url_seconds=10)
    edge.world.clear()
    edge.world.url_after_reads = 2
    answer = await edge.create()
    await edge.running.stop()
    assert answer.json["milvus-url"] == edge.world.url
    assert len(edge.world.asked) == 3


async def test_an_address_that_does_not_come_is_told(behind):
    edge = await start_edge(behind, bff_url_seconds=0.3)
    edge.world.clear()
    edge.world.url_after_reads = 1_000_000
    answer = await edge.create()
    await edge.running.stop()
    assert (answer.status, answer.json["milvus-url"]) == (202, "")
    assert any("address is not known yet" in notice for notice in answer.json["notices"])


async def test_a_registry_that_goes_away_while_held_does_not_undo_the_answer(behind):
    edge = await start_edge(behind, bff_url_seconds=1)
    edge.world.clear()
    edge.world.url_after_reads = 1_000_000
    asked = asyncio.create_task(edge.create())
    await edge.world.until(lambda: edge.world.clusters)
    edge.world.fail_next = [Unavailable("away")] * 5
    answer = await asked
    await edge.running.stop()
    assert answer.status == 202


async def _end_when_there(edge: Edge, state: int, **fields: str) -> None:
    await edge.world.until(lambda: edge.world.operations)
    edge.world.end(next(reversed(edge.world.operations)), state, **fields)


@pytest.mark.parametrize(
    ("target", "headers"),
    [("/v1/milvus?wait=30", []), ("/v1/milvus", [("Prefer", "respond-async, wait=30")])],
)
async def test_a_create_is_held_until_done(edge: Edge, target: str, headers: list):
    body = {"milvus-name": "search-cats", "milvus-type": "M5", "disk-size": 50}
    edge.world.url_after_reads = 1
    ending = asyncio.create_task(_end_when_there(edge, SUCCEEDED))
    answer = await edge.ask("POST", target, body, headers=headers)
    await ending
    assert (answer.status, answer.json["milvus-url"]) == (201, edge.world.url)
    assert ("preference-applied" in answer.headers) is bool(headers)


@pytest.mark.parametrize(
    ("state", "reason", "status", "told"),
    [
        (FAILED, "INSUFFICIENT_CAPACITY", 503, "INSUFFICIENT_CAPACITY"),
        (FAILED, "INSTALL_FAILED", 502, "INSTALL_FAILED"),
        (FAILED, "", 502, "OPERATION_FAILED"),
        (CANCELLED, "", 409, "OPERATION_CANCELLED"),
    ],
)
async def test_a_held_create_that_fails_is_a_failure(edge: Edge, state, reason, status, told):
    body = {"milvus-name": "search-cats", "milvus-type": "M5", "disk-size": 50}
    ending = asyncio.create_task(_end_when_there(edge, state, reason=reason))
    answer = await edge.ask("POST", "/v1/clusters?wait=30", body)
    await ending
    assert (answer.status, answer.reason) == (status, told)
    assert answer.json["operation-id"] == next(iter(edge.world.operations))


async def test_a_delete_means_the_cluster_that_had_the_name_when_it_was_asked_for(edge: Edge):
    """It went meanwhile, and somebody has its name: that one lives."""
    await edge.create()
    asked_for = edge.world.clusters["alice", "search-cats"]

    def taken_over() -> None:
        later = cluster_pb2.Cluster()
        later.CopyFrom(asked_for)
        later.cluster_id = "cffffffffffffffff"
        asked_for.spec.wanted = False
        edge.world.end(asked_for.operation_id, operation_pb2.OPERATION_STATE_SUCCEEDED)
        edge.world.bury("alice", "search-cats")
        edge.world.clusters["alice", "search-cats"] = later

    edge.world.before_delete = taken_over
    answer = await edge.ask("DELETE", "/v1/clusters/search-cats")
    assert (answer.status, answer.json["status"]) == (200, "deleted")
    assert edge.world.clusters["alice", "search-cats"].spec.wanted


async def test_a_bad_precondition_is_told_before_anybody_is_asked(edge: Edge):
    answer = await edge.ask("DELETE", "/v1/clusters/nobodys", headers=[("If-Match", "nonsense")])
    assert (answer.status, edge.world.asked) == (412, [])


async def test_a_delete_is_held_until_done(edge: Edge):
    await edge.create()
    asked = asyncio.create_task(edge.ask("DELETE", "/v1/clusters/search-cats?wait=30"))
    await edge.world.until(lambda: len(edge.world.operations) == 2)
    await _end_when_there(edge, SUCCEEDED)
    answer = await asked
    assert (answer.status, answer.json["milvus-url"]) == (200, edge.world.url)


async def test_a_wait_that_runs_out_answers_with_what_is(edge: Edge):
    await edge.create()
    operation_id = next(iter(edge.world.operations))
    answer = await edge.ask("GET", f"/v1/operations/{operation_id}?wait=1")
    assert (answer.status, answer.json["status"]) == (200, "running")


async def test_an_operation_is_held_through_a_registry_that_went_away(edge: Edge):
    await edge.create()
    operation_id = next(iter(edge.world.operations))
    edge.world.fail_watches = [Unavailable("away")]
    asked = asyncio.create_task(edge.ask("GET", f"/v1/operations/{operation_id}?wait=20"))
    await edge.world.until(lambda: not edge.world.fail_watches)
    edge.world.end(operation_id, SUCCEEDED)
    answer = await asked
    assert answer.json["status"] == "succeeded"
    assert answer.json["ended-at"].endswith("Z")


async def test_ranges_given_at_birth_are_judged_first(edge: Edge):
    body = {"milvus-name": "search-cats", "milvus-type": "M5", "disk-size": 50}
    wrong = {**body, "ip-ranges": [{"source-ip": "10.1.2.3/8", "port-type": "milvus-port"}]}
    refused = await edge.ask("POST", "/v1/clusters", wrong)
    assert (refused.status, edge.world.clusters) == (422, {})
    right = {**body, "ip-ranges": [{"source-ip": "1.2.3.4", "port-type": "milvus-port"}]}
    assert (await edge.ask("POST", "/v1/clusters", right)).status == 202
    rules = edge.world.clusters["alice", "search-cats"].whitelist.rules
    assert [rule.source_ip for rule in rules] == ["1.2.3.4/32"]


async def test_twenty_creates_at_once_are_one_cluster(edge: Edge):
    answers = await asyncio.gather(*(edge.create() for _ in range(20)))
    assert sorted(answer.status for answer in answers) == [200] * 19 + [202]
    assert sum("credentials" in answer.json for answer in answers) == 1
    assert len({answer.json["operation-id"] for answer in answers}) == 1


async def test_a_document_known_already_is_not_sent_again(edge: Edge):
    await edge.create()
    first = await edge.ask("GET", "/v1/clusters/search-cats")
    tag = [("If-None-Match", first.headers["etag"])]
    again = await edge.ask("GET", "/v1/clusters/search-cats", headers=tag)
    assert (again.status, again.body) == (304, b"")
    edge.world.clusters["alice", "search-cats"].rev += 1
    assert (await edge.ask("GET", "/v1/clusters/search-cats", headers=tag)).status == 200


async def test_pages_follow_each_other(edge: Edge):
    for name in ("aa", "bb", "cc"):
        await edge.create(name)
    first = (await edge.ask("GET", "/v1/clusters?page-size=2")).json
    token = first["next-page-token"]
    second = (await edge.ask("GET", f"/v1/clusters?page-size=2&page-token={token}")).json
    seen = [one["milvus-name"] for one in first["clusters"] + second["clusters"]]
    assert (seen, second["next-page-token"]) == (["aa", "bb", "cc"], "")


async def test_only_an_admin_sees_all(edge: Edge):
    await edge.create()
    answer = await edge.ask("GET", "/v1/admin/clusters", user="root")
    assert [one["username"] for one in answer.json["clusters"]] == ["alice"]


async def test_hosts_are_told_by_their_private_address(edge: Edge):
    await edge.create()
    status = edge.world.clusters["alice", "search-cats"].status
    status.state = cluster_pb2.CLUSTER_STATE_RUNNING
    status.nodes.add(
        role=cluster_pb2.ROLE_MASTER,
        state=cluster_pb2.NODE_STATE_RUNNING,
        private_ip="10.88.0.9",
        instance_id="i-1",
    )
    answer = await edge.ask("GET", "/v1/clusters/search-cats/endpoints?type=host_endpoints")
    assert [one["ip"] for one in answer.json["endpoints"]] == ["10.88.0.9"]


async def test_plans_and_the_callers_own_address(edge: Edge):
    plans = (await edge.ask("GET", "/v1/plans")).json["plans"]
    assert [plan["milvus-type"] for plan in plans] == ["M5"]
    own = await edge.ask("GET", "/v1/source-ip", headers=[("X-Forwarded-For", "8.8.8.8")])
    assert own.json == {"source-ip": "127.0.0.1/32"}


async def test_operations_of_one_cluster(edge: Edge):
    await edge.create("aa")
    await edge.create("bb")
    listed = (await edge.ask("GET", "/v1/operations?milvus-name=aa")).json["operations"]
    assert [one["milvus-name"] for one in listed] == ["aa"]
    assert len((await edge.ask("GET", "/v1/operations")).json["operations"]) == 2
