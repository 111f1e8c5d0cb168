"""JSON objects into request messages. Pure.

A request names only fields that exist, each of the right type, each once; the seed's spellings are
read as the word they stand for. Whether the wish can be granted is decided behind the edge.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from bff.strict_json import Json, JsonObject, pointer
from kite import names, ports
from kite.errors import InvalidRequest
from kite.v1 import cluster_pb2, whitelist_pb2

NAME_SPELLINGS = ("milvus-name", "milvs-name", "miluvs-name")
LEAST_DISK_GIB, MOST_DISK_GIB = 8, 16_384
MOST_RANGES, MOST_NOTE = 1_000, 200
_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,63}\Z")
_ADDRESS_MODES = {
    "elastic": cluster_pb2.ADDRESS_MODE_ELASTIC,
    "auto": cluster_pb2.ADDRESS_MODE_AUTO,
    "private": cluster_pb2.ADDRESS_MODE_PRIVATE,
}


@dataclass(frozen=True, slots=True)
class Create:
    """A cluster as asked for; `ranges` is None when the request does not speak of them."""

    name: str
    milvus_type: str
    disk_gib: int
    address_mode: cluster_pb2.AddressMode.ValueType
    ranges: tuple[whitelist_pb2.WishedRange, ...]
    allow_public: bool
    body_hash: str


@dataclass(frozen=True, slots=True)
class Wished:
    """A whitelist as asked for."""

    ranges: tuple[whitelist_pb2.WishedRange, ...]
    allow_public: bool


def create(body: JsonObject) -> Create:
    """Read `{"milvus-name", "milvus-type", "disk-size"}` and what may stand beside them."""
    _only(body, *NAME_SPELLINGS, "milvus-type", "disk-size", *_OPTIONAL)
    name = cluster_name(body)
    milvus_type = _milvus_type(body)
    disk = _disk(body)
    mode = _address_mode(body)
    ranges = _ranges(body) if "ip-ranges" in body else ()
    public = _switch(body, "allow-public")
    meant: Json = {
        "milvus-name": name,
        "milvus-type": milvus_type.lower(),
        "disk-size": disk,
        "address-mode": int(mode),
        "ip-ranges": [[r.source_ip, r.port_type, r.note, r.expires_at_ms] for r in ranges],
        "allow-public": public,
    }
    return Create(name, milvus_type, disk, mode, ranges, public, _hash(meant))


_OPTIONAL = ("address-mode", "ip-ranges", "allow-public")


def whitelist(body: JsonObject, *, named: bool) -> Wished:
    """Read `{"ip-ranges": [...]}`; `named` when the body also names the cluster (seed form)."""
    _only(body, *(NAME_SPELLINGS if named else ()), "ip-ranges", "allow-public")
    return Wished(_ranges(body), _switch(body, "allow-public"))


def only_name(body: JsonObject, query: Mapping[str, Json]) -> str:
    """Read a request that names a cluster, in body or query, and says nothing else."""
    _only(body, *NAME_SPELLINGS)
    return cluster_name(query, body)


def changed_type(body: JsonObject) -> str:
    """Read `{"milvus-type": ...}`: the one field a change may try (and never change)."""
    _only(body, "milvus-type")
    return _milvus_type(body)


def cluster_name(*given: Mapping[str, Json]) -> str:
    """The one cluster that body and query name together, whichever spelling they use.

    Raises:
        InvalidRequest: FIELD_MISSING, FIELD_CONFLICT, STRING_EXPECTED, INVALID_NAME, RESERVED_NAME.
    """
    said = [
        (_named(place[key], key), f"/{key}")
        for place in given
        for key in NAME_SPELLINGS
        if key in place
    ]
    if len({text for text, _ in said}) > 1:
        raise InvalidRequest(
            "the request names two different clusters",
            reason="FIELD_CONFLICT",
            field="/milvus-name",
        )
    if not said:
        raise _missing("milvus-name")
    text, field = said[0]
    return names.cluster_name(text, field=field)


def _named(value: Json, key: str) -> str:
    if value is None:
        raise _missing(key)
    return _text(value, f"/{key}")


def _only(body: JsonObject, *known: str) -> None:
    unknown = sorted(set(body) - set(known))
    if unknown:
        raise InvalidRequest(
            f"unknown field; this request may hold {', '.join(known)}",
            reason="UNKNOWN_FIELD",
            field=pointer("", unknown[0]),
        )


def _missing(key: str) -> InvalidRequest:
    return InvalidRequest(f"{key} is missing", reason="FIELD_MISSING", field=f"/{key}")


def _text(value: Json, field: str) -> str:
    if not isinstance(value, str):
        raise InvalidRequest(f"{field} must be a string", reason="STRING_EXPECTED", field=field)
    return value


def _milvus_type(body: JsonObject) -> str:
    if body.get("milvus-type") is None:
        raise _missing("milvus-type")
    text = _text(body["milvus-type"], "/milvus-type")
    if not _TYPE.match(text):
        raise InvalidRequest(
            "milvus-type must be a plan of GET /v1/plans or an EC2 instance type",
            reason="UNKNOWN_TYPE",
            field="/milvus-type",
        )
    return text


def _disk(body: JsonObject) -> int:
    value = body.get("disk-size")
    if value is None:
        raise _missing("disk-size")
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidRequest(
            "disk-size must be a whole number of GiB, without quotes, point or exponent",
            reason="INTEGER_EXPECTED",
            field="/disk-size",
        )
    if value < LEAST_DISK_GIB:
        raise InvalidRequest(
            f"disk-size must be at least {LEAST_DISK_GIB} GiB",
            reason="DISK_TOO_SMALL",
            field="/disk-size",
        )
    if value > MOST_DISK_GIB:
        raise InvalidRequest(
            f"disk-size must be at most {MOST_DISK_GIB} GiB",
            reason="DISK_TOO_LARGE",
            field="/disk-size",
        )
    return value


def _address_mode(body: JsonObject) -> cluster_pb2.AddressMode.ValueType:
    if "address-mode" not in body:
        return cluster_pb2.ADDRESS_MODE_ELASTIC
    word = _text(body["address-mode"], "/address-mode")
    if word not in _ADDRESS_MODES:
        raise InvalidRequest(
            f"address-mode must be one of {', '.join(_ADDRESS_MODES)}",
            reason="UNKNOWN_ADDRESS_MODE",
            field="/address-mode",
        )
    return _ADDRESS_MODES[word]


def _switch(body: JsonObject, key: str) -> bool:
    value = body.get(key, False)
    if not isinstance(value, bool):
        raise InvalidRequest(
            f"{key} must be true or false", reason="BOOLEAN_EXPECTED", field=f"/{key}"
        )
    return value


def _ranges(body: JsonObject) -> tuple[whitelist_pb2.WishedRange, ...]:
    listed = body.get("ip-ranges")
    if not isinstance(listed, list):
        raise InvalidRequest(
            "ip-ranges must be a list; an empty list closes everything",
            reason="LIST_EXPECTED",
            field="/ip-ranges",
        )
    if len(listed) > MOST_RANGES:
        raise InvalidRequest(
            f"ip-ranges holds {len(listed)} entries; at most {MOST_RANGES} are read",
            reason="TOO_MANY_RULES",
            field="/ip-ranges",
        )
    return tuple(_range(item, f"/ip-ranges/{at}") for at, item in enumerate(listed))


def _range(item: Json, field: str) -> whitelist_pb2.WishedRange:
    if not isinstance(item, dict):
        raise InvalidRequest(
            "an entry of ip-ranges must be an object with source-ip and port-type",
            reason="OBJECT_EXPECTED",
            field=field,
        )
    try:
        _only(item, "source-ip", "port-type", "note", "expires-at")
    except InvalidRequest as unknown:
        unknown.field = f"{field}{unknown.field}"
        raise
    if item.get("source-ip") is None:
        raise InvalidRequest(
            "source-ip is missing", reason="FIELD_MISSING", field=f"{field}/source-ip"
        )
    return whitelist_pb2.WishedRange(
        source_ip=_text(item["source-ip"], f"{field}/source-ip"),
        port_type=_port_type(item.get("port-type"), f"{field}/port-type"),
        note=_note(item.get("note", ""), f"{field}/note"),
        expires_at_ms=_expires(item.get("expires-at"), f"{field}/expires-at"),
    )


def _port_type(value: Json, field: str) -> str:
    ports.port_type(value if isinstance(value, str) else "", field=field)
    return str(value)


def _note(value: Json, field: str) -> str:
    text = _text(value, field)
    if len(text) > MOST_NOTE or not text.isprintable():
        raise InvalidRequest(
            f"a note holds at most {MOST_NOTE} printable characters",
            reason="INVALID_NOTE",
            field=field,
        )
    return text


def _expires(value: Json, field: str) -> int:
    """Epoch milliseconds of an RFC 3339 time; 0 = never."""
    if value is None:
        return 0
    text = _text(value, field)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise InvalidRequest(
            "expires-at must be a time with zone, for example 2027-01-31T12:00:00Z",
            reason="INVALID_TIME",
            field=field,
        )
    return max(1, int((at - _EPOCH).total_seconds() * 1000))


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _hash(meant: Json) -> str:
    return hashlib.sha256(json.dumps(meant, sort_keys=True).encode()).hexdigest()
