"""The story of a cluster: as a list, or told live to who accepts text/event-stream.

A stream waits for news of its cluster and then reads on from the last event told, so between two
events it costs a waiting task and nothing else. A reader who leaves the answer unread is dropped;
the last event of every stream says why it ends, and a browser goes on with Last-Event-ID.
"""

import asyncio
import contextlib
import json
from enum import StrEnum

from aiohttp import web

from bff import asked, json_out
from bff.backends import Backends
from bff.edge.connection import connection_of
from bff.news import Listener
from bff.routes.route import STOPPING, backends_of, live, name_of, settings_of, user_of
from kite.errors import KiteError, NotFound
from kite.v1 import operation_pb2, registry_pb2

QUIET_SECONDS = 15.0
_AGAIN_SECONDS = 2.0
_PAGE = 8  # events held in memory for one reader
_BUFFERED_BYTES = 16_384  # towards one reader, here and in the kernel
_GREETING, _QUIET = b"retry: 2000\n\n", b": quiet\n\n"


class End(StrEnum):
    """Why a stream ends."""

    CLUSTER_DELETED = "the story is over: the cluster is deleted"
    STREAM_TOO_OLD = "a stream does not live for ever; connect again"
    SERVER_STOPPING = "this server is stopping; connect again"
    READER_TOO_SLOW = "the stream was not read in time; connect again"


async def read(request: web.Request) -> web.StreamResponse:
    after = asked.after(request.query, request.headers.get("Last-Event-ID", ""))
    size = asked.page(request.query).size
    if live(request):
        return await _stream(request, after)
    found = await _events(backends_of(request), user_of(request), name_of(request), after, size)
    return web.json_response(json_out.events(found, after))


async def _events(
    backends: Backends, user: str, name: str, after: int, size: int
) -> list[operation_pb2.Event]:
    message = operation_pb2.ListEventsRequest(
        user=user, milvus_name=name, after_number=after, page_size=size
    )
    return list((await backends.operations.ListEvents(message)).events)


async def _stream(request: web.Request, after: int) -> web.StreamResponse:
    """Server-sent events (HTML standard, 9.2): id, event, data; a comment when all is quiet."""
    user, name = user_of(request), name_of(request)
    with backends_of(request).news.listen(user, name) as listener:
        story = _Story(backends_of(request), listener, user, name, after)
        first = await story.more()  # what is not there is refused before the stream begins
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        reader = _Reader(request, response, listener)
        with contextlib.suppress(ConnectionError):
            end = await _until_end(request, reader, story, first)
            await reader.end(end)
    return response


class _Story:
    """The events of one cluster from a number on; knows when there will be no more."""

    def __init__(
        self, backends: Backends, listener: Listener, user: str, name: str, after: int
    ) -> None:
        self._backends, self.listener = backends, listener
        self._user, self._name = user, name
        self._after = after
        self._cluster_id = ""
        self.over = False

    async def more(self) -> bytes:
        """The next events as a stream has them, a page at most; empty when all are told."""
        async with self._backends.news.looks:
            if self.listener.doubt:
                self.listener.doubt = False
                self.over = not await self._lives()
            found = await _events(self._backends, self._user, self._name, self._after, _PAGE)
        self._after = found[-1].number if found else self._after
        return b"".join(map(_message, found))

    async def _lives(self) -> bool:
        asked_for = registry_pb2.GetClusterRequest(user=self._user, milvus_name=self._name)
        try:
            cluster = (await self._backends.registry.GetCluster(asked_for)).cluster
        except NotFound:
            return False
        self._cluster_id = self._cluster_id or cluster.cluster_id
        return cluster.cluster_id == self._cluster_id

    async def patiently(self) -> bytes | None:
        """As `more`; None when the registry does not answer now."""
        try:
            return await self.more()
        except NotFound:
            raise
        except KiteError:  # a stream that was begun cannot answer anything else any more
            self.listener.doubt = True
            return None


class _Reader:
    """The other end of a stream, which must take in time what it is told."""

    def __init__(
        self, request: web.Request, response: web.StreamResponse, listener: Listener
    ) -> None:
        self._response = response
        self._connection = connection_of(request)
        self._connection.narrow(_BUFFERED_BYTES)
        self._connection.when_lost(listener.wake)
        # The connection itself is cut after twice this time.
        self._seconds = settings_of(request).bff_send_seconds / 2

    @property
    def gone(self) -> bool:
        return not self._connection.connected

    async def tell(self, data: bytes) -> None:
        """Raises TimeoutError when the reader does not read."""
        async with asyncio.timeout(self._seconds):
            for start in range(0, len(data), _BUFFERED_BYTES):
                await self._response.write(data[start : start + _BUFFERED_BYTES])
                await self._connection.drained()

    async def end(self, why: End) -> None:
        told = json.dumps({"reason": why.name, "description": why.value})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0):  # into the buffer; the connection's clock does the rest
                await self._response.write(f"event: end\ndata: {told}\n\n".encode())


async def _until_end(request: web.Request, reader: _Reader, story: _Story, first: bytes) -> End:
    life = asyncio.timeout(settings_of(request).bff_stream_seconds)
    try:
        async with life:
            return await _tell(request.app[STOPPING], reader, story, first)
    except NotFound:
        return End.CLUSTER_DELETED
    except TimeoutError:
        return End.STREAM_TOO_OLD if life.expired() else End.READER_TOO_SLOW


async def _tell(
    stopping: asyncio.Event, reader: _Reader, story: _Story, found: bytes | None
) -> End:
    await reader.tell(_GREETING)
    while not stopping.is_set():
        if found:
            await reader.tell(found)
        elif story.over:
            return End.CLUSTER_DELETED
        elif not await story.listener.news(_AGAIN_SECONDS if found is None else QUIET_SECONDS):
            await reader.tell(_QUIET)
            if found is not None:
                continue
        if reader.gone:
            raise ConnectionResetError
        found = await story.patiently()
    return End.SERVER_STOPPING


def _message(event: operation_pb2.Event) -> bytes:
    kind = "".join(letter for letter in event.type if letter.isalnum()) or "event"
    data = json.dumps(json_out.event(event))
    return f"id: {event.number}\nevent: {kind}\ndata: {data}\n\n".encode()
