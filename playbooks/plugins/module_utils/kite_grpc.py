"""Ask one gRPC question with the standard library alone: hosts have no gRPC package.

Speaks just enough HTTP/2 for a small unary call over a plain connection to this host: headers go
out uncompressed, headers that come in are skipped. A reply that ended without a message is a
refusal; why, its skipped headers would tell.
Sources: RFC 9113 (frames), RFC 7541 6.2.2 (literal headers), grpc/doc/PROTOCOL-HTTP2.md.
"""

from __future__ import annotations

import socket
import struct
import typing as t

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING = 0, 1, 3, 4, 6
ACK = END_STREAM = 1
END_HEADERS = 4
FRAME_LIMIT = 1 << 20
FRAME_HEAD = 9
MESSAGE_HEAD = 5
MORE = 128  # the bit that says another byte follows
VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One HTTP/2 frame."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def number(value: int, prefix_bits: int) -> bytes:
    """An integer as HPACK writes it, with nothing in the bits before it."""
    most = (1 << prefix_bits) - 1
    if value < most:
        return bytes([value])
    out, value = [most], value - most
    while value >= MORE:
        out.append(value % MORE + MORE)
        value //= MORE
    return bytes([*out, value])


def header(name: str, value: str) -> bytes:
    """A header as a literal that no table keeps."""
    parts = (name.encode("ascii"), value.encode("ascii"))
    return b"\x00" + b"".join(number(len(part), 7) + part for part in parts)


def varint(value: int) -> bytes:
    """An unsigned integer as protobuf writes it."""
    out = []
    while value >= MORE:
        out.append(value % MORE + MORE)
        value //= MORE
    return bytes([*out, value])


def text_field(index: int, value: str) -> bytes:
    """A string field of a protobuf message."""
    data = value.encode("utf-8")
    return varint(index << 3 | LENGTH) + varint(len(data)) + data


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """The integer at a place and the place after it."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte % MORE) << shift
        at, shift = at + 1, shift + 7
        if byte < MORE:
            return value, at


def fields(data: bytes) -> t.Iterator[tuple[int, int | bytes]]:
    """The fields of a protobuf message; fixed-width ones are skipped."""
    at = 0
    while at < len(data):
        key, at = read_varint(data, at)
        kind = key & 7
        if kind == VARINT:
            value, at = read_varint(data, at)
            yield key >> 3, value
        elif kind == LENGTH:
            size, at = read_varint(data, at)
            yield key >> 3, data[at : at + size]
            at += size
        elif kind in {FIXED64, FIXED32}:
            at += 8 if kind == FIXED64 else 4
        else:
            raise ValueError("not a protobuf message")


def question(path: str, authority: str, metadata: dict[str, str], message: bytes) -> bytes:
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


def frames(stream: t.IO[bytes]) -> t.Iterator[tuple[int, int, int, bytes]]:
    """Frames as they come, until the other side closes."""
    while True:
        head = stream.read(FRAME_HEAD)
        if len(head) < FRAME_HEAD:
            return
        size = int.from_bytes(head[:3], "big")
        if size > FRAME_LIMIT:
            raise ValueError(f"a frame of {size} bytes")
        kind, flags, on = struct.unpack(">BBI", head[3:])
        yield kind, flags, on, stream.read(size)


def call(
    address: tuple[str, int],
    path: str,
    metadata: dict[str, str],
    message: bytes,
    timeout: float,
) -> bytes | None:
    """The reply's message, or None when the call was refused; OSError when nobody answers."""
    authority = "{}:{}".format(*address)
    with socket.create_connection(address, timeout) as line, line.makefile("rb") as stream:
        line.sendall(question(path, authority, metadata, message))
        body = answered(line, stream)
    return body[MESSAGE_HEAD:] if len(body) >= MESSAGE_HEAD else None


def answered(line: socket.socket, stream: t.IO[bytes]) -> bytes:
    """The data of a reply that was brought to its end; OSError for one that broke off."""
    body = b""
    for kind, flags, on, payload in frames(stream):
        if kind == SETTINGS and not flags & ACK:
            line.sendall(frame(SETTINGS, ACK, 0))
        elif kind == PING and not flags & ACK:
            line.sendall(frame(PING, ACK, 0, payload))
        elif kind == DATA and on == 1:
            body += payload
        elif kind == RST_STREAM and on == 1:
            break
        if on == 1 and kind in {HEADERS, DATA} and flags & END_STREAM:
            return body
    raise OSError("it broke off before it had answered")
