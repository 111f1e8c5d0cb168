"""Who is believed, and that nobody sees what is another's."""

import asyncio
import itertools
import json
import os
from pathlib import Path

import pytest

from bff.edge.signing import HEADER, Signed, sign
from bff.routes.table import ROUTES
from kite.v1 import cluster_pb2
from tests.edge import http
from tests.edge.conftest import PORTAL_KEY, Behind, Edge, start_edge

pytestmark = pytest.mark.asyncio(loop_scope="package")
KEY = PORTAL_KEY.encode()
README = Path("README.md").read_text()
SIGNING = README.partition("## Identity")[2].partition("```sh\n")[2].partition("```")[0]
BODY = b'{"milvus-name":"search-cats","milvus-type":"M5","disk-size":50}'


class Clock:
    """Time that stands still until told."""

    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0

    def now_ms(self) -> int:
        return int(self.seconds * 1000)

    def monotonic(self) -> float:
        return self.seconds


async def _send(edge: Edge, headers: dict[str, str], method="POST", target="/v1/milvus", body=BODY):
    return await edge.ask(method, target, body, user=None, headers=list(headers.items()))


async def test_a_signed_request_is_believed(signed_edge: Edge):
    signed_edge.world.clear()
    headers = sign(KEY, Signed("POST", "/v1/milvus", "alice", BODY), portal="portal-1")
    assert (await _send(signed_edge, headers)).status == 202
    assert ("alice", "search-cats") in signed_edge.world.clusters


async def test_a_shell_signs_as_the_readme_says(signed_edge: Edge):
    signed_edge.world.clear()
    shell = await asyncio.create_subprocess_exec(
        "bash",
        "-euo",
        "pipefail",
        "-c",
        SIGNING,
        env={
            "PATH": os.environ["PATH"],
            "URL": f"http://127.0.0.1:{signed_edge.port}",
            "KEY": PORTAL_KEY,
        },
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await asyncio.wait_for(shell.communicate(), 20)
    assert shell.returncode == 0
    assert json.loads(said)["milvus-name"] == "search-cats"
    assert ("milvus-test", "search-cats") in signed_edge.world.clusters


async def test_the_query_is_signed_too(signed_edge: Edge):
    signed_edge.world.clear()
    target = "/v1/clusters?page-size=7"
    headers = sign(KEY, Signed("GET", target, "alice"), portal="portal-1")
    assert (await _send(signed_edge, headers, "GET", target, None)).status == 200


@pytest.mark.parametrize(
    "other",
    [
        {"method": "PUT"},
        {"target": "/v1/clusters"},
        {"username": "bob"},
        {"body": b"{}"},
        {"portal": "portal-2"},
        {"portal": "portal-9"},
        {"key": b"y" * 32},
    ],
    ids=str,
)
async def test_a_signature_fits_one_request_only(signed_edge: Edge, other: dict):
    made = {"method": "POST", "target": "/v1/milvus", "username": "alice", "body": BODY} | {
        k: v for k, v in other.items() if k not in {"portal", "key"}
    }
    headers = sign(other.get("key", KEY), Signed(**made), portal=other.get("portal", "portal-1"))
    answer = await _send(signed_edge, {**headers, "username": "alice"})
    assert (answer.status, answer.reason) == (401, "IDENTITY_NOT_TRUSTED")


async def test_each_portal_has_a_key_of_its_own(signed_edge: Edge):
    signed_edge.world.clear()
    signed = Signed("POST", "/v1/milvus", "alice", BODY)
    headers = sign(PORTAL_KEY[::-1].encode(), signed, portal="portal-2")
    assert (await _send(signed_edge, headers)).status == 202


async def test_two_signatures_are_none(signed_edge: Edge):
    headers = sign(KEY, Signed("POST", "/v1/milvus", "alice", BODY), portal="portal-1")
    twice = [*headers.items(), (HEADER, headers[HEADER])]
    answer = await signed_edge.ask("POST", "/v1/milvus", BODY, user=None, headers=twice)
    assert answer.reason == "IDENTITY_NOT_TRUSTED"


async def test_a_signature_lives_for_its_window_and_only_once(behind: Behind):
    clock = Clock()
    edge = await start_edge(
        behind, clock, auth="signed-header", bff_portal_keys=f"portal-1={PORTAL_KEY}"
    )
    edge.world.clear()
    signed = Signed("POST", "/v1/milvus", "alice", BODY)

    def headers(offset: int) -> dict[str, str]:
        return sign(KEY, signed, portal="portal-1", at=int(clock.seconds) + offset)

    statuses = [(await _send(edge, headers(n))).status for n in (-61, -60, 0, 60, 61)]
    ahead = headers(60)
    replays = [(await _send(edge, ahead)).status]
    for later in (60, 59, 1, 1):
        clock.seconds += later
        replays.append((await _send(edge, ahead)).status)
    await edge.running.stop()
    assert statuses == [401, 202, 200, 200, 401]
    assert replays == [200, 401, 401, 401, 401]


async def test_a_disabled_user_is_refused_even_when_signed(behind: Behind):
    edge = await start_edge(
        behind,
        auth="signed-header",
        bff_portal_keys=f"p={PORTAL_KEY}",
        bff_disabled_users="mallory",
    )
    headers = sign(KEY, Signed("POST", "/v1/milvus", "mallory", BODY), portal="p")
    answer = await _send(edge, headers)
    await edge.running.stop()
    assert (answer.status, answer.reason) == (403, "USER_DISABLED")


BODIES = {
    ("POST", "/v1/milvus/delete"): {"milvus-name": "{name}"},
    ("DELETE", "/v1/milvus"): {"milvus-name": "{name}"},
    ("PUT", "/v1/whitelist"): {"milvus-name": "{name}", "ip-ranges": []},
    ("POST", "/v1/whitelist"): {"milvus-name": "{name}", "ip-ranges": []},
    ("GET", "/v1/whitelist"): {"milvs-name": "{name}"},
    ("PATCH", "/v1/clusters/{name}"): {"milvus-type": "M5"},
    ("PUT", "/v1/clusters/{name}/whitelist"): {"ip-ranges": []},
}
OF_ONE_THING = [r for r in ROUTES if "{" in r.path or (r.method, r.path) in BODIES]


def _filled(route, name: str, operation_id: str) -> tuple[str, object]:
    target = route.path.replace("{name}", name).replace("{id}", operation_id)
    body = BODIES.get((route.method, route.path))
    shown = body and {k: name if v == "{name}" else v for k, v in body.items()}
    return target, shown


@pytest.mark.parametrize("route", OF_ONE_THING, ids=lambda r: f"{r.method} {r.path}")
async def test_foreign_and_unknown_are_the_same_bytes_on_every_route(edge: Edge, route):
    """Two users, one thing each; neither can tell the other's thing from none."""
    ids = {}
    for user in ("alice", "bob"):
        ids[user] = (await edge.create(f"cats-of-{user}", user=user)).json["operation-id"]
        state = cluster_pb2.CLUSTER_STATE_RUNNING
        edge.world.clusters[user, f"cats-of-{user}"].status.state = state
    before = str(edge.world.clusters)
    same_id = [("X-Request-Id", "r1")]
    for asking, owner in itertools.permutations(("alice", "bob")):
        foreign = _filled(route, f"cats-of-{owner}", ids[owner])
        unknown = _filled(route, "cats-of-nobody", "op-0000000000000000000f")
        answers = [
            await edge.ask(route.method, target, body, user=asking, headers=same_id)
            for target, body in (foreign, unknown)
        ]
        assert answers[0].status == 404
        assert answers[0].body == answers[1].body
        assert _lines(answers[0]) == _lines(answers[1])
    assert str(edge.world.clusters) == before
    own = _filled(route, "cats-of-alice", ids["alice"])
    assert (await edge.ask(route.method, own[0], own[1])).status in {200, 202}


def _lines(answer: http.Answer) -> dict[str, str]:
    return {key: value for key, value in answer.headers.items() if key != "date"}


@pytest.mark.parametrize("route", ROUTES, ids=lambda r: f"{r.method} {r.path}")
async def test_without_identity_only_the_open_routes_answer(edge: Edge, route):
    target, body = _filled(route, "cats", "op-1")
    answer = await edge.ask(route.method, target, body, user=None)
    assert (answer.status != 401) is route.open


async def test_lists_hold_only_what_is_the_callers(edge: Edge):
    await edge.create("cats-of-bob", user="bob")
    assert (await edge.ask("GET", "/v1/clusters")).json["clusters"] == []
    assert (await edge.ask("GET", "/v1/operations")).json["operations"] == []
    named = await edge.ask("GET", "/v1/operations?milvus-name=cats-of-bob")
    assert named.json["operations"] == []
