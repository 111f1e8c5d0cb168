"""The story of a cluster, as a list and live."""

import asyncio
import contextlib
import json

import pytest

from kite.errors import Unavailable
from kite.v1 import operation_pb2
from tests.edge import http
from tests.edge.conftest import Edge, start_edge

pytestmark = pytest.mark.asyncio(loop_scope="package")
LIVE = [("Accept", "text/event-stream")]


def _tell(edge: Edge, number: int) -> None:
    cluster = edge.world.clusters["alice", "search-cats"]
    edge.world.events[cluster.cluster_id].append(
        operation_pb2.Event(number=number, type="Node Starting\n", description="a\nb", at_ms=1)
    )


async def test_events_are_listed_from_where_the_caller_stopped(edge: Edge):
    await edge.create()
    _tell(edge, 2)
    path = "/v1/clusters/search-cats/events"
    all_of_them = (await edge.ask("GET", path)).json
    assert ([e["number"] for e in all_of_them["events"]], all_of_them["after"]) == ([1, 2], 2)
    rest = (await edge.ask("GET", f"{path}?after=1")).json
    assert [e["number"] for e in rest["events"]] == [2]
    none = (await edge.ask("GET", f"{path}?after=9")).json
    assert none == {"events": [], "after": 9}


async def _stream(edge: Edge, headers: list):
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    path = "/v1/clusters/search-cats/events"
    writer.write(http.request("GET", path, headers=[*LIVE, *headers]))
    head = await reader.readuntil(b"\r\n\r\n")
    assert b"text/event-stream" in head
    return reader, writer


async def _until(reader: asyncio.StreamReader, mark: bytes) -> bytes:
    async with asyncio.timeout(10):
        return await reader.readuntil(mark)


async def test_events_are_told_live_and_the_stream_survives_a_registry_away(edge: Edge):
    await edge.create()
    reader, writer = await _stream(edge, [])
    first = await _until(reader, b"}\n\n")
    assert b"id: 1\nevent: ClusterCreated\ndata: {" in first
    edge.world.fail_next = [Unavailable("away")]
    _tell(edge, 2)
    second = (await _until(reader, b"}\n\n")).decode()
    assert "id: 2\nevent: NodeStarting\ndata: " in second
    assert json.loads(second.split("data: ")[1].splitlines()[0])["description"] == "a\nb"
    edge.world.clusters.clear()
    assert b"event: end" in await _until(reader, b"data: {}\n\n")
    writer.close()
    await writer.wait_closed()


async def test_a_stream_goes_on_after_the_last_event_seen(edge: Edge):
    await edge.create()
    _tell(edge, 2)
    reader, writer = await _stream(edge, [("Last-Event-ID", "1")])
    assert b"id: 2\n" in await _until(reader, b"}\n\n")
    writer.close()
    await writer.wait_closed()


async def test_a_listener_who_leaves_frees_the_place(behind):
    edge = await start_edge(behind, bff_concurrent_per_user=1)
    edge.world.clear()
    await edge.create()
    reader, writer = await _stream(edge, [])
    await _until(reader, b"}\n\n")
    assert (await edge.ask("GET", "/v1/clusters")).reason == "TOO_MANY_AT_ONCE"
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    async with asyncio.timeout(10):
        while (await edge.ask("GET", "/v1/clusters")).status == 429:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    await edge.running.stop()


async def test_a_stream_does_not_live_for_ever(behind):
    edge = await start_edge(behind, bff_stream_seconds=0.2)
    edge.world.clear()
    await edge.create()
    reader, writer = await _stream(edge, [])
    assert b"event: end" in await _until(reader, b"data: {}\n\n")
    writer.close()
    await writer.wait_closed()
    await edge.running.stop()


async def test_a_stopping_edge_ends_its_streams(behind):
    edge = await start_edge(behind, bff_drain_seconds=20)
    edge.world.clear()
    await edge.create()
    reader, writer = await _stream(edge, [])
    await _until(reader, b"}\n\n")
    await edge.running.stop()
    async with asyncio.timeout(5):
        await reader.read()
    writer.close()
    await writer.wait_closed()
