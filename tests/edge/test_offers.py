"""A type that no zone offers is refused before anything is stored (F62)."""

import asyncio

import pytest
import pytest_asyncio

from bff.app import serve
from bff.backends import open_backends
from kite.clock import SystemClock
from kite.errors import CloudRefused, Unavailable
from tests.edge.conftest import settings_for, start_edge

pytestmark = pytest.mark.asyncio(loop_scope="package")


class Clock(SystemClock):
    later = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.later


@pytest_asyncio.fixture(loop_scope="package")
async def edge(behind):
    clock = Clock()
    started = await start_edge(behind, clock)
    started.world.clear()
    started.clock = clock
    yield started
    await started.running.stop()


async def test_f62_a_type_no_zone_offers_is_refused(edge):
    edge.world.zones = ()
    answer = await edge.create()
    assert (answer.status, answer.reason) == (422, "TYPE_NOT_OFFERED")
    assert answer.json["field"] == "/milvus-type"
    assert "m5.large" in answer.json["description"]
    assert edge.world.clusters == {}


async def test_a_type_that_is_offered_is_asked_about_once(edge):
    assert [(await edge.create(f"cats-{n}")).status for n in range(3)] == [202] * 3
    assert edge.world.offers_asked == 1
    edge.clock.later = 301
    edge.world.zones = ()
    assert (await edge.create("cats-3")).status == 202  # the old answer, while it is asked anew
    await edge.world.until(lambda: edge.world.offers_asked == 2)
    edge.world.clusters.clear()
    async with asyncio.timeout(60):
        while (await edge.create("cats-4")).status == 202:
            edge.world.clusters.clear()


async def test_a_crowd_asks_once(edge):
    answers = await asyncio.gather(*(edge.create(f"cats-{n}") for n in range(20)))
    assert {answer.status for answer in answers} == {202}
    assert edge.world.offers_asked == 1


@pytest.mark.parametrize("failed", [Unavailable("away"), CloudRefused("no", reason="NO_RIGHT")])
async def test_a_provisioner_that_cannot_tell_does_not_stop_a_create(edge, failed):
    edge.world.offers_fail = failed
    assert (await edge.create()).status == 202
    edge.world.offers_fail, edge.world.zones = None, ()
    assert (await edge.create("dogs")).status == 202  # not asked again at once
    edge.clock.later = 11
    assert (await edge.create("owls")).reason == "TYPE_NOT_OFFERED"


async def test_a_cluster_that_exists_is_answered_whatever_is_offered_now(edge):
    assert (await edge.create()).status == 202
    edge.clock.later = 301
    edge.world.zones = ()
    await edge.create("dogs")  # has it asked anew
    async with asyncio.timeout(60):
        while (await edge.create("owls")).status != 422:
            edge.world.clusters.pop(("alice", "owls"))
    assert (await edge.create()).status == 200
    other = {"milvus-name": "search-cats", "milvus-type": "M5", "disk-size": 51}
    assert (await edge.ask("POST", "/v1/milvus", other)).reason == "NAME_TAKEN"


async def test_an_unknown_type_keeps_its_own_reason(edge):
    edge.world.zones = ()
    body = {"milvus-name": "search-cats", "milvus-type": "zz.huge", "disk-size": 50}
    answer = await edge.ask("POST", "/v1/milvus", body)
    assert (answer.status, answer.reason) == (422, "UNKNOWN_TYPE")


async def test_an_answer_that_takes_long_is_not_waited_for(edge, monkeypatch):
    monkeypatch.setattr("bff.offers._PATIENCE_SECONDS", 0.05)
    edge.world.offers_gate = asyncio.Event()
    edge.world.zones = ()
    assert (await edge.create()).status == 202
    edge.world.offers_gate.set()
    async with asyncio.timeout(60):
        while (await edge.create("dogs")).status != 422:  # it came, and was kept
            edge.world.clusters.pop(("alice", "dogs"))
    assert edge.world.offers_asked == 1


async def test_plans_are_asked_about_before_anybody_wants_one(behind):
    behind.world.clear()
    behind.world.offers_fail = Unavailable("not up yet")
    running = await serve(settings_for(behind), warm=True)
    await behind.world.until(lambda: behind.world.offers_asked)
    await running.stop()
    behind.world.clear()
    offers = open_backends(settings_for(behind), SystemClock())
    await asyncio.wait_for(offers.offers.warm(), 10)
    assert await offers.offers.refusal("M5") is None
    assert behind.world.offers_asked == 1
    await offers.close()
