"""The HTTP side: sockets, keep-alive, dropped connections. Knows nothing of rules.

EC2 calls and control paths are answered here; every other service of moto (S3, STS, IAM)
passes through to it untouched on the same port.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import urlsplit

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import ThreadedWSGIServer

from localcloud.strict.call import Reply

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_BACKLOG = 128
_LARGEST_BODY = 4 << 20


class Dropped(Exception):
    """The client shall see its connection end without an answer."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """One HTTP request that is ours to answer."""

    method: str
    path: str
    query: str
    authorization: str
    account: str
    peer: str
    body: bytes


class Clocked(Protocol):
    """What has a time of its own, seconds since the epoch."""

    @property
    def clock(self) -> Callable[[], float]: ...


class Front(Protocol):
    """Who answers the requests of a listener, and the clock that dates the answers."""

    @property
    def cloud(self) -> Clocked: ...

    def answer(self, incoming: Incoming) -> Reply: ...


class _Handler(MotoRequestHandler):
    server: Listener
    protocol_version = "HTTP/1.1"
    timeout = 120

    def run_wsgi(self) -> None:
        if not self._ours():
            super().run_wsgi()
            return
        length = int(self.headers.get("Content-Length") or 0)
        if length > _LARGEST_BODY:
            self.close_connection = True
            return
        url = urlsplit(self.path)
        incoming = Incoming(
            method=self.command,
            path=url.path,
            query=url.query,
            authorization=self.headers.get("Authorization") or "",
            account=self.headers.get("x-moto-account-id") or "",
            peer=str(self.client_address[0]),
            body=self.rfile.read(length) if length else b"",
        )
        try:
            self._send(self.server.front.answer(incoming))
        except Dropped:
            self._reset()

    def _ours(self) -> bool:
        """EC2 queries and control paths; other services and streamed bodies are moto's."""
        if self.path.startswith("/_kite/"):
            return True
        if "/ec2/aws4_request" in (self.headers.get("Authorization") or ""):
            return "Content-Length" in self.headers or self.command == "GET"
        return self.command == "GET" and "Action=" in self.path and "2016-11-15" in self.path

    def _send(self, reply: Reply) -> None:
        lines = [
            f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}",
            f"Content-Length: {len(reply.body)}",
            f"Date: {formatdate(self.server.front.cloud.clock(), usegmt=True)}",
            *(f"{name}: {value}" for name, value in reply.headers),
        ]
        head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
        self.wfile.write(head + reply.body)

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self.connection.close()

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        """Silent: the call log is the record."""


class Listener(ThreadedWSGIServer):
    """One listening address. Raises OSError when it cannot be had; port 0 picks a free one."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], front: Front, others: Callable[..., Any]) -> None:
        bound = socket.create_server(address, backlog=_BACKLOG)
        try:
            super().__init__(address[0], address[1], others, _Handler, fd=bound.fileno())
        finally:
            bound.close()
        self.front = front
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(
            target=self.serve_forever, args=(0.05,), name=f"ec2-{self.port}", daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop accepting and end open connections."""
        if self._thread.is_alive():
            self.shutdown()
            self._thread.join()
        self.server_close()
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        """Silent: the call log is the record."""
