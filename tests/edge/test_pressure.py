"""Clients that stay, do not read, or come in crowds: all of it is bounded."""

import asyncio
import contextlib
import json
import socket

import pytest

from bff.edge.middlewares import GATE
from kite.v1 import operation_pb2
from tests.edge import http
from tests.edge.conftest import Behind, Edge, start_edge
from tests.edge.hurried import Hurried

pytestmark = pytest.mark.asyncio(loop_scope="package")
PATH = "/v1/clusters/search-cats/events"
LIVE = [("Accept", "text/event-stream")]
LONG = 120  # seconds: ends a hang, on however busy a machine


async def _open(port: int, *, receive: int = 0, user: str = "alice") -> socket.socket:
    """A stream asked for over a socket that nobody reads from."""
    client = socket.socket()
    client.setblocking(False)
    if receive:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, ("127.0.0.1", port))
    await loop.sock_sendall(client, http.request("GET", PATH, headers=LIVE, user=user))
    return client


async def _read_all(client: socket.socket) -> bytes:
    loop, found = asyncio.get_running_loop(), b""
    async with asyncio.timeout(LONG):
        with contextlib.suppress(ConnectionError):
            while data := await loop.sock_recv(client, 1 << 20):
                found += data
    client.close()
    return found


def _tell_much(edge_world, *, mib: int) -> None:
    cluster = edge_world.clusters["alice", "search-cats"]
    story = edge_world.events[cluster.cluster_id]
    story += [
        operation_pb2.Event(number=n, type="Long", description="x" * 4096, at_ms=1)
        for n in range(len(story) + 1, len(story) + 1 + mib * 256)
    ]


def _taken(edge: Edge) -> int:
    return edge.running.runner.app[GATE].streams._sum


async def test_a_reader_who_does_not_read_is_dropped_and_told_why(behind: Behind):
    edge = await start_edge(behind, bff_send_seconds=120)
    edge.world.clear()
    await edge.create()
    client = await _open(edge.port, receive=4096)
    await edge.world.until(lambda: _taken(edge) == 1)
    _tell_much(edge.world, mib=8)
    moved = await Hurried(asyncio.get_running_loop()).until(lambda: _taken(edge) == 0)
    told = await _read_all(client)  # a minute is left until the connection itself is cut
    await edge.running.stop()
    assert 30 < moved < 120  # half of it, less what passed by itself
    assert len(told) < 1 << 20  # of 8 MiB that there was to tell
    assert json.loads(told.split(b"event: end\ndata: ")[1].splitlines()[0])["reason"] == (
        "READER_TOO_SLOW"
    )


async def test_a_client_that_never_reads_is_cut_off(behind: Behind):
    edge = await start_edge(behind, bff_send_seconds=0.4)
    edge.world.clear()
    await edge.create()
    clients = [await _open(edge.port, receive=4096) for _ in range(5)]
    await edge.world.until(lambda: _taken(edge) == 5)
    _tell_much(edge.world, mib=2)
    server = edge.running.runner.server
    await edge.world.until(lambda: not server.connections)
    await edge.running.stop()
    for client in clients:
        client.close()


async def test_one_watch_serves_all_streams_and_is_taken_up_again(behind: Behind):
    edge = await start_edge(behind, bff_streams_per_user=50)
    edge.world.clear()
    await edge.create()
    clients = [await _open(edge.port) for _ in range(40)]
    await edge.world.until(lambda: _taken(edge) == 40)
    edge.world.watch_breaks = 1
    await edge.world.until(lambda: edge.world.watch_breaks == 0)
    _tell_much(edge.world, mib=1)  # while nobody watches
    edge.world.bury("alice", "search-cats")
    stories = await asyncio.gather(*map(_read_all, clients))
    await edge.running.stop()
    assert edge.world.watches == 2
    assert all(b"CLUSTER_DELETED" in story and b"id: 257\n" in story for story in stories)


@pytest.mark.parametrize(
    ("limits", "status", "reason"),
    [
        ({"bff_streams_per_user": 3}, 429, "TOO_MANY_AT_ONCE"),
        ({"bff_streams": 3}, 503, "BUSY"),
    ],
)
async def test_streams_are_bounded_and_take_no_room_from_requests(
    behind: Behind, limits: dict, status: int, reason: str
):
    edge = await start_edge(behind, bff_concurrent=1, **limits)
    edge.world.clear()
    await edge.create()
    clients = [await _open(edge.port) for _ in range(3)]
    await edge.world.until(lambda: _taken(edge) == 3)
    over = await edge.ask("GET", PATH, headers=LIVE)
    listed = await edge.ask("GET", PATH)
    for client in clients:
        client.close()
    await edge.world.until(lambda: _taken(edge) == 0)
    await edge.running.stop()
    assert (over.status, over.reason, over.headers["retry-after"]) == (status, reason, "1")
    assert listed.status == 200


async def test_one_connection_too_many_is_told_so(behind: Behind):
    edge = await start_edge(behind, bff_connections=3)
    edge.world.clear()
    idle = [await asyncio.open_connection("127.0.0.1", edge.port) for _ in range(3)]
    await edge.world.until(lambda: len(edge.running.runner.server.connections) == 3)
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    over = await http.read(reader)
    assert (over.status, over.reason, over.headers["retry-after"]) == (503, "BUSY", "1")
    for one in (writer, *(writer for _, writer in idle)):
        one.close()
        with contextlib.suppress(ConnectionError):
            await one.wait_closed()
    await edge.world.until(lambda: not edge.running.runner.server.connections)
    assert (await edge.ask("GET", "/healthz", user=None)).status == 200
    await edge.running.stop()


async def test_bodies_on_their_way_are_bounded_and_stop_nobody_who_sends_at_once(behind: Behind):
    edge = await start_edge(behind, bff_bodies=2, bff_body_seconds=LONG)
    edge.world.clear()
    wish = {"milvus-name": "cats", "milvus-type": "M5", "disk-size": 50}
    whole = http.request("POST", "/v1/clusters", wish)
    bodies = edge.running.runner.app[GATE].bodies
    slow = [await asyncio.open_connection("127.0.0.1", edge.port) for _ in range(2)]
    for _, writer in slow:
        writer.write(whole[:-1])
    await edge.world.until(lambda: bodies._sum == 2)

    over = await http.raw(edge.port, whole[:-1])
    assert (over.status, over.reason, over.headers["retry-after"]) == (503, "BUSY", "1")
    assert (await http.raw(edge.port, whole)).status == 202
    assert (await edge.ask("GET", "/v1/clusters/cats")).status == 200

    for _, writer in slow:
        writer.write(whole[-1:])
    answers = [await http.read(reader) for reader, _ in slow]
    assert [answer.status for answer in answers] == [200, 200]
    assert bodies._sum == 0
    for _, writer in slow:
        writer.close()
        await writer.wait_closed()
    await edge.running.stop()


@pytest.mark.parametrize("start", [b"GET /v1/clus", b"POST /v1/milvus HTTP/1.1\r\nHost: a\r\nuser"])
async def test_a_crowd_that_sends_a_byte_now_and_then_is_cut_and_stops_nobody(
    behind: Behind, start: bytes
):
    edge = await start_edge(behind, bff_header_seconds=4)  # all 200 must have come before
    server = edge.running.runner.server
    crowd = [await asyncio.open_connection("127.0.0.1", edge.port) for _ in range(200)]
    for _, writer in crowd:
        writer.write(start)
    await edge.world.until(lambda: len(server.connections) == len(crowd))
    assert (await edge.ask("GET", "/v1/plans")).status == 200
    answers = await asyncio.gather(*(_trickle(*one) for one in crowd))
    await edge.world.until(lambda: not server.connections)
    await edge.running.stop()
    assert {(answer.status, answer.reason) for answer in answers} == {(408, "TIMEOUT")}


async def _trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> http.Answer:
    """The answer to who goes on slowly."""
    reading = asyncio.create_task(http.read(reader))
    while not reading.done():
        writer.write(b"x")
        await asyncio.sleep(0.1)
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    return await reading
