"""What a route is, and what its handler may take from a request."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from aiohttp import web

from bff import asked
from bff.asked import Wait
from bff.backends import Backends
from bff.edge import body
from bff.edge.failures import no_such_route
from bff.edge.identity import Caller
from bff.settings import Settings
from bff.strict_json import Json, JsonObject
from kite import names
from kite.clock import Clock
from kite.errors import Malformed

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]

SETTINGS = web.AppKey("settings", Settings)
STOPPING = web.AppKey("stopping", asyncio.Event)
CLOCK: web.AppKey[Clock] = web.AppKey("clock")
BACKENDS = web.AppKey("backends", Backends)


@dataclass(frozen=True, slots=True)
class Route:
    """One verb on one path.

    Attributes:
        query: parameters it knows; others are refused.
        noun: what is absent when something is not found.
        lenient: bodies may be the seed's printed samples.
        open: needs no identity.
        admin: for admins only.
        waits: may be held for up to a minute.
        streams: answers as long as the caller listens, to who accepts an event stream.
        scarce: counts against the limit for endpoints.
    """

    method: str
    path: str
    handler: Handler
    query: frozenset[str] = frozenset()
    noun: str = "cluster"
    lenient: bool = False
    open: bool = False
    admin: bool = False
    waits: bool = False
    streams: bool = False
    scarce: bool = False


ROUTE = web.RequestKey("route", Route)
CALLER = web.RequestKey("caller", Caller)
RAW_BODY = web.RequestKey("raw_body", bytes)
REQUEST_ID = web.RequestKey("request_id", str)


def wait_of(request: web.Request) -> Wait:
    """How long the caller would have the answer held, and may."""
    prefer = request.headers.getall("Prefer", [])
    return asked.wait(request.query, prefer, most=settings_of(request).bff_hold_seconds)


def live(request: web.Request) -> bool:
    """Whether the answer will be a stream: the route has one and the caller asks for it."""
    return request[ROUTE].streams and "text/event-stream" in request.headers.get("Accept", "")


def user_of(request: web.Request) -> str:
    return request[CALLER].user


def backends_of(request: web.Request) -> Backends:
    return request.app[BACKENDS]


def settings_of(request: web.Request) -> Settings:
    return request.app[SETTINGS]


def body_of(request: web.Request) -> JsonObject:
    """The JSON object of the body; the seed form may lack or have too many commas."""
    lenient = request[ROUTE].lenient and settings_of(request).bff_seed_json
    content_type = request.headers.get("Content-Type", "")
    return body.content(request[RAW_BODY], content_type, lenient=lenient)


def body_or_nothing(request: web.Request) -> JsonObject:
    """As `body_of`; an empty object when no body came."""
    return body_of(request) if request[RAW_BODY] else {}


def query_of(request: web.Request) -> dict[str, Json]:
    return dict(request.query)


def name_of(request: web.Request) -> str:
    """The cluster that the path names.

    Raises:
        NotFound: NO_SUCH_ROUTE for an encoded slash.
        Malformed: INVALID_NAME for control characters.
        InvalidRequest: INVALID_NAME, RESERVED_NAME.
    """
    return names.cluster_name(segment(request, "name"), field="")


def segment(request: web.Request, key: str) -> str:
    """A variable part of the path, decoded."""
    text = request.match_info[key]
    if "/" in text or text in {".", ".."}:
        raise no_such_route()
    if any(ord(letter) < ord(" ") for letter in text):
        raise Malformed("the path holds a control character", reason="INVALID_NAME")
    return text
