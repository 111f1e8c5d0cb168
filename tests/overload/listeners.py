"""Many who listen to event streams over bare sockets: some read, most do not."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from tests.edge import http

PATH = "/v1/clusters/search-cats/events"
LIVE = [("Accept", "text/event-stream")]
LONG = 120  # seconds: ends a hang
AT_ONCE = 200
PORTS = 4_000
"""Connections of one source address; a system has 28,000 ports, and gives them back slowly."""


@dataclass(eq=False)
class Listener:
    """One stream, asked for from an address of its own choice in 127.0.0.0/8."""

    number: int
    user: str
    reads: bool
    socket: socket.socket = field(default_factory=socket.socket)
    head: bytes = b""
    told: bytes = b""

    async def open(self, port: int) -> None:
        """Connect, ask, and take the first bytes of the answer."""
        loop = asyncio.get_running_loop()
        self.socket.setblocking(False)
        if not self.reads:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        self.socket.bind((f"127.0.0.{2 + self.number // PORTS}", 0))
        async with asyncio.timeout(LONG):
            await loop.sock_connect(self.socket, ("127.0.0.1", port))
            ask = http.request("GET", PATH, headers=LIVE, user=self.user)
            await loop.sock_sendall(self.socket, ask)
            self.head = await loop.sock_recv(self.socket, 512)

    async def read(self) -> None:
        """To the end, whoever makes it."""
        loop = asyncio.get_running_loop()
        with suppress(ConnectionError):
            while data := await loop.sock_recv(self.socket, 1 << 16):
                self.told += data

    @property
    def reason(self) -> str:
        """Why the stream ended; empty when nothing was said."""
        _, found, rest = self.told.partition(b"event: end\ndata: ")
        return json.loads(rest.splitlines()[0])["reason"] if found else ""

    def close(self) -> None:
        self.socket.close()


IP_BIND_ADDRESS_NO_PORT = 24  # from ip(7); Python has no name for it before 3.12


async def open_all(listeners: Iterable[Listener], port: int) -> None:
    """So many at once that the listening queue is never full."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(listener: Listener) -> None:
        async with places:
            await listener.open(port)

    await asyncio.gather(*map(one, listeners))


async def idle(port: int) -> socket.socket:
    """A connection that asks nothing."""
    one = socket.socket()
    one.setblocking(False)
    await asyncio.get_running_loop().sock_connect(one, ("127.0.0.1", port))
    return one
