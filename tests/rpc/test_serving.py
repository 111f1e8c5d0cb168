"""A server with work beside it: both end together, whichever ends first."""

import asyncio
import socket

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from kite.process import CannotListen
from kite.rpc.server import RpcServer


class Work:
    """Waits until it is let go, or told to fail."""

    def __init__(self):
        self.begun, self.end, self.cancelled = asyncio.Event(), asyncio.Event(), False

    async def run(self, failure=None):
        self.begun.set()
        try:
            await self.end.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        if failure:
            raise failure


async def test_it_serves_until_told_and_ends_the_work_beside_it():
    server, stop, work, seen = RpcServer("127.0.0.1:0"), asyncio.Event(), Work(), []
    serving = asyncio.create_task(
        server.serve(stop, work.run(), draining=lambda: seen.append(work.cancelled))
    )
    await work.begun.wait()
    stop.set()
    await serving
    assert work.cancelled
    assert seen == [False]  # told as the drain begins, not when it is over


@pytest.mark.parametrize("failure", [None, LookupError("a defect")])
async def test_work_that_ends_by_itself_ends_serving(failure):
    server, work, other = RpcServer("127.0.0.1:0"), Work(), Work()
    serving = asyncio.create_task(server.serve(asyncio.Event(), work.run(failure), other.run()))
    await work.begun.wait()
    work.end.set()
    if failure:
        with pytest.raises(LookupError, match="a defect"):
            await serving
    else:
        await serving
    assert other.cancelled


async def test_a_taken_port_is_told_before_work_begins():
    work = Work()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(CannotListen, match=f"cannot listen on {listen}"):
            await RpcServer(listen).serve(asyncio.Event(), work.run())
    assert not work.begun.is_set()


async def test_a_drain_says_not_serving_before_it_ends_calls():
    server = RpcServer("127.0.0.1:0")
    port = await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        draining = asyncio.create_task(server.drain(grace_seconds=5))
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        watch.cancel()
        await draining
