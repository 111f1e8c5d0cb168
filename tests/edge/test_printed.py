"""Whoever pastes the first contract's printed samples is understood."""

import json

import pytest

from bff import seed_json
from tests.edge import printed
from tests.edge.conftest import Edge, start_edge

pytestmark = pytest.mark.asyncio(loop_scope="package")


@pytest.mark.parametrize("name", printed.ALL)
async def test_every_printed_block_is_read(name: str):
    assert seed_json.read(printed.ALL[name])


async def test_six_of_the_eleven_blocks_are_not_json():
    wrong = 0
    for text in printed.ALL.values():
        try:
            json.loads(text)
        except ValueError:
            wrong += 1
    assert (len(printed.ALL), wrong) == (11, 6)


async def test_the_printed_requests_do_what_they_say(edge: Edge):
    post = "POST", "/v1/milvus"
    created = await edge.ask(*post, printed.CREATE_REQUEST.encode(), user="milvus-test")
    assert created.status == 202
    for field in seed_json.read(printed.CREATE_ANSWER):
        assert field in created.json

    asked = seed_json.read(printed.WHITELIST_REQUEST)
    put = await edge.ask(
        "PUT", "/v1/whitelist", printed.WHITELIST_REQUEST.encode(), user="milvus-test"
    )
    assert (put.status, put.json["ip-ranges"]) == (200, asked["ip-ranges"])

    got = await edge.ask("GET", "/v1/whitelist", printed.READ_REQUEST.encode(), user="milvus-test")
    assert (got.status, got.json["ip-ranges"]) == (200, asked["ip-ranges"])
    by_query = await edge.ask("GET", "/v1/whitelist?milvs-name=search-cats", user="milvus-test")
    assert by_query.json == got.json

    deleted = await edge.ask(
        "DELETE", "/v1/milvus", printed.DELETE_REQUEST.encode(), user="milvus-test"
    )
    assert deleted.status == 202
    for field in seed_json.read(printed.DELETE_ANSWER):
        assert field in deleted.json


async def test_failures_have_the_printed_fields(edge: Edge):
    answer = await edge.ask("POST", "/v1/milvus/delete", printed.DELETE_REQUEST.encode())
    assert answer.status == 404
    assert set(seed_json.read(printed.DELETE_FAILURE)) <= set(answer.json)


async def test_the_stored_document_is_what_a_read_shows(edge: Edge):
    await edge.ask("POST", "/v1/milvus", printed.CREATE_REQUEST.encode(), user="milvus-test")
    answer = await edge.ask("GET", "/v1/clusters/search-cats", user="milvus-test")
    stored = seed_json.read(printed.STORED)
    assert list(stored) == [key for key in answer.json if key in stored]
    assert answer.json["username"] == stored["username"]
    assert answer.json["milvus-type"] == stored["milvus-type"]


async def test_the_resource_form_stays_strict(edge: Edge):
    answer = await edge.ask("POST", "/v1/clusters", b'{"milvus-name": "a",}')
    assert (answer.status, answer.reason) == (400, "MALFORMED_JSON")


async def test_the_switch_makes_the_seed_form_strict_too(behind):
    edge = await start_edge(behind, bff_seed_json=False)
    answer = await edge.ask("PUT", "/v1/whitelist", printed.WHITELIST_REQUEST.encode())
    await edge.running.stop()
    assert (answer.status, answer.reason) == (400, "MALFORMED_JSON")
    assert "line 8" in answer.json["description"]
