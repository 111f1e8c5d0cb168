"""A cluster read with `wait` is answered when it rests, and at once when it rests already."""

import asyncio

import pytest

from kite.errors import Unavailable
from kite.v1 import cluster_pb2
from tests.edge.conftest import Edge, start_edge

pytestmark = pytest.mark.asyncio(loop_scope="package")
PATH = "/v1/clusters/search-cats"
STARTING, RUNNING, FAILED = (
    cluster_pb2.CLUSTER_STATE_STARTING,
    cluster_pb2.CLUSTER_STATE_RUNNING,
    cluster_pb2.CLUSTER_STATE_FAILED,
)


def _become(edge: Edge, state: int, *, seen: int = 1) -> None:
    cluster = edge.world.clusters["alice", "search-cats"]
    cluster.status.state = state
    cluster.status.observed_generation = seen
    cluster.rev += 1


async def _held(edge: Edge, target: str, **how) -> asyncio.Task:
    """A read that is being held: it has looked once and waits for news."""
    before = len(edge.world.asked)
    task = asyncio.create_task(edge.ask("GET", target, **how))
    await edge.world.until(lambda: len(edge.world.asked) >= before + 2)
    return task


@pytest.mark.parametrize("state", [RUNNING, FAILED])
async def test_it_is_held_until_the_cluster_rests(edge: Edge, state: int):
    await edge.create()
    held = await _held(edge, f"{PATH}?wait=30")
    _become(edge, cluster_pb2.CLUSTER_STATE_LOADING)
    _become(edge, state)
    answer = await held
    word = cluster_pb2.ClusterState.Name(state).removeprefix("CLUSTER_STATE_").lower()
    assert (answer.status, answer.json["status"]) == (200, word)


async def test_one_that_rests_is_answered_at_once(edge: Edge):
    await edge.create()
    _become(edge, RUNNING)
    edge.world.asked.clear()
    assert (await edge.ask("GET", f"{PATH}?wait=60")).status == 200
    assert len(edge.world.asked) == 1


async def test_a_wish_not_looked_at_yet_is_waited_for(edge: Edge):
    await edge.create()
    _become(edge, RUNNING, seen=0)
    held = await _held(edge, PATH, headers=[("Prefer", "wait=30")])
    _become(edge, RUNNING)
    answer = await held
    assert answer.json["observed-generation"] == 1
    assert answer.headers["preference-applied"] == "wait=30"


async def test_time_over_answers_what_is(edge: Edge):
    await edge.create()
    answer = await edge.ask("GET", f"{PATH}?wait=1")
    assert (answer.status, answer.json["status"]) == (200, "starting")


async def test_one_deleted_meanwhile_is_not_found(edge: Edge):
    await edge.create()
    held = await _held(edge, f"{PATH}?wait=30")
    edge.world.bury("alice", "search-cats")
    answer = await held
    assert (answer.status, answer.reason) == (404, "NO_SUCH_CLUSTER")


async def test_a_registry_away_for_a_while_is_waited_for(edge: Edge):
    await edge.create()
    held = await _held(edge, f"{PATH}?wait=30")
    edge.world.fail_next = [Unavailable("away")]
    edge.world.watch_breaks = 1
    await edge.world.until(lambda: edge.world.watch_breaks == 0)
    _become(edge, RUNNING)
    assert (await held).json["status"] == "running"


async def test_a_known_revision_at_rest_is_not_sent_again(edge: Edge):
    await edge.create()
    _become(edge, RUNNING)
    tag = (await edge.ask("GET", PATH)).headers["etag"]
    answer = await edge.ask("GET", f"{PATH}?wait=5", headers=[("If-None-Match", tag)])
    assert answer.status == 304


@pytest.mark.parametrize("wait", ["61", "-1", "x", ""])
async def test_what_is_no_wait_is_refused(edge: Edge, wait: str):
    answer = await edge.ask("GET", f"{PATH}?wait={wait}")
    assert (answer.status, answer.reason) == (422, "INVALID_WAIT")


@pytest.mark.parametrize(
    ("limits", "status", "reason"),
    [
        ({"bff_held_per_user": 1}, 429, "TOO_MANY_AT_ONCE"),
        ({"bff_held": 1}, 503, "BUSY"),
    ],
)
async def test_answers_held_are_bounded(behind, limits: dict, status: int, reason: str):
    edge = await start_edge(behind, **limits)
    edge.world.clear()
    await edge.create()
    held = await _held(edge, f"{PATH}?wait=30")
    over = await edge.ask("GET", f"{PATH}?wait=30")
    plain = await edge.ask("GET", PATH)
    _become(edge, RUNNING)
    await held
    again = await edge.ask("GET", f"{PATH}?wait=30")
    await edge.running.stop()
    assert (over.status, over.reason, over.headers["retry-after"]) == (status, reason, "1")
    assert (plain.status, again.status) == (200, 200)
