"""A small DNS responder, so that unmodified clients can use an instance's public name.

It knows EC2 names of our own ranges and answers NXDOMAIN to all else; it asks nobody.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network
from socketserver import BaseRequestHandler, ThreadingUDPServer
from typing import ClassVar

from dnslib import QTYPE, RCODE, RR, A, DNSError, DNSRecord

from localcloud import dns_names

TTL = 5
"""Seconds; an elastic address may move soon."""


class DnsServer:
    """Answers on every given address from threads. Raises OSError when a port is taken."""

    def __init__(
        self, listen: Sequence[IPv4Address], ours: Sequence[IPv4Network], port: int = 53
    ) -> None:
        handler = type("Handler", (_Handler,), {"ours": tuple(ours)})
        self._servers: list[_Server] = []
        try:
            for address in listen:
                self._servers.append(_Server((str(address), port), handler))
        except OSError:
            self.stop()
            raise
        for server in self._servers:
            threading.Thread(
                target=server.serve_forever, args=(0.1,), name="dns", daemon=True
            ).start()
            server.started = True

    @property
    def ports(self) -> list[int]:
        return [int(server.server_address[1]) for server in self._servers]

    def stop(self) -> None:
        for server in self._servers:
            if server.started:
                server.shutdown()
            server.server_close()


class _Server(ThreadingUDPServer):
    daemon_threads = True
    started = False


class _Handler(BaseRequestHandler):
    ours: ClassVar[tuple[IPv4Network, ...]]

    def handle(self) -> None:
        packet, socket = self.request
        if (said := answer(packet, self.ours)) is not None:
            socket.sendto(said, self.client_address)


def answer(packet: bytes, ours: Sequence[IPv4Network]) -> bytes | None:
    """The reply to one query; None when it is no DNS message at all."""
    try:
        query = DNSRecord.parse(packet)
    except DNSError:
        return None
    reply = query.reply()
    found = dns_names.address(str(query.q.qname), ours)
    if found is None:
        reply.header.rcode = RCODE.NXDOMAIN
    elif query.q.qtype in (QTYPE.A, QTYPE.ANY):
        reply.add_answer(RR(query.q.qname, QTYPE.A, rdata=A(str(found)), ttl=TTL))
    packed: bytes = reply.pack()
    return packed
