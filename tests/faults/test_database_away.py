"""The registry's database goes away for a while: every user hears so, nobody has to restart."""

import asyncio
import contextlib
from dataclasses import dataclass

import pytest

from bff.app import serve
from bff.settings import Settings as EdgeSettings
from kite.clock import SystemClock
from kite.rpc.server import RpcServer
from registry_svc import tidying
from registry_svc.app import assemble
from registry_svc.mongodb import Mongo
from registry_svc.settings import Settings
from registry_svc.store import Store
from tests.edge import http
from tests.faults.conftest import uri_by
from tests.faults.relay import Mode

pytestmark = pytest.mark.wire
CAT = {"milvus-name": "search-cats", "milvus-type": "M5", "disk-size": 50}


@dataclass
class Edge:
    port: int

    async def ask(self, method, target, body=None, **how):
        return await http.raw(self.port, http.request(method, target, body, **how))

    async def ready(self):
        return (await self.ask("GET", "/readyz", user=None)).status


@pytest.fixture
async def edge(relay, database):
    """The edge over a registry over the database behind the relay; the registry is all three."""
    engine = Mongo(uri_by(relay, timeout_ms=1_500), database, prove=False)
    store = Store(engine)
    app = assemble(store, Settings(registry_threads=2), SystemClock())
    server = RpcServer("127.0.0.1:0")
    for part in app.parts:
        server.add(*part)
    target = f"127.0.0.1:{await server.start()}"
    watching = asyncio.create_task(tidying.watch_health(store, app.threads, server, seconds=0.05))
    running = await serve(
        EdgeSettings(
            secret="0123456789abcdef",
            bff_listen="127.0.0.1:0",
            bff_url_seconds=0,
            bff_drain_seconds=0.01,
            registry=target,
            whitelist=target,
            provisioner=target,
        )
    )
    yield Edge(running.port)
    await running.stop()
    watching.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watching
    app.broadcast.stop()
    await server.drain(0)
    app.threads.close()
    engine.close()


@pytest.mark.parametrize("mode", [Mode.CUT, Mode.HOLD])
async def test_reads_and_wishes_say_503_and_when_to_come_back(edge, relay, mode):
    created = await edge.ask("POST", "/v1/milvus", CAT)
    assert created.status == 202
    assert await edge.ready() == 200
    relay.become(mode)
    asked = [
        ("GET", "/v1/clusters", None),
        ("GET", "/v1/clusters/search-cats", None),
        ("POST", "/v1/milvus", {**CAT, "milvus-name": "never-stored"}),
        ("DELETE", "/v1/milvus?milvus-name=search-cats", None),
    ]
    for answer in await asyncio.gather(*(edge.ask(*one) for one in asked)):
        assert (answer.status, answer.json["reason"]) == (503, "STORE_AWAY")
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.json["retryable"] is True
    await until(edge.ready, 503)
    assert (await edge.ask("GET", "/healthz", user=None)).status == 200
    assert (await edge.ask("GET", "/v1/source-ip")).status == 200  # asks no database
    relay.become(Mode.PASS)
    await until(edge.ready, 200)
    listed = (await edge.ask("GET", "/v1/clusters")).json["clusters"]
    assert [c["milvus-name"] for c in listed] == ["search-cats"]
    again = await edge.ask("POST", "/v1/milvus", CAT)
    assert (again.status, again.json["milvus-url"]) == (200, created.json["milvus-url"])
    gone = await edge.ask("DELETE", "/v1/milvus?milvus-name=search-cats")
    assert gone.status == 202


async def test_a_crowd_hears_of_it_at_once(edge, relay):
    """Two threads that each wait so long could not serve forty within their five."""
    relay.become(Mode.HOLD)
    await until(edge.ready, 503)
    asked = [edge.ask("GET", "/v1/clusters", user=f"user-{number}") for number in range(40)]
    answers = await asyncio.gather(*asked)
    assert {(a.status, a.json["reason"]) for a in answers} == {(503, "STORE_AWAY")}
    relay.become(Mode.PASS)
    await until(edge.ready, 200)
    assert (await edge.ask("GET", "/v1/clusters")).status == 200


async def until(ask, expected):
    async with asyncio.timeout(60):
        while await ask() != expected:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
