"""Anything at all, over the wire: refused by name or done, never a fault of ours."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bff.json_in import NAME_SPELLINGS
from bff.routes.table import ROUTES
from tests.edge import http
from tests.edge.conftest import Edge

pytestmark = pytest.mark.asyncio(loop_scope="package")
OFTEN = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
WORDS = st.sampled_from(
    [*NAME_SPELLINGS, "milvus-type", "disk-size", "ip-ranges", "source-ip", "port-type", "note"]
)
NAMES = st.sampled_from(["search-cats", "M5", "miluvs-port", "1.2.3.4/32", "0.0.0.0/0", ""])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(), inner),
    max_leaves=10,
)
TEXT = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=12)


def fit(answer: http.Answer) -> bool:
    return answer.status < 500 and (answer.status < 400 or bool(answer.json["reason"]))


@OFTEN
@given(
    route=st.sampled_from([r for r in ROUTES if r.method in {"POST", "PUT", "PATCH", "DELETE"}]),
    body=st.dictionaries(WORDS, VALUES, max_size=5) | VALUES,
)
async def test_any_json_at_any_route(edge: Edge, route, body):
    target = route.path.replace("{name}", "search-cats")
    data = json.dumps(body, ensure_ascii=True).encode()
    answer = await http.raw(edge.port, http.request(route.method, target, data))
    assert fit(answer), answer


@OFTEN
@given(raw=st.binary(max_size=300))
async def test_any_bytes_as_a_body(edge: Edge, raw: bytes):
    answer = await http.raw(edge.port, http.request("POST", "/v1/milvus", raw))
    assert fit(answer), answer


@OFTEN
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEADS", "TRACE"]),
    path=st.lists(st.sampled_from(["v1", "clusters", "milvus", "%00", "%ff", "..", ""]) | TEXT),
    query=TEXT,
)
async def test_any_target(edge: Edge, method: str, path: list[str], query: str):
    target = "/" + "/".join(path) + (f"?{query}" if query else "")
    answer = await http.raw(edge.port, http.request(method, target))
    assert fit(answer), answer


@OFTEN
@given(
    name=st.sampled_from(
        [
            *("username", "If-Match", "Prefer", "Idempotency-Key", "X-Request-Id", "Content-Type"),
            *("Accept", "Expect", "Last-Event-ID", "Content-Encoding", "X-Forwarded-For"),
            *("Upgrade", "Transfer-Encoding", "Content-Length", "Host", "Connection"),
        ]
    ),
    value=st.binary(max_size=40).filter(lambda b: not set(b) & set(b"\r\n\0")),
)
async def test_any_header(edge: Edge, name: str, value: bytes):
    body = {"milvus-name": "search-cats", "milvus-type": "M5", "disk-size": 50}
    plain = http.request("POST", "/v1/clusters", body)
    line = name.encode() + b": " + value + b"\r\n"
    head, _, rest = plain.partition(b"\r\n")
    answer = await http.raw(edge.port, head + b"\r\n" + line + rest)
    assert fit(answer), answer
