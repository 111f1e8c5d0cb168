"""How the lines of the catalogue are written: a request as bytes and what must come back."""

from __future__ import annotations

from dataclasses import dataclass

from tests.edge.http import request

GOOD = {"milvus-name": "search-cats", "milvus-type": "M5", "disk-size": 50}
SEED_WHITELIST = (
    b'{"milvus-name": "search-cats",\n"ip-ranges" : [\n'
    b'{"source-ip" : "115.236.166.154/32", "port-type" : "miluvs-port"}\n'
    b'{"source-ip" : "115.236.166.154/32", "port-type" : "miluvs-em-port"}\n]}'
)
HEAD = b"POST /v1/clusters HTTP/1.1\r\nHost: kite.test\r\nusername: alice\r\n"


@dataclass(frozen=True)
class Case:
    number: str
    what: str
    data: bytes
    status: int
    reason: str

    def __str__(self) -> str:
        return f"F{self.number} {self.what}"


def create(body: object, **how: object) -> bytes:
    return request("POST", "/v1/clusters", body, **how)


def with_field(**changes: object) -> bytes:
    fields = {**GOOD, **{key.replace("_", "-"): value for key, value in changes.items()}}
    return create({key: value for key, value in fields.items() if value is not ...})


def named(name: object) -> bytes:
    return with_field(milvus_name=name)


def body(raw: bytes, number: str, what: str, status: int, reason: str) -> Case:
    return Case(number, what, create(raw), status, reason)


def typed(content_type: str) -> bytes:
    return create(GOOD, content_type=content_type)


def ranges(value: object) -> bytes:
    return request("PUT", "/v1/clusters/search-cats/whitelist", {"ip-ranges": value})


def one_range(source_ip: object, port_type: object = "miluvs-port") -> bytes:
    return ranges([{"source-ip": source_ip, "port-type": port_type}])


def user(name: str) -> bytes:
    return request("GET", "/v1/clusters", user=name)
