"""How long a call may last: its deadline, its caller's, a frozen peer, a drain, a full house."""

import asyncio
import contextlib

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from bff.edge.failures import face
from kite.errors import DeadlinePassed, KiteError, Unavailable
from kite.rpc import caller, client, interceptors
from kite.rpc import server as server_module
from kite.rpc.server import RpcServer
from kite.v1 import registry_pb2, registry_pb2_grpc
from tests.faults.relay import Mode, Relay

SERVICE = "kite.v1.RegistryService"
WATCH = registry_pb2.WatchClustersRequest()


class Back(registry_pb2_grpc.RegistryServiceServicer):
    """Keeps how long its callers wait; answers when let."""

    def __init__(self):
        self.waits = []
        self.asked, self.may_answer = asyncio.Event(), asyncio.Event()

    async def GetCluster(self, request, context):
        self.waits.append(context.time_remaining())
        self.asked.set()
        await self.may_answer.wait()
        return registry_pb2.GetClusterResponse()

    async def ListClusters(self, request, context):
        return registry_pb2.ListClustersResponse(next_page_token="x" * (5 << 20))

    async def WatchClusters(self, request, context):
        yield registry_pb2.WatchClustersResponse(caught_up=True)
        await asyncio.Event().wait()


class Front(registry_pb2_grpc.RegistryServiceServicer):
    """Asks `Back` on behalf of its caller, or in the background."""

    def __init__(self, channel):
        self._back = registry_pb2_grpc.RegistryServiceStub(channel)

    async def GetCluster(self, request, context):
        return await self._back.GetCluster(request)

    async def ListPlans(self, request, context):
        await asyncio.create_task(_got(self._back), context=caller.without_deadline())
        return registry_pb2.ListPlansResponse()


async def _got(stub):
    return await stub.GetCluster(registry_pb2.GetClusterRequest())


async def started(servicer):
    server = RpcServer("127.0.0.1:0")
    server.add(registry_pb2_grpc.add_RegistryServiceServicer_to_server, servicer, SERVICE)
    return server, f"127.0.0.1:{await server.start()}"


@pytest.fixture
async def back():
    back = Back()
    server, back.target = await started(back)
    back.server = server
    async with client.connect(back.target, name="registry") as channel:
        back.channel, back.stub = channel, registry_pb2_grpc.RegistryServiceStub(channel)
        yield back
    await server.drain(0)


@pytest.fixture
async def front(back):
    server, target = await started(Front(back.channel))
    async with client.connect(target, name="front") as channel:
        yield registry_pb2_grpc.RegistryServiceStub(channel)
    await server.drain(0)


async def test_a_call_on_behalf_of_another_gets_what_is_left_of_its_time(front, back):
    back.may_answer.set()
    await front.GetCluster(registry_pb2.GetClusterRequest(), timeout=2)
    await front.GetCluster(registry_pb2.GetClusterRequest())
    hurried, own = back.waits
    assert hurried < 2.5
    assert 2.5 < own < client.READ_SECONDS + 1


async def test_when_the_time_is_over_the_calls_behind_end_too(front, back):
    with pytest.raises(DeadlinePassed):
        await front.GetCluster(registry_pb2.GetClusterRequest(), timeout=0.3)
    assert back.waits[0] < 1


async def test_work_that_outlives_its_caller_has_time_of_its_own(front, back):
    back.may_answer.set()
    await front.ListPlans(registry_pb2.ListPlansRequest(), timeout=2)
    assert back.waits[0] > 2.5


def test_a_caller_without_a_deadline_waits_for_ever():
    assert caller.remaining() is None
    context = caller.without_deadline()
    context.run(caller.waits, 0.0)
    assert context.run(caller.remaining) == 0
    context.run(caller.waits, None)
    assert context.run(caller.remaining) is None


async def test_an_answer_that_is_too_big_is_refused_by_name(back):
    with pytest.raises(Unavailable, match="resource_exhausted"):
        await back.stub.ListClusters(registry_pb2.ListClustersRequest())
    with pytest.raises(Unavailable, match="resource_exhausted"):
        await back.stub.GetCluster(registry_pb2.GetClusterRequest(user="x" * (5 << 20)))
    assert back.waits == []


async def test_a_full_server_is_busy_and_passes_no_users_rate(monkeypatch):
    monkeypatch.setattr(server_module, "MAX_CONCURRENT", 1)
    back = Back()
    server, target = await started(back)
    async with client.connect(target, name="registry") as channel:
        stub = registry_pb2_grpc.RegistryServiceStub(channel)
        first = asyncio.create_task(_got(stub))
        await back.asked.wait()
        with pytest.raises(Unavailable) as refused:
            await stub.GetCluster(registry_pb2.GetClusterRequest())
        shown = face(refused.value, request_id="r")
        assert (shown.status, shown.headers) == (503, {"Retry-After": "1"})
        assert (shown.body["reason"], shown.body["retryable"]) == ("BUSY", True)
        back.may_answer.set()
        await first
    await server.drain(0)


async def test_watches_never_fill_a_server(back, monkeypatch):
    monkeypatch.setattr(interceptors, "MOST_WATCHES", 2)
    watches = [back.stub.WatchClusters(WATCH) for _ in range(2)]
    for watch in watches:
        assert (await anext(aiter(watch))).caught_up
    with pytest.raises(Unavailable, match="watch again later") as refused:
        await anext(aiter(back.stub.WatchClusters(WATCH)))
    assert refused.value.reason == "BUSY"
    back.may_answer.set()
    await back.stub.GetCluster(registry_pb2.GetClusterRequest())

    watches[0].cancel()
    caught_up = False
    async with asyncio.timeout(30):
        while not caught_up:
            with contextlib.suppress(Unavailable):
                caught_up = (await anext(aiter(back.stub.WatchClusters(WATCH)))).caught_up


async def test_a_drain_ends_streams_and_lets_calls_end(back):
    answer = asyncio.create_task(_got(back.stub))
    stream = aiter(back.stub.WatchClusters(registry_pb2.WatchClustersRequest()))
    assert (await anext(stream)).caught_up
    await back.asked.wait()
    draining = asyncio.create_task(back.server.drain())
    with pytest.raises(Unavailable, match="watch again") as ended:
        await anext(stream)
    assert ended.value.reason == "STOPPING"
    assert not draining.done()
    back.may_answer.set()
    assert await answer == registry_pb2.GetClusterResponse()
    await draining


async def test_a_drain_in_the_middle_of_a_write_is_told_all_the_same():
    """A cancellation there would be heard by gRPC alone, and the reader told nothing."""
    calls, told = interceptors.Calls(), []

    class Context:
        def invocation_metadata(self):
            return ()

        def time_remaining(self):
            return None

        async def abort(self, code, words, trailing_metadata):
            told.append(words)
            raise grpc.aio.AbortError

    async def news(request, context):
        yield "first"
        await asyncio.Event().wait()

    handler = grpc.unary_stream_rpc_method_handler(news, bytes, str)
    stream = calls._stream(handler, "/kite.v1.X/Watch").unary_stream(b"", Context())
    assert await anext(stream) == "first"  # and it is being written, as far as anybody knows
    await calls.end(0)
    await asyncio.sleep(0)
    with pytest.raises(grpc.aio.AbortError):
        await anext(stream)
    assert ["watch again" in words for words in told] == [True]


async def test_a_quiet_stream_to_a_frozen_peer_ends(back, monkeypatch):
    """With the pings a tenth as far apart as in production."""
    quick = {
        "grpc.keepalive_time_ms": 1_000,
        "grpc.keepalive_timeout_ms": 300,
        "grpc.http2.ping_timeout_ms": 300,
    }
    options = [(name, quick.get(name, value)) for name, value in client._OPTIONS]
    monkeypatch.setattr(client, "_OPTIONS", options)
    host, _, port = back.target.rpartition(":")
    with Relay(host, int(port)) as relay:
        await _watched(relay)


async def _watched(relay):
    async with client.connect(f"127.0.0.1:{relay.port}", name="registry") as channel:
        stub = registry_pb2_grpc.RegistryServiceStub(channel)
        stream = aiter(stub.WatchClusters(registry_pb2.WatchClustersRequest()))
        assert (await anext(stream)).caught_up
        await asyncio.sleep(3.5)  # three pings without data: by default gRPC would now stop asking
        relay.become(Mode.HOLD)
        with pytest.raises(Unavailable):
            async with asyncio.timeout(10):
                await anext(stream)


async def test_a_drain_waits_for_nobody_who_does_not_read(back):
    """A watcher of health, and a stream that is about to fail by itself, hold nothing up."""
    health = health_pb2_grpc.HealthStub(back.channel)
    watching = aiter(health.Watch(health_pb2.HealthCheckRequest()))
    await anext(watching)
    async with asyncio.timeout(10):
        await back.server.drain()
    with pytest.raises(KiteError):
        async for answer in watching:
            assert answer.status == health_pb2.HealthCheckResponse.NOT_SERVING


async def test_a_call_that_comes_during_a_drain_may_be_sent_elsewhere(back):
    first = asyncio.create_task(_got(back.stub))
    await back.asked.wait()
    draining = asyncio.create_task(back.server.drain())
    await asyncio.sleep(0)
    with pytest.raises(Unavailable) as refused:
        await back.stub.ListPlans(registry_pb2.ListPlansRequest())
    assert refused.value.context == {"service": "registry"}  # no name of its own: gRPC tried again
    back.may_answer.set()
    await first
    await draining
