"""One line per request: who, what, how it went, how long; never a body, never a header's secret."""

import time

from aiohttp import web

from bff.routes.route import CALLER, ROUTE, Handler
from kite.telemetry import logs

_log = logs.get(__name__)
_LONGEST_PATH = 200


async def told(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Handle, then tell; a caller who went away is told as status 499."""
    started = time.monotonic()
    status = 499
    try:
        response = await handler(request)
        status = response.status
        return response
    finally:
        route = request.get(ROUTE)
        caller = request.get(CALLER)
        _log.info(
            "request",
            method=request.method,
            path=request.path[:_LONGEST_PATH],
            route=route.path if route else "",
            status=status,
            user=caller.user if caller else "",
            peer=request.remote or "",
            milliseconds=round((time.monotonic() - started) * 1000, 1),
        )
