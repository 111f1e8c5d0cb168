"""What a stranger learns of a gRPC server by reflection, and messages he could send it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from hypothesis import strategies as st

WORDS = [
    *("alice", "search-cats", "M5", "m5.large", "milvus-port", "miluvs-port", "1.2.3.4/32"),
    *("", "0.0.0.0/0", "op-0123456789abcdef", "caaaaaaaaaaaaaaaa", "kite1", "mend", "sweep"),
    *("$ne", "{{7*7}}", "../x", "\0", "\u202e", "a" * 65),
]
HUGE = st.sampled_from([10_000, 200_000, 3_000_000]).map(lambda size: "x" * size)
STRINGS = st.one_of(st.sampled_from(WORDS), st.sampled_from(WORDS), st.text(max_size=20), HUGE)
# Page tokens of Kite's form with content that it never gave them.
TOKENS = st.sampled_from(
    ["9" * 30 + "\nop-x", "-1\nop-x", "1_0\nop-x", f"{2**63}\n", "0\n\0", "\0", "alice|\uffff"]
).map(lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="))
_NUMBERS = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
_PLAIN = {
    FieldDescriptor.TYPE_STRING: STRINGS,
    FieldDescriptor.TYPE_BYTES: st.binary(max_size=64),
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_DOUBLE: st.floats(),
    FieldDescriptor.TYPE_FLOAT: st.floats(width=32),
}
DEEPEST, MOST_REPEATED = 4, 4


@dataclass(frozen=True)
class Method:
    """One method as reflection tells it."""

    path: str
    streams: bool
    request: type[Any]

    def __str__(self) -> str:
        return self.path.removeprefix("/kite.v1.")


def methods(target: str) -> list[Method]:
    """Every method of every Kite service behind `target`."""
    with grpc.insecure_channel(target) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        pool = DescriptorPool(database)
        return [
            Method(
                f"/{service}/{method.name}",
                method.server_streaming,
                message_factory.GetMessageClass(method.input_type),
            )
            for service in database.get_services()
            if service.startswith("kite.")
            for method in pool.FindServiceByName(service).methods
        ]


def messages(kind: type[Any]) -> st.SearchStrategy[Any]:
    """Messages of this type: any field absent or present, with likely, odd and huge values."""
    return _fields(kind.DESCRIPTOR, DEEPEST).map(lambda fields: _made(kind, fields))


def spoiled(whole: Any, spared: frozenset[str] = frozenset()) -> st.SearchStrategy[Any]:
    """`whole` with one field, however deep, of another value; `spared` by name."""
    places = [place for place in _places(whole, ()) if place[1].name not in spared]
    return st.sampled_from(places).flatmap(
        lambda place: _values(place[1], 1).map(lambda value: _spoil(whole, *place, value))
    )


Path = tuple[tuple[str, int | None], ...]  # name, and number in a list


def _places(message: Any, path: Path) -> Iterator[tuple[Path, FieldDescriptor]]:
    for field in message.DESCRIPTOR.fields:
        yield path, field
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            continue
        if field.is_repeated:
            for number, one in enumerate(getattr(message, field.name)):
                yield from _places(one, (*path, (field.name, number)))
        elif message.HasField(field.name):
            yield from _places(getattr(message, field.name), (*path, (field.name, None)))


def _spoil(whole: Any, path: Path, field: FieldDescriptor, value: Any) -> Any:
    copy = type(whole)()
    copy.CopyFrom(whole)
    part = copy
    for name, number in path:
        part = getattr(part, name) if number is None else getattr(part, name)[number]
    part.ClearField(field.name)
    part.MergeFrom(type(part)(**{field.name: value}))
    return copy


def _made(kind: type[Any], fields: dict[str, Any]) -> Any:
    return kind(**fields)


def _fields(descriptor: Descriptor, depth: int) -> st.SearchStrategy[dict[str, Any]]:
    optional = {
        field.name: _values(field, depth)
        for field in descriptor.fields
        if depth > 0 or field.message_type is None
    }
    return st.fixed_dictionaries({}, optional=optional)


def _values(field: FieldDescriptor, depth: int) -> st.SearchStrategy[Any]:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return st.dictionaries(st.text(max_size=9), st.text(max_size=9), max_size=3)
    one = _one(field, depth)
    return st.lists(one, max_size=MOST_REPEATED) if field.is_repeated else one


def _one(field: FieldDescriptor, depth: int) -> st.SearchStrategy[Any]:
    if field.name == "page_token":
        return STRINGS | TOKENS
    if field.message_type is not None:
        return _fields(field.message_type, depth - 1)
    if field.enum_type is not None:
        known = [value.number for value in field.enum_type.values]
        return st.sampled_from([*known, -1, 99, 2**31 - 1])
    if field.cpp_type in _NUMBERS:
        least, most = _NUMBERS[field.cpp_type]
        edges = [n for n in (0, 1, -1, 30, 1000, least, most) if least <= n <= most]
        return st.sampled_from(edges) | st.integers(least, most)
    return _PLAIN[field.type]
