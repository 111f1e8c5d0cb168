"""The catalogue of bad inputs, over real sockets; nothing of it may ever be a 5xx."""

from __future__ import annotations

import asyncio

import pytest

from bff.edge.signing import Signed, sign
from kite.errors import Forbidden, OverLimit
from kite.v1 import cluster_pb2
from tests.edge import cases, catalogue, http, test_offers
from tests.edge.conftest import PORTAL_KEY, Edge, start_edge
from tests.edge.hurried import Hurried

pytestmark = pytest.mark.asyncio(loop_scope="package")
PAIR = {"source-ip": "115.236.166.154/32", "port-type": "miluvs-port"}


@pytest.mark.parametrize("case", catalogue.ALL, ids=str)
async def test_bad_input_gets_its_status_and_reason(edge: Edge, case: cases.Case):
    if case.number != "77":
        await edge.create()
    answer = await http.raw(edge.port, case.data)
    assert (answer.status, answer.json["reason"]) == (case.status, case.reason), answer.json
    assert answer.json["description"]
    assert set(answer.json) == {"reason", "description", "field", "retryable", "request-id"}
    assert len(edge.world.clusters) <= 1


async def test_the_numbers_of_the_catalogue_are_all_here():
    told = {number for case in catalogue.ALL for number in _numbers(case.number)}
    tests = (*globals(), *vars(test_offers))
    told |= {int(name[6:8]) for name in tests if name.startswith("test_f")}
    # 74 is a cost ceiling, which is not built yet.
    assert {*range(1, 97)} - {74} - told == set()


def _numbers(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1) if first.isdecimal() else range(0)


async def test_f13_endless_chunks_that_trickle_run_out_of_time(behind):
    edge = await start_edge(behind, bff_body_seconds=0.2)
    head = cases.HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\nxxxx\r\n"
    answer = await http.raw(edge.port, head)
    await edge.running.stop()
    assert (answer.status, answer.reason) == (408, "TIMEOUT")
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize("start", [b"GET /", b"GET / HTTP/1.1\r\nHost: a\r\nx: "])
async def test_f24_a_slow_head_runs_out_of_time(behind, start: bytes):
    edge = await start_edge(behind, bff_header_seconds=20)
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    for _ in range(2):
        writer.write(start)
        await asyncio.sleep(0.05)
        start = b"x"
    server = edge.running.runner.server
    assert len(server.connections) == 1
    await Hurried(asyncio.get_running_loop()).until(lambda: not server.connections)
    answer = await http.read(reader)
    assert (answer.status, answer.reason) == (408, "TIMEOUT")
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
    await edge.running.stop()


async def test_f24_a_connection_that_rests_between_requests_is_left_alone(behind):
    edge = await start_edge(behind, bff_header_seconds=0.1)
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    data = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
    for _ in range(2):
        writer.write(data)
        assert (await http.read(reader)).status == 200
        await asyncio.sleep(0.25)
    writer.close()
    await writer.wait_closed()
    await edge.running.stop()


async def test_f22_the_refusal_names_what_is_allowed(edge: Edge):
    answer = await edge.ask("PUT", "/v1/clusters")
    assert answer.headers["allow"] == "GET, HEAD, POST"


async def test_f31_a_name_without_proof_is_not_believed(signed_edge: Edge):
    answer = await signed_edge.ask("GET", "/v1/clusters")
    assert (answer.status, answer.reason) == (401, "IDENTITY_NOT_TRUSTED")
    assert "www-authenticate" in answer.headers


@pytest.mark.parametrize("how", ["bad", "stale", "replayed"])
async def test_f32_proof_that_does_not_hold(signed_edge: Edge, how: str):
    key = b"x" * 32 if how == "bad" else PORTAL_KEY.encode()
    at = 1_000_000_000 if how == "stale" else None
    signed = Signed("GET", "/v1/clusters", "alice")
    headers = list(sign(key, signed, portal="portal-1", at=at).items())
    for _ in range(2 if how == "replayed" else 1):
        answer = await signed_edge.ask("GET", "/v1/clusters", user=None, headers=headers)
    assert (answer.status, answer.reason) == (401, "IDENTITY_NOT_TRUSTED")


async def test_f38_case_counts_and_users_never_share(edge: Edge):
    await edge.create(user="Alice")
    assert (await edge.ask("GET", "/v1/clusters/search-cats", user="alice")).status == 404


async def test_f53_the_same_again_is_the_same_cluster(edge: Edge):
    key = [("Idempotency-Key", "k-1")]
    first, again = await edge.create(headers=key), await edge.create(headers=key)
    assert (first.status, again.status) == (202, 200)
    assert first.json["operation-id"] == again.json["operation-id"]
    assert len(edge.world.clusters) == 1


async def test_f54_another_body_under_the_name_is_a_conflict(edge: Edge):
    await edge.create()
    answer = await edge.ask("POST", "/v1/clusters", {**cases.GOOD, "disk-size": 51})
    assert (answer.status, answer.reason) == (409, "NAME_TAKEN")


async def test_f55_a_key_stands_for_one_body(edge: Edge):
    key = [("Idempotency-Key", "k-1")]
    await edge.create(headers=key)
    answer = await edge.create("other-cats", headers=key)
    assert (answer.status, answer.reason) == (422, "IDEMPOTENCY_KEY_REUSED")


async def test_f57_a_name_still_deleting_is_not_free(edge: Edge):
    await edge.create()
    await edge.ask("DELETE", "/v1/clusters/search-cats")
    answer = await edge.create()
    assert (answer.status, answer.reason) == (409, "CLUSTER_DELETING")


async def test_f58_another_user_may_have_the_name(edge: Edge):
    first, other = await edge.create(), await edge.create(user="bob")
    assert (first.status, other.status) == (202, 202)
    assert len(edge.world.clusters) == 2


async def test_f60_the_seeds_own_type_is_accepted(edge: Edge):
    assert (await edge.create()).status == 202


async def test_f63_a_type_not_allowed_is_told(edge: Edge):
    edge.world.fail_next = [Forbidden("not on the list", reason="TYPE_NOT_ALLOWED")]
    answer = await edge.create()
    assert (answer.status, answer.reason) == (403, "TYPE_NOT_ALLOWED")


async def test_f71_every_spelling_of_the_name_is_read(edge: Edge):
    for spelling in ("milvus-name", "milvs-name", "miluvs-name"):
        body = {spelling: "search-cats", "milvus-type": "M5", "disk-size": 50}
        assert (await edge.ask("POST", "/v1/milvus", body)).status in {200, 202}
    both = {"milvus-name": "search-cats", "milvs-name": "search-cats"}
    assert (await edge.ask("DELETE", "/v1/milvus", both)).status == 202


async def test_f73_a_full_quota_is_told(edge: Edge):
    edge.world.fail_next = [OverLimit("you have as many as you may")]
    answer = await edge.create()
    assert (answer.status, answer.reason) == (403, "QUOTA_EXCEEDED")


async def test_f76_the_type_never_changes(edge: Edge):
    await edge.create()
    answer = await edge.ask("PATCH", "/v1/clusters/search-cats", {"milvus-type": "M10"})
    assert (answer.status, answer.reason) == (409, "TYPE_IMMUTABLE")
    same = await edge.ask("PATCH", "/v1/clusters/search-cats", {"milvus-type": "M5"})
    assert same.status == 200


async def test_f78_foreign_and_unknown_are_the_same_bytes(edge: Edge):
    await edge.create(user="bob")
    same_id = [("X-Request-Id", "r1")]
    foreign = await edge.ask("GET", "/v1/clusters/search-cats", headers=same_id)
    unknown = await edge.ask("GET", "/v1/clusters/search-dogs", headers=same_id)
    assert (foreign.status, foreign.body) == (404, unknown.body)


async def test_f79_deleting_twice_is_no_fault(edge: Edge):
    await edge.create()
    first = await edge.ask("DELETE", "/v1/clusters/search-cats")
    again = await edge.ask("DELETE", "/v1/clusters/search-cats")
    assert (first.status, again.status) == (202, 202)
    edge.world.clusters.clear()
    assert (await edge.ask("DELETE", "/v1/clusters/search-cats")).status == 404


async def test_f80_delete_during_create_is_taken(edge: Edge):
    await edge.create()
    answer = await edge.ask("DELETE", "/v1/milvus", {"milvus-name": "search-cats"})
    assert (answer.status, answer.json["status"]) == (202, "deleting")


@pytest.mark.parametrize("tag", ['"99"', "junk", 'W/"1"', '"0"'])
async def test_f81_a_stale_revision_is_refused(edge: Edge, tag: str):
    await edge.create()
    stale = [("If-Match", tag)]
    answer = await edge.ask("DELETE", "/v1/clusters/search-cats", headers=stale)
    assert (answer.status, answer.reason) == (412, "REVISION_MISMATCH")
    set_it = await edge.ask(
        "PUT", "/v1/clusters/search-cats/whitelist", {"ip-ranges": []}, headers=stale
    )
    assert (set_it.status, set_it.reason) == (412, "REVISION_MISMATCH")


@pytest.mark.parametrize("tag", ["", "*", '"1"'])
async def test_f81_another_conflict_keeps_its_reason(edge: Edge, tag: str):
    await edge.create()
    await edge.ask("DELETE", "/v1/clusters/search-cats")
    path = "/v1/clusters/search-cats/whitelist"
    answer = await edge.ask("PUT", path, {"ip-ranges": []}, headers=[("If-Match", tag)])
    assert (answer.status, answer.reason) == (409, "CLUSTER_DELETING")


async def test_f82_endpoints_only_of_what_runs(edge: Edge):
    await edge.create()
    answer = await edge.ask("GET", "/v1/clusters/search-cats/endpoints")
    assert (answer.status, answer.reason) == (409, "NOT_RUNNING")
    cluster = edge.world.clusters["alice", "search-cats"]
    cluster.status.state = cluster_pb2.CLUSTER_STATE_RUNNING
    told = await edge.ask("GET", "/v1/clusters/search-cats/endpoints")
    assert told.json["endpoints"] == [{"schema": "grpc", "host": edge.world.url, "port": "19530"}]


async def test_f84_too_many_in_a_minute(behind):
    edge = await start_edge(behind, bff_endpoints_per_minute=20)
    for _ in range(20):
        answer = await edge.ask("GET", "/v1/clusters/nobody/endpoints")
        assert answer.status == 404
    over = await edge.ask("GET", "/v1/clusters/nobody/endpoints")
    other = await edge.ask("GET", "/v1/clusters/nobody/endpoints", user="bob")
    await edge.running.stop()
    assert (over.status, over.reason, other.status) == (429, "RATE_LIMITED", 404)
    assert 1 <= int(over.headers["retry-after"]) <= 60


async def test_f84_requests_of_any_kind_are_rationed(behind):
    edge = await start_edge(behind, bff_burst=3, bff_rate_per_minute=6)
    answers = [await edge.ask("GET", "/v1/source-ip") for _ in range(4)]
    other = await edge.ask("GET", "/v1/source-ip", user="bob")
    alive = await edge.ask("GET", "/healthz", user=None)
    await edge.running.stop()
    assert [answer.status for answer in answers] == [200, 200, 200, 429]
    assert answers[3].reason == "RATE_LIMITED"
    assert 9 <= int(answers[3].headers["retry-after"]) <= 10  # a token every ten seconds
    assert (other.status, alive.status) == (200, 200)


async def test_f87_an_empty_list_closes_everything(edge: Edge):
    await edge.create()
    path = "/v1/clusters/search-cats/whitelist"
    await edge.ask("PUT", path, {"ip-ranges": [PAIR]})
    answer = await edge.ask("PUT", path, {"ip-ranges": []})
    assert (answer.status, answer.json["ip-ranges"]) == (200, [])


async def test_f89_a_bare_address_is_that_one_address(edge: Edge):
    await edge.create()
    body = {"ip-ranges": [{**PAIR, "source-ip": "1.2.3.4"}]}
    answer = await edge.ask("PUT", "/v1/clusters/search-cats/whitelist", body)
    assert [one["source-ip"] for one in answer.json["ip-ranges"]] == ["1.2.3.4/32"]


async def test_f91_the_refusal_suggests_what_was_meant(edge: Edge):
    await edge.create()
    body = {"ip-ranges": [{**PAIR, "source-ip": "10.1.2.3/24"}]}
    answer = await edge.ask("PUT", "/v1/clusters/search-cats/whitelist", body)
    assert "10.1.2.0/24" in answer.json["description"]
    assert answer.json["field"] == "/ip-ranges/0/source-ip"


async def test_f92_netmasks_are_refused(edge: Edge):
    await edge.create()
    for text in ("1.2.3.4/255.255.255.0", "1.2.3.4/0.0.0.255"):
        answer = await http.raw(edge.port, cases.one_range(text))
        assert (answer.status, answer.reason) == (422, "INVALID_CIDR")


async def test_f96_equal_pairs_are_one_and_overlap_is_fine(edge: Edge):
    await edge.create()
    path = "/v1/clusters/search-cats/whitelist"
    twice = await edge.ask("PUT", path, {"ip-ranges": [PAIR, PAIR]})
    assert (twice.status, len(twice.json["ip-ranges"])) == (200, 1)
    wider = {**PAIR, "source-ip": "115.236.166.0/24"}
    overlapping = await edge.ask("PUT", path, {"ip-ranges": [PAIR, wider]})
    assert (overlapping.status, len(overlapping.json["ip-ranges"])) == (200, 2)


async def test_f96_a_foreign_or_deleting_cluster_takes_no_whitelist(edge: Edge):
    await edge.create(user="bob")
    path = "/v1/clusters/search-cats/whitelist"
    assert (await edge.ask("PUT", path, {"ip-ranges": [PAIR]})).status == 404
    await edge.ask("DELETE", "/v1/clusters/search-cats", user="bob")
    answer = await edge.ask("PUT", path, {"ip-ranges": [PAIR]}, user="bob")
    assert (answer.status, answer.reason) == (409, "CLUSTER_DELETING")
