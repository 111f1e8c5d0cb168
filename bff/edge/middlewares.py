"""What every request passes, from the outside in.

named       a request id, in the log, in the calls behind, in the answer
logged      one line per request
faced       failures become answers
identified  the body is read, the sender is known
limited     the sender's share, and a deadline
checked     only what this route knows
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from bff import asked
from bff.edge import access_log, body, failures
from bff.edge.identity import Claim, Identity
from bff.edge.limits import Places, Rate
from bff.routes.route import (
    CALLER,
    RAW_BODY,
    REQUEST_ID,
    ROUTE,
    SETTINGS,
    Handler,
    Route,
    live,
    wait_of,
)
from kite import names
from kite.errors import (
    Conflict,
    DeadlinePassed,
    Forbidden,
    Internal,
    KiteError,
    NotFound,
)
from kite.rpc import caller
from kite.telemetry import logs

_log = logs.get(__name__)
# What a service says when the revision insisted on is not the present one.
_CHANGED = frozenset({Conflict.default_reason, "REVISION_MISMATCH"})

_ANYBODY = ""


@dataclass(frozen=True, slots=True)
class Gate:
    """What the middlewares share for the life of the process."""

    routes: dict[tuple[str, str], Route]
    identity: Identity
    rate: Rate
    endpoint_rate: Rate
    bodies: Places
    places: Places
    held: Places
    streams: Places


GATE = web.AppKey("gate", Gate)


@web.middleware
async def named(request: web.Request, handler: Handler) -> web.StreamResponse:
    given = request.headers.getall("X-Request-Id", [])
    kept = len(given) == 1 and names.request_id(given[0])
    request[REQUEST_ID] = given[0] if kept else caller.new_request_id()
    caller.request_id.set(request[REQUEST_ID])
    logs.bind(request_id=request[REQUEST_ID])
    return await handler(request)


async def sign_answer(request: web.Request, response: web.StreamResponse) -> None:
    """Headers of every answer (signal on_response_prepare: also streams)."""
    response.headers.setdefault("X-Request-Id", request.get(REQUEST_ID, ""))
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.setdefault("Vary", "username, Accept")
    response.headers["Server"] = "kite"


@web.middleware
async def logged(request: web.Request, handler: Handler) -> web.StreamResponse:
    return await access_log.told(request, handler)


@web.middleware
async def faced(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except (KiteError, web.HTTPException) as failed:
        return _faced(request, failed)
    except ConnectionError:
        raise
    except Exception:  # noqa: BLE001 - the boundary: every failure gets a name here
        _log.exception("a request failed by a defect")
        return _faced(request, Internal())


def _faced(request: web.Request, failed: KiteError | web.HTTPException) -> web.Response:
    named_failure = failures.of_http(failed) if isinstance(failed, web.HTTPException) else failed
    named_failure = failures.in_our_words(named_failure)
    route = request.get(ROUTE)
    if isinstance(named_failure, NotFound) and named_failure.reason != "NO_SUCH_ROUTE" and route:
        named_failure = failures.absent(route.noun)
    if named_failure.reason in _CHANGED and "If-Match" in request.headers:
        named_failure = asked.mismatch()
    return failures.face(named_failure, request_id=request[REQUEST_ID]).response()


@web.middleware
async def identified(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Also finds the route; what has none is answered without asking who it is."""
    route = _route(request)
    if route is None:
        return await handler(request)
    request[ROUTE] = route
    if not route.open:
        request[RAW_BODY] = await _body(request)
        request[CALLER] = request.app[GATE].identity.of(_claim(request))
        logs.bind(user=request[CALLER].user)
    return await handler(request)


def _route(request: web.Request) -> Route | None:
    resource = request.match_info.route.resource
    method = "GET" if request.method == "HEAD" else request.method
    return request.app[GATE].routes.get((method, resource.canonical if resource else ""))


async def _body(request: web.Request) -> bytes:
    """Nobody knows the sender yet, so these places bound memory; who sent all at once needs none.

    Thus a crowd that sends slowly stops nobody who does not.
    """
    settings, gate = request.app[SETTINGS], request.app[GATE]
    with ExitStack() as taken:
        if not request.content.is_eof():
            taken.enter_context(gate.bodies.held(_ANYBODY))
        return await body.receive(
            request, most=settings.bff_body_bytes, seconds=settings.bff_body_seconds
        )


def _claim(request: web.Request) -> Claim:
    return Claim(
        usernames=request.headers.getall("username", []),
        signatures=request.headers.getall("kite-signature", []),
        method=request.method,
        target=request.raw_path,
        body=request[RAW_BODY],
    )


@web.middleware
async def limited(request: web.Request, handler: Handler) -> web.StreamResponse:
    route, gate = request.get(ROUTE), request.app[GATE]
    if route is None or route.open:
        return await handler(request)
    user = request[CALLER].user
    gate.rate.take(user)
    if route.scarce:
        gate.endpoint_rate.take(user)
    with ExitStack() as taken:
        for places in _places(request, route, gate):
            taken.enter_context(places.held(user))
        async with _deadline(request, route):
            return await handler(request)


def _places(request: web.Request, route: Route, gate: Gate) -> tuple[Places, ...]:
    """A stream lasts long and costs little; a held answer also counts as a request."""
    if live(request):
        return (gate.streams,)
    holds = route.waits and wait_of(request).seconds
    return (gate.places, gate.held) if holds else (gate.places,)


@asynccontextmanager
async def _deadline(request: web.Request, route: Route) -> AsyncIterator[None]:
    settings = request.app[SETTINGS]
    seconds: float | None = settings.bff_request_seconds
    if route.waits and seconds is not None:
        seconds += settings.bff_url_seconds + settings.bff_hold_seconds
    try:
        async with asyncio.timeout(None if live(request) else seconds):
            yield
    except TimeoutError:
        raise DeadlinePassed("the services behind took too long; ask again") from None


@web.middleware
async def checked(request: web.Request, handler: Handler) -> web.StreamResponse:
    route = request.get(ROUTE)
    if route is None:
        return await handler(request)
    if route.admin and not request[CALLER].admin:
        raise Forbidden("this path is for administrators", reason="ADMIN_ONLY")
    asked.known_parameters([key for key, _ in request.query.items()], route.query)
    return await handler(request)
