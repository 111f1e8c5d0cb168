"""The story of a cluster, as a list and live."""

import asyncio
import contextlib
import json

import pytest

from kite.errors import Internal, Unavailable
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
    async with asyncio.timeout(60):
        return await reader.readuntil(mark)


async def _end(reader: asyncio.StreamReader) -> str:
    """Why the stream ends; it is over after that."""
    await _until(reader, b"event: end\n")
    told = (await _until(reader, b"\n\n")).decode().removeprefix("data: ")
    async with asyncio.timeout(60):
        await reader.read()
    return json.loads(told)["reason"]


async def test_events_are_told_live_and_the_stream_survives_a_registry_away(edge: Edge):
    await edge.create()
    reader, writer = await _stream(edge, [])
    first = await _until(reader, b"}\n\n")
    assert b"id: 1\nevent: ClusterCreated\ndata: {" in first
    edge.world.fail_next = [Unavailable("away"), Internal("a defect over there")]
    _tell(edge, 2)
    second = (await _until(reader, b"}\n\n")).decode()
    assert "id: 2\nevent: NodeStarting\ndata: " in second
    assert json.loads(second.split("data: ")[1].splitlines()[0])["description"] == "a\nb"
    edge.world.bury("alice", "search-cats")
    assert await _end(reader) == "CLUSTER_DELETED"
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
    edge = await start_edge(behind, bff_streams_per_user=1)
    edge.world.clear()
    await edge.create()
    reader, writer = await _stream(edge, [])
    await _until(reader, b"}\n\n")
    path = "/v1/clusters/search-cats/events"
    over = await edge.ask("GET", path, headers=LIVE)
    assert (over.status, over.reason, over.headers["retry-after"]) == (429, "TOO_MANY_AT_ONCE", "1")
    assert (await edge.ask("GET", path)).status == 200  # a list is no stream
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    async with asyncio.timeout(60):
        reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
        writer.write(http.request("GET", path, headers=LIVE))
        while b" 200 " not in await reader.readline():
            writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
            writer.write(http.request("GET", path, headers=LIVE))
    writer.close()
    await edge.running.stop()


async def test_a_stream_does_not_live_for_ever(behind):
    edge = await start_edge(behind, bff_stream_seconds=0.2)
    edge.world.clear()
    await edge.create()
    reader, writer = await _stream(edge, [])
    assert await _end(reader) == "STREAM_TOO_OLD"
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
    assert await _end(reader) == "SERVER_STOPPING"
    writer.close()
    await writer.wait_closed()
