"""A connection that waits for nobody for ever, and whose failures are JSON too.

aiohttp waits for the rest of a head as long as a keep-alive connection may rest; a sender of one
byte a second would hold the connection for an hour (T28). Here the first byte of a head starts a
clock, and the head must be whole before it runs out. The same for an answer that nobody reads: its
bytes would stay here as long as the connection does, so a sender that stays blocked is cut off.
The number of connections is bounded as well; one too many is answered 503 at once.
"""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_protocol import RequestHandler
from aiohttp.web_request import BaseRequest

from bff.edge import failures
from kite.errors import Internal, InvalidRequest, KiteError, Malformed, Unavailable
from kite.rpc.caller import new_request_id
from kite.telemetry import logs

_log = logs.get(__name__)
_CONTINUE = "100-continue"


@dataclass(frozen=True, slots=True)
class Clocks:
    """Seconds for the head of a request to arrive, and for an answer to be taken."""

    head: float
    send: float


class Connection(RequestHandler):
    """aiohttp's protocol with clocks for heads (408 and closed) and for unread answers (cut)."""

    __slots__ = ("_clocks", "_head_clock", "_lost", "_send_clock")

    def __init__(self, manager: "Server", *, clocks: Clocks, **kwargs: Any) -> None:
        super().__init__(manager, **kwargs)
        self._clocks = clocks
        self._head_clock: asyncio.TimerHandle | None = None
        self._send_clock: asyncio.TimerHandle | None = None
        self._lost: Callable[[], None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        manager = self._manager
        if isinstance(manager, Server) and manager.full and self.transport is not None:
            busy = Unavailable(
                "too many connections at the moment; try again", reason="BUSY", retry_after=1
            )
            self.transport.write(failures.face(busy, request_id=new_request_id()).raw())
            self.force_close()

    def data_received(self, data: bytes) -> None:
        before = self._request_count
        super().data_received(data)
        if self._request_count > before:
            self._stop_clock()
        elif self._idle() and self._head_clock is None:
            self._head_clock = self._loop.call_later(self._clocks.head, self._too_slow)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._stop_clock()
        self._stop_send_clock()
        super().connection_lost(exc)
        if self._lost is not None:
            self._lost()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._send_clock = self._loop.call_later(self._clocks.send, self._unread)

    def resume_writing(self) -> None:
        self._stop_send_clock()
        super().resume_writing()

    async def drained(self) -> None:
        """Wait until the client has read so much that more may be sent.

        Raises:
            ConnectionError: it has gone.
        """
        await self._drain_helper()

    async def _drain_helper(self) -> None:
        # A waiter that somebody's timeout cancelled would cancel whoever drains next.
        if self._drain_waiter is not None and self._drain_waiter.cancelled():
            self._drain_waiter = None
        await super()._drain_helper()

    def narrow(self, most: int) -> None:
        """Buffer about `most` bytes towards this client, for answers that may never end."""
        if self.transport is not None:
            self.transport.set_write_buffer_limits(high=most)
            wire: socket.socket = self.transport.get_extra_info("socket")
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, most)

    def when_lost(self, call: Callable[[], None]) -> None:
        """Call this when the client has gone."""
        self._lost = call

    def _idle(self) -> bool:
        """No request is in work or about to be, so what arrives belongs to a head."""
        waiting = self._waiter is not None and not self._waiter.done()
        return waiting or self._request_count == 0

    def _stop_clock(self) -> None:
        if self._head_clock is not None:
            self._head_clock.cancel()
            self._head_clock = None

    def _stop_send_clock(self) -> None:
        if self._send_clock is not None:
            self._send_clock.cancel()
            self._send_clock = None

    def _unread(self) -> None:
        self._send_clock = None
        if self.transport is not None:
            _log.info("a client that does not read was cut off", seconds=self._clocks.send)
            self.transport.abort()

    def _too_slow(self) -> None:
        self._head_clock = None
        if self.transport is None or not self._idle():
            return
        late = InvalidRequest(
            f"the head of the request did not arrive within {self._clocks.head:g} seconds",
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


def connection_of(request: web.Request) -> Connection:
    """The connection a request came over."""
    found = request.protocol
    assert isinstance(found, Connection)
    return found


def _named(status: int, exc: BaseException | None) -> KiteError:
    if isinstance(exc, LineTooLong):
        return Malformed("a line of the head is too long", reason="HEADER_TOO_LARGE")
    if status < web.HTTPInternalServerError.status_code:
        return Malformed("this is not HTTP as RFC 9112 has it", reason="MALFORMED_HTTP")
    _log.error("a request failed by a defect", exc_info=exc)
    return Internal()


class Server(web.Server):
    """Makes `Connection`s; an expectation nobody can meet is refused before the application."""

    def __init__(
        self,
        inner: web.Server,
        *,
        head_seconds: float,
        send_seconds: float,
        most: int,
        **kwargs: Any,
    ) -> None:
        self._inner = inner.request_handler
        super().__init__(self._answer, request_factory=inner.request_factory, **kwargs)
        self._clocks = Clocks(head_seconds, send_seconds)
        self._most = most

    @property
    def full(self) -> bool:
        """Whether there are more connections than may be."""
        return len(self._connections) > self._most

    async def _answer(self, request: BaseRequest) -> web.StreamResponse:
        # aiohttp's own refusal of other expectations fails on bytes that are no UTF-8.
        if request.headers.get("Expect", _CONTINUE).lower() != _CONTINUE:
            refused = Malformed(
                f"only Expect: {_CONTINUE} is understood", reason="EXPECTATION_FAILED"
            )
            return failures.face(refused, request_id=new_request_id()).response()
        return await self._inner(request)

    def __call__(self) -> RequestHandler:
        return Connection(self, clocks=self._clocks, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """Runs an application behind `Server`."""

    __slots__ = ("_connection_settings",)

    def __init__(self, app: web.Application, *, drain_seconds: float, **connection: Any) -> None:
        super().__init__(app, access_log=None, shutdown_timeout=drain_seconds)
        self._connection_settings = connection

    async def _make_server(self) -> web.Server:
        return Server(await super()._make_server(), **self._connection_settings)
