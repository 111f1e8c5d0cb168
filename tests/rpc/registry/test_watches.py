"""Streams: what is there first, then every change, across processes too, and no slow reader."""

import asyncio
import contextlib
from dataclasses import replace

import pymongo
import pytest

from kite.errors import NotFound, Unavailable
from kite.v1 import cluster_pb2 as pb
from kite.v1 import controller_pb2, registry_pb2
from kite.v1 import operation_pb2 as ops
from registry_svc.broadcast import Broadcast, Subscription
from registry_svc.mongodb import Mongo
from registry_svc.store import Store
from registry_svc.threads import Threads
from tests.rpc.registry.conftest import USER, hosted
from tests.rpc.registry.test_controller import seen
from tests.store.world import HandClock, World


def watch(registry, user=""):
    request = registry_pb2.WatchClustersRequest(user=user)
    return registry.registry.WatchClusters(request).__aiter__()


def hints(registry):
    request = controller_pb2.WatchHintsRequest(holder="p1")
    return registry.controller.WatchHints(request).__aiter__()


def watch_operation(registry, operation_id, user=USER):
    request = ops.WatchOperationRequest(user=user, operation_id=operation_id)
    return registry.operations.WatchOperation(request).__aiter__()


async def following(stream):
    async with asyncio.timeout(20):
        return await anext(stream)


async def caught_up(stream):
    """Ids that were there at first."""
    found = []
    while True:
        answer = await following(stream)
        if answer.caught_up:
            return found
        found.append(answer.cluster.cluster_id)


async def test_all_that_is_there_then_every_change(registry):
    there = (await registry.create("there")).cluster
    stream = watch(registry)
    assert await caught_up(stream) == [there.cluster_id]
    created = (await registry.create()).cluster
    assert (await following(stream)).cluster == created
    [claimed] = [c for c in await registry.claim() if c.cluster == created]
    stored = await registry.commit(claimed, status=seen())
    assert (await following(stream)).cluster == stored
    deleted = (await registry.delete()).cluster
    assert (await following(stream)).cluster == deleted
    gone = await registry.commit(claimed, gone=True)
    last = (await following(stream)).cluster
    assert last == gone
    assert last.status.state == pb.CLUSTER_STATE_DELETED


async def test_a_user_watches_only_their_own(registry):
    stream = watch(registry, USER)
    assert await caught_up(stream) == []
    await registry.create(user="other")
    mine = (await registry.create()).cluster
    assert (await following(stream)).cluster == mine


async def test_revs_never_fall_for_a_watcher(registry):
    stream = watch(registry)
    await caught_up(stream)
    await registry.create()
    [claimed] = await registry.claim()
    await asyncio.gather(*(registry.commit(claimed, status=seen(reason=str(n))) for n in range(20)))
    revs = []
    while not revs or revs[-1] < 21:
        revs.append((await following(stream)).cluster.rev)
    assert revs == sorted(revs)


async def test_hints_for_what_is_due(registry):
    due = (await registry.create("due")).cluster.cluster_id
    stream = hints(registry)
    assert (await following(stream)).cluster_id == due
    created = (await registry.create()).cluster.cluster_id
    assert (await following(stream)).cluster_id == created
    [claimed] = [c for c in await registry.claim() if c.cluster.cluster_id == created]
    # The holder's own commits are no hint; its release is, and so is a new wish meanwhile.
    await registry.commit(claimed, status=seen())
    await registry.delete()
    assert (await following(stream)).cluster_id == created
    await registry.commit(claimed, status=seen())
    await registry.commit(claimed, status=seen(), release=True, due_in_ms=60_000)
    third = (await registry.create("third")).cluster.cluster_id
    assert (await following(stream)).cluster_id == third
    registry.clock.forward(seconds=60)
    [claimed] = [c for c in await registry.claim("p2") if c.cluster.cluster_id == created]
    await registry.commit(claimed, "p2", release=True)
    assert (await following(stream)).cluster_id == created


async def test_an_operation_to_its_end(registry):
    created = await registry.create()
    stream = watch_operation(registry, created.operation.operation_id)
    assert (await following(stream)).operation == created.operation
    [claimed] = await registry.claim()
    operation = claimed.operation
    operation.state, operation.progress = ops.OPERATION_STATE_RUNNING, 30
    await registry.commit(claimed, operation=operation)
    assert (await following(stream)).operation.progress == 30
    operation.state = ops.OPERATION_STATE_SUCCEEDED
    await registry.commit(claimed, operation=operation)
    assert (await following(stream)).operation.state == ops.OPERATION_STATE_SUCCEEDED
    with pytest.raises(StopAsyncIteration):
        await following(stream)


async def test_a_delete_ends_the_watch_of_the_create(registry):
    created = await registry.create()
    stream = watch_operation(registry, created.operation.operation_id)
    await following(stream)
    await registry.delete()
    assert (await following(stream)).operation.state == ops.OPERATION_STATE_CANCELLED
    with pytest.raises(StopAsyncIteration):
        await following(stream)


async def test_an_operation_that_is_over_ends_at_once(registry):
    created = await registry.create()
    await registry.gone()
    found = [a async for a in watch_operation(registry, created.operation.operation_id)]
    assert [a.operation.state for a in found] == [ops.OPERATION_STATE_CANCELLED]


async def test_nobody_watches_the_operation_of_another(registry):
    created = await registry.create()
    for user, operation_id in (
        ("other", created.operation.operation_id),
        (USER, "op-none"),
    ):
        with pytest.raises(NotFound):
            await following(watch_operation(registry, operation_id, user))


async def test_a_stopping_registry_ends_its_streams(registry):
    stream = watch(registry)
    await caught_up(stream)
    registry.app.broadcast.stop()
    with pytest.raises(Unavailable) as caught:
        await following(stream)
    assert caught.value.reason == "REGISTRY_STOPPING"
    with pytest.raises(Unavailable):
        await caught_up_and_on(registry)


async def caught_up_and_on(registry):
    stream = watch(registry)
    await caught_up(stream)
    await following(stream)


async def test_a_slow_watcher_is_cut_and_others_are_not(embedded):
    """Below gRPC, whose own buffers would hide the queue."""
    world = World(embedded)
    threads = Threads(1, waiting=1)
    broadcast = Broadcast(world.store, threads, world.clock, queue=3, rescan_ms=1000)
    with (
        broadcast.subscribe(lambda record: True) as slow,
        broadcast.subscribe(lambda record: True) as quick,
        broadcast.subscribe(lambda record: False) as idle,
    ):
        for number in range(5):
            record = await asyncio.to_thread(world.create, f"name-{number}")
            assert await quick.next(seconds=20) == record
        with pytest.raises(Unavailable) as caught:
            await slow.next()
        assert caught.value.reason == "WATCHER_TOO_SLOW"
        assert await idle.next(seconds=0) is None
    threads.close()


async def test_late_news_never_overtakes_newer(embedded):
    world = World(embedded)
    threads = Threads(1, waiting=1)
    broadcast = Broadcast(world.store, threads, world.clock, queue=9, rescan_ms=1000)
    with broadcast.subscribe(lambda record: True) as watcher:
        old = world.create()
        new = world.delete()
        await asyncio.sleep(0)
        broadcast._publish(old)
        assert [await watcher.next(), await watcher.next()] == [old, new]
        assert await watcher.next(seconds=0) is None
    threads.close()


async def test_what_was_told_of_a_deleted_cluster_is_forgotten_in_time(embedded):
    """The edge's watch lasts as long as the edge: memory must not grow with every deletion."""
    world = World(embedded)
    threads = Threads(1, waiting=1)
    broadcast = Broadcast(world.store, threads, world.clock, queue=9, rescan_ms=1000)
    with broadcast.subscribe(lambda record: False):
        lives = world.create("lives")
        record = world.create()
        for number in range(100):
            mine = pb.Cluster(cluster_id=f"c{number}", deleted_at_ms=5)
            broadcast._publish(replace(record, cluster=mine, writes=2))
            broadcast._publish(replace(record, cluster=mine, writes=1))
            assert broadcast._told[mine.cluster_id] == 2  # late news of it is still known as late
            world.clock.forward(seconds=30)
            await asyncio.sleep(0)
        assert lives.cluster.cluster_id in broadcast._told
        assert len(broadcast._told) < 2 + 100 / 20
        assert len(broadcast._over) < 100 / 20
    threads.close()


async def test_the_look_for_changes_outlives_a_defect(embedded, monkeypatch):
    world = World(embedded)
    threads = Threads(1, waiting=1)
    monkeypatch.setattr(embedded, "shared", True)
    answers = [ValueError("a document that nobody can read"), [world.create()]]

    def changed_since(since_ms):
        answer = answers.pop(0) if answers else []
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(world.store, "changed_since", changed_since)
    broadcast = Broadcast(world.store, threads, world.clock, queue=9, rescan_ms=10)
    with broadcast.subscribe(lambda record: True) as watcher:
        assert (await watcher.next(seconds=20)) is not None
    threads.close()


@pytest.mark.wire
async def test_changes_of_another_process_are_seen(wire_server):
    clock = HandClock()
    engines = [Mongo(wire_server.uri, "kite-test-watch", prove=False) for _ in range(2)]
    for engine in engines:
        engine.time_ms = clock.now_ms
    try:
        async with (
            hosted(engines[0], clock, rescan_ms=20) as here,
            hosted(engines[1], clock, rescan_ms=20) as there,
        ):
            stream, due = watch(here), hints(here)
            await caught_up(stream)
            created = await there.create()
            assert (await following(stream)).cluster == created.cluster
            assert (await following(due)).cluster_id == created.cluster.cluster_id
            operation = watch_operation(here, created.operation.operation_id)
            assert (await following(operation)).operation == created.operation
            await there.delete()
            assert not (await following(stream)).cluster.spec.wanted
            over = (await following(operation)).operation
            assert over.state == ops.OPERATION_STATE_CANCELLED
            clock.forward(seconds=3600)
            again = await there.create("another")
            assert (await following(stream)).cluster == again.cluster
    finally:
        for engine in engines:
            engine.close()
        with pymongo.MongoClient(wire_server.uri) as client:
            client.drop_database("kite-test-watch")


async def test_a_watcher_that_goes_away_leaves_nothing(registry, monkeypatch):
    broadcast = registry.app.broadcast
    left = asyncio.Event()
    real = broadcast.leave
    monkeypatch.setattr(broadcast, "leave", lambda watcher: (real(watcher), left.set()))
    stream = watch(registry)
    await caught_up(stream)
    assert len(broadcast._watchers) == 1
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    waiting.cancel()
    async with asyncio.timeout(20):
        await left.wait()
    assert broadcast._watchers == set()
    assert broadcast._told == {}
    assert broadcast._scan is None


async def test_a_caller_that_goes_away_does_not_stop_the_write(registry):
    """Its change is made whole, and watchers hear of it."""
    stream = watch(registry)
    await caught_up(stream)
    waiting = asyncio.Event()
    store = registry.store
    real = store.insert
    loop = asyncio.get_running_loop()

    def slow(record):
        loop.call_soon_threadsafe(waiting.set)
        asyncio.run_coroutine_threadsafe(gone_away.wait(), loop).result(20)
        return real(record)

    gone_away = asyncio.Event()
    store.insert = slow
    call = asyncio.ensure_future(registry.create())
    await waiting.wait()
    call.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await call
    gone_away.set()
    assert (await following(stream)).cluster.milvus_name == "search-cats"


async def test_too_many_waiting_calls_are_refused():
    threads = Threads(1, waiting=1)
    go = asyncio.Event()
    loop = asyncio.get_running_loop()

    def work():
        asyncio.run_coroutine_threadsafe(go.wait(), loop).result(20)

    running = [asyncio.ensure_future(threads.run(work)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable) as caught:
        await threads.run(work)
    assert caught.value.reason == "REGISTRY_BUSY"
    go.set()
    await asyncio.gather(*running)
    await asyncio.sleep(0)
    assert await threads.run(lambda: 7) == 7
    threads.close()


def test_a_store_with_other_writers_says_so(embedded):
    assert not Store(embedded).shared


@pytest.mark.parametrize("ticks", range(5))
async def test_a_watcher_that_goes_away_as_news_comes_is_gone(ticks):
    """In whichever order the loop sees the two: a cancellation is never swallowed."""
    watcher = Subscription(None, lambda record: True, 1)
    waiting = asyncio.create_task(watcher.next(seconds=20))
    await asyncio.sleep(0)
    watcher._news.set()
    for _ in range(ticks):
        await asyncio.sleep(0)
    if waiting.done():
        assert ticks > 0
        return
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
