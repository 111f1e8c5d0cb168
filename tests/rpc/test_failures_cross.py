"""Every failure crosses gRPC whole, by unary and by streaming calls."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from kite import errors
from kite.rpc import client, failures
from kite.rpc.server import RpcServer
from kite.v1 import registry_pb2, registry_pb2_grpc


class Raising(registry_pb2_grpc.RegistryServiceServicer):
    def __init__(self, error: Exception) -> None:
        self.error = error

    async def GetCluster(self, request: Any, context: Any) -> Any:
        raise self.error

    async def WatchClusters(self, request: Any, context: Any) -> AsyncIterator[Any]:
        yield registry_pb2.WatchClustersResponse(caught_up=True)
        raise self.error


async def serve(error: Exception) -> tuple[RpcServer, int]:
    server = RpcServer("127.0.0.1:0")
    server.add(
        registry_pb2_grpc.add_RegistryServiceServicer_to_server,
        Raising(error),
        "kite.v1.RegistryService",
    )
    return server, await server.start()


def sample(kind: type[errors.KiteError]) -> errors.KiteError:
    return kind(
        "集群不存在: nothing",
        reason="SOME_REASON",
        field="/milvus-name",
        retry_after=7,
        context={"aws-code": "X"},
    )


@pytest.mark.parametrize("kind", errors.KINDS.values(), ids=errors.KINDS.keys())
@pytest.mark.parametrize("streaming", [False, True])
async def test_every_failure_arrives_as_it_left(
    kind: type[errors.KiteError], streaming: bool
) -> None:
    server, port = await serve(sample(kind))
    async with client.connect(f"127.0.0.1:{port}", name="registry") as channel:
        stub = registry_pb2_grpc.RegistryServiceStub(channel)
        with pytest.raises(kind) as caught:
            if streaming:
                async for _ in stub.WatchClusters(registry_pb2.WatchClustersRequest()):
                    pass
            else:
                await stub.GetCluster(registry_pb2.GetClusterRequest(), timeout=5)
    got = caught.value
    assert type(got) is kind
    assert (got.reason, got.description, got.field) == (
        "SOME_REASON",
        "集群不存在: nothing",
        "/milvus-name",
    )
    assert (got.retry_after, got.context) == (7, {"aws-code": "X"})
    await server.drain(0)


async def test_strangers_read_google_details() -> None:
    server, port = await serve(sample(errors.InvalidRequest))
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = registry_pb2_grpc.RegistryServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.GetCluster(registry_pb2.GetClusterRequest(), timeout=5)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    trailers = dict(caught.value.trailing_metadata())
    status = status_pb2.Status.FromString(trailers[failures.DETAILS])
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert (info.reason, info.domain) == ("SOME_REASON", "kite")
    await server.drain(0)


async def test_a_defect_is_internal_and_tells_nothing() -> None:
    server, port = await serve(RuntimeError("password=hunter2"))
    async with client.connect(f"127.0.0.1:{port}", name="registry") as channel:
        stub = registry_pb2_grpc.RegistryServiceStub(channel)
        with pytest.raises(errors.Internal) as caught:
            await stub.GetCluster(registry_pb2.GetClusterRequest(), timeout=5)
    assert "hunter2" not in str(caught.value)
    await server.drain(0)


async def test_a_server_that_is_away_is_named() -> None:
    async with client.connect("127.0.0.1:1", name="registry") as channel:
        stub = registry_pb2_grpc.RegistryServiceStub(channel)
        with pytest.raises(errors.Unavailable, match="registry"):
            await stub.GetCluster(registry_pb2.GetClusterRequest(), timeout=5)


async def test_health_watch_still_works_behind_the_wrapper() -> None:
    server, port = await serve(RuntimeError())
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest(service="kite.v1.RegistryService")
        watch = stub.Watch(request, timeout=5)
        first = await watch.read()
        assert first.status == health_pb2.HealthCheckResponse.SERVING
        watch.cancel()
    await server.drain(0)


def test_both_tables_cover_the_whole_tree() -> None:
    assert set(failures.STATUS) == set(errors.KINDS.values())
