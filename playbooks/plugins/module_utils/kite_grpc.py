"""Ask one gRPC question with the standard library alone: hosts have no gRPC package.

Speaks just enough HTTP/2 for a small unary call over a plain connection to this host: headers go
out uncompressed, headers that come in are skipped. A reply without a message is a refusal.
Sources: RFC 9113 (frames), RFC 7541 6.2.2 (literal headers), grpc/doc/PROTOCOL-HTTP2.md.
"""

from __future__ import annotations

import socket
import struct
import typing as t

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
ACK = END_STREAM = 1
END_HEADERS = 4
FRAME_LIMIT = 1 << 20


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One HTTP/2 frame."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def number(value: int, prefix_bits: int) -> bytes:
    """An integer as HPACK writes it, with nothing in the bits before it."""
    most = (1 << prefix_bits) - 1
    if value < most:
        return bytes([value])
    out, value = [most], value - most
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes([*out, value])


def header(name: str, value: str) -> bytes:
    """A header as a literal that no table keeps."""
    parts = (name.encode("ascii"), value.encode("ascii"))
    return b"\x00" + b"".join(number(len(part), 7) + part for part in parts)


def varint(value: int) -> bytes:
    """An unsigned integer as protobuf writes it."""
    out = []
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes([*out, value])


def text_field(index: int, value: str) -> bytes:
    """A string field of a protobuf message."""
    data = value.encode("utf-8")
    return varint(index << 3 | 2) + varint(len(data)) + data


def read_varint(data: bytes, at: int) -> t.Tuple[int, int]:  # noqa: UP006
    """The integer at a place and the place after it."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def fields(data: bytes) -> t.Iterator[t.Tuple[int, t.Union[int, bytes]]]:  # noqa: UP006, UP007
    """The fields of a protobuf message; fixed-width ones are skipped."""
    at = 0
    while at < len(data):
        key, at = read_varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = read_varint(data, at)
            yield key >> 3, value
        elif kind == 2:
            size, at = read_varint(data, at)
            yield key >> 3, data[at : at + size]
            at += size
        elif kind in {1, 5}:
            at += 8 if kind == 1 else 4
        else:
            raise ValueError("not a protobuf message")


def question(path: str, authority: str, metadata: t.Dict[str, str], message: bytes) -> bytes:  # noqa: UP006
    """Everything a client sends for one unary call."""
    names = {
        ":method": "POST",
        ":scheme": "http",
        ":path": path,
        ":authority": authority,
        "content-type": "application/grpc",
        "te": "trailers",
        **metadata,
    }
    head = b"".join(header(name, value) for name, value in names.items())
    body = b"\x00" + struct.pack(">I", len(message)) + message
    return b"".join(
        [
            PREFACE,
            frame(SETTINGS, 0, 0),
            frame(HEADERS, END_HEADERS, 1, head),
            frame(DATA, END_STREAM, 1, body),
        ]
    )


def frames(stream: t.IO[bytes]) -> t.Iterator[t.Tuple[int, int, int, bytes]]:  # noqa: UP006
    """Frames as they come, until the other side closes."""
    while True:
        head = stream.read(9)
        if len(head) < 9:
            return
        size = int.from_bytes(head[:3], "big")
        if size > FRAME_LIMIT:
            raise ValueError("a frame of {} bytes".format(size))
        kind, flags, on = struct.unpack(">BBI", head[3:])
        yield kind, flags, on, stream.read(size)


def call(
    address: t.Tuple[str, int],  # noqa: UP006
    path: str,
    metadata: t.Dict[str, str],  # noqa: UP006
    message: bytes,
    timeout: float,
) -> t.Optional[bytes]:  # noqa: UP045
    """The reply's message, or None when the call was refused; OSError when nobody answers."""
    authority = "{}:{}".format(*address)
    with socket.create_connection(address, timeout) as line, line.makefile("rb") as stream:
        line.sendall(question(path, authority, metadata, message))
        body = b""
        for kind, flags, on, payload in frames(stream):
            if kind == SETTINGS and not flags & ACK:
                line.sendall(frame(SETTINGS, ACK, 0))
            elif kind == PING and not flags & ACK:
                line.sendall(frame(PING, ACK, 0, payload))
            elif kind == DATA and on == 1:
                body += payload
            if kind in {RST_STREAM, GOAWAY} or (
                on == 1 and kind in {HEADERS, DATA} and flags & END_STREAM
            ):
                break
    return body[5:] if len(body) >= 5 else None
