"""A client that sends exactly the bytes it is told to, and reads the answer plainly."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass
from typing import Any


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def reason(self) -> str:
        return self.json["reason"] if self.body else ""


async def raw(port: int, data: bytes, *, then_wait: float = 60.0) -> Answer:
    """Send `data`, read one answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        await writer.drain()
        async with asyncio.timeout(then_wait):
            return await read(reader)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def read(reader: asyncio.StreamReader) -> Answer:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {}
    for line in filter(None, lines):
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Answer(int(first.split(" ")[1]), headers, body)


def request(
    method: str,
    target: str,
    body: object = None,
    *,
    headers: list[tuple[str, str]] | None = None,
    user: str | None = "alice",
    content_type: str | None = "application/json",
) -> bytes:
    """The bytes of a request; `body` may be bytes (as they are) or anything JSON can hold."""
    data = body if isinstance(body, bytes) else b""
    if body is not None and not isinstance(body, bytes):
        data = json.dumps(body, ensure_ascii=False).encode()
    lines = [f"{method} {target} HTTP/1.1", "Host: kite.test", "Connection: close"]
    if user is not None:
        lines.append(f"username: {user}")
    if body is not None:
        lines.append(f"Content-Length: {len(data)}")
        if content_type is not None:
            lines.append(f"Content-Type: {content_type}")
    lines += [f"{name}: {value}" for name, value in headers or []]
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + data
