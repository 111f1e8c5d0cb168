"""The story of a cluster: as a list, or told live to who accepts text/event-stream."""

import asyncio
import json

from aiohttp import web

from bff import asked, json_out
from bff.routes.route import STOPPING, backends_of, name_of, settings_of, user_of
from kite.errors import NotFound, Unavailable
from kite.v1 import operation_pb2

_LOOK_SECONDS = 0.5
_QUIET_LOOKS = 30


async def read(request: web.Request) -> web.StreamResponse:
    after = asked.after(request.query, request.headers.get("Last-Event-ID", ""))
    size = asked.page(request.query).size
    found = await _events(request, after, size)
    if "text/event-stream" in request.headers.get("Accept", ""):
        return await _stream(request, found, after)
    return web.json_response(json_out.events(found, after))


async def _events(request: web.Request, after: int, size: int) -> list[operation_pb2.Event]:
    message = operation_pb2.ListEventsRequest(
        user=user_of(request), milvus_name=name_of(request), after_number=after, page_size=size
    )
    return list((await backends_of(request).operations.ListEvents(message)).events)


async def _stream(
    request: web.Request, found: list[operation_pb2.Event], after: int
) -> web.StreamResponse:
    """Server-sent events (HTML standard, 9.2): id, event, data; a comment when all is quiet."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
    await response.prepare(request)
    try:
        async with asyncio.timeout(settings_of(request).bff_stream_seconds):
            await _tell(request, response, found, after)
    except (TimeoutError, NotFound):
        await response.write(b"event: end\ndata: {}\n\n")
    except ConnectionError:
        pass
    return response


async def _tell(
    request: web.Request,
    response: web.StreamResponse,
    found: list[operation_pb2.Event],
    after: int,
) -> None:
    quiet = 0
    stopping = request.app[STOPPING]
    while request.transport is not None and not stopping.is_set():
        for event in found:
            await response.write(_message(event))
        after = found[-1].number if found else after
        quiet = 0 if found else quiet + 1
        if quiet % _QUIET_LOOKS == 1:
            await response.write(b": quiet\n\n")
        await asyncio.sleep(0 if found else _LOOK_SECONDS)
        try:
            found = await _events(request, after, asked.LARGEST_PAGE)
        except Unavailable:
            found = []


def _message(event: operation_pb2.Event) -> bytes:
    kind = "".join(letter for letter in event.type if letter.isalnum()) or "event"
    data = json.dumps(json_out.event(event))
    return f"id: {event.number}\nevent: {kind}\ndata: {data}\n\n".encode()
