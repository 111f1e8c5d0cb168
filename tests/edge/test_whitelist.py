"""Whitelists through the edge, in the seed's words and in Kite's."""

import pytest

from kite.errors import CloudRefused
from tests.edge.conftest import Edge

pytestmark = pytest.mark.asyncio(loop_scope="package")
A = {"source-ip": "115.236.166.154/32", "port-type": "miluvs-port"}
B = {"source-ip": "10.7.0.0/16", "port-type": "milvus-em-port"}
PATH = "/v1/clusters/search-cats/whitelist"


async def _set(edge: Edge, *ranges: dict, method: str = "PUT", **how):
    body = {"milvus-name": "search-cats", "ip-ranges": list(ranges)}
    return await edge.ask(method, "/v1/whitelist", body, **how)


@pytest.mark.parametrize("method", ["PUT", "POST"])
async def test_the_seed_form_echoes_what_was_asked_in_its_order(edge: Edge, method: str):
    await edge.create()
    answer = await _set(edge, B, A, method=method)
    assert (answer.status, answer.json["ip-ranges"]) == (200, [B, A])
    assert answer.json["notices"] == ["open connections are not cut"]
    assert answer.json["operation-id"]


async def test_notes_and_ends_are_kept(edge: Edge):
    await edge.create()
    noted = {**A, "note": "office", "expires-at": "2030-01-31T12:00:00+01:00"}
    answer = await _set(edge, noted)
    assert answer.json["ip-ranges"] == [{**noted, "expires-at": "2030-01-31T11:00:00.000Z"}]


async def test_the_resource_form_speaks_kites_words_and_tells_what_is_in_force(edge: Edge):
    await edge.create()
    await _set(edge, A)
    answer = await edge.ask("GET", PATH)
    assert answer.json["ip-ranges"] == [
        {
            "source-ip": A["source-ip"],
            "port-type": "milvus-port",
            "rule-id": "sgr-00000000000000000",
            "status": "authorized",
        }
    ]
    assert answer.headers["etag"] == f'"{answer.json["revision"]}"'


async def test_reading_an_empty_whitelist_says_that_nobody_can_connect(edge: Edge):
    await edge.create()
    answer = await edge.ask("GET", "/v1/whitelist?miluvs-name=search-cats")
    assert answer.json["ip-ranges"] == []
    assert answer.json["notices"] == ["whitelist is empty: nobody can connect yet"]


async def test_emptying_a_whitelist_says_so_once(edge: Edge):
    await edge.create()
    answer = await edge.ask("PUT", PATH, {"ip-ranges": []})
    assert answer.json["notices"] == [
        "open connections are not cut",
        "whitelist is empty: nobody can connect yet",
    ]


async def test_a_revision_read_can_be_insisted_on(edge: Edge):
    await edge.create()
    tag = [("If-Match", (await edge.ask("GET", PATH)).headers["etag"])]
    assert (await edge.ask("PUT", PATH, {"ip-ranges": [A]}, headers=tag)).status == 200
    assert (await edge.ask("PUT", PATH, {"ip-ranges": [B]}, headers=tag)).status == 412


async def test_a_revision_known_already_is_not_sent_again(edge: Edge):
    await edge.create()
    tag = [("If-None-Match", (await edge.ask("GET", PATH)).headers["etag"])]
    assert (await edge.ask("GET", PATH, headers=tag)).status == 304


async def test_what_ec2_refused_keeps_its_name(edge: Edge):
    await edge.create()
    edge.world.fail_next = [CloudRefused("no", reason="QUOTA_EXCEEDED")]
    answer = await _set(edge, A)
    assert (answer.status, answer.reason) == (502, "QUOTA_EXCEEDED")
