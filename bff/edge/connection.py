"""A connection with a time limit on request heads, whose failures are JSON too.

aiohttp waits for the rest of a head as long as a keep-alive connection may rest; a sender of one
byte a second would hold the connection for an hour (T28). Here the first byte of a head starts a
clock, and the head must be whole before it runs out.
"""

import asyncio
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_protocol import RequestHandler
from aiohttp.web_request import BaseRequest

from bff.edge import failures
from kite.errors import Internal, InvalidRequest, KiteError, Malformed
from kite.rpc.caller import new_request_id
from kite.telemetry import logs

_log = logs.get(__name__)
_CONTINUE = "100-continue"


class Connection(RequestHandler):
    """aiohttp's protocol with a clock for heads; answers 408 and closes when it runs out."""

    __slots__ = ("_head_clock", "_head_seconds")

    def __init__(self, manager: web.Server, *, head_seconds: float, **kwargs: Any) -> None:
        super().__init__(manager, **kwargs)
        self._head_seconds = head_seconds
        self._head_clock: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        before = self._request_count
        super().data_received(data)
        if self._request_count > before:
            self._stop_clock()
        elif self._idle() and self._head_clock is None:
            self._head_clock = self._loop.call_later(self._head_seconds, self._too_slow)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._stop_clock()
        super().connection_lost(exc)

    def _idle(self) -> bool:
        """No request is in work or about to be, so what arrives belongs to a head."""
        waiting = self._waiter is not None and not self._waiter.done()
        return waiting or self._request_count == 0

    def _stop_clock(self) -> None:
        if self._head_clock is not None:
            self._head_clock.cancel()
            self._head_clock = None

    def _too_slow(self) -> None:
        self._head_clock = None
        if self.transport is None or not self._idle():
            return
        late = InvalidRequest(
            f"the head of the request did not arrive within {self._head_seconds:g} seconds",
            reason="TIMEOUT",
        )
        self.transport.write(failures.face(late, request_id=new_request_id()).raw())
        self.force_close()

    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """A request that could not be read, as JSON; the connection is closed after it."""
        del message
        if request.writer.output_size > 0:
            raise ConnectionError("an answer was begun already")
        response = failures.face(_named(status, exc), request_id=new_request_id()).response()
        response.force_close()
        return response


def _named(status: int, exc: BaseException | None) -> KiteError:
    if isinstance(exc, LineTooLong):
        return Malformed("a line of the head is too long", reason="HEADER_TOO_LARGE")
    if status < web.HTTPInternalServerError.status_code:
        return Malformed("this is not HTTP as RFC 9112 has it", reason="MALFORMED_HTTP")
    _log.error("a request failed by a defect", exc_info=exc)
    return Internal()


class Server(web.Server):
    """Makes `Connection`s; an expectation nobody can meet is refused before the application."""

    def __init__(self, inner: web.Server, *, head_seconds: float, **kwargs: Any) -> None:
        self._inner = inner.request_handler
        super().__init__(self._answer, request_factory=inner.request_factory, **kwargs)
        self._head_seconds = head_seconds

    async def _answer(self, request: BaseRequest) -> web.StreamResponse:
        # aiohttp's own refusal of other expectations fails on bytes that are no UTF-8.
        if request.headers.get("Expect", _CONTINUE).lower() != _CONTINUE:
            refused = Malformed(
                f"only Expect: {_CONTINUE} is understood", reason="EXPECTATION_FAILED"
            )
            return failures.face(refused, request_id=new_request_id()).response()
        return await self._inner(request)

    def __call__(self) -> RequestHandler:
        return Connection(self, head_seconds=self._head_seconds, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """Runs an application behind `Server`."""

    __slots__ = ("_connection_settings",)

    def __init__(self, app: web.Application, *, drain_seconds: float, **connection: Any) -> None:
        super().__init__(app, access_log=None, shutdown_timeout=drain_seconds)
        self._connection_settings = connection

    async def _make_server(self) -> web.Server:
        return Server(await super()._make_server(), **self._connection_settings)
