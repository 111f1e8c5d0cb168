"""A real registry on loopback, its clock set by hand."""

from contextlib import asynccontextmanager

import pytest

from kite.rpc import client
from kite.rpc.server import RpcServer
from kite.v1 import (
    controller_pb2,
    controller_pb2_grpc,
    operation_pb2,
    operation_pb2_grpc,
    registry_pb2,
    registry_pb2_grpc,
)
from registry_svc import app
from registry_svc.embedded import Embedded
from registry_svc.settings import Settings
from registry_svc.store import Store
from tests.store.servers import Server, ensure_program
from tests.store.world import HandClock

USER, NAME = "milvus-test", "search-cats"


class Caller:
    """The stubs, and the calls that tests make over and over."""

    def __init__(self, channel, store, clock):
        self.registry = registry_pb2_grpc.RegistryServiceStub(channel)
        self.controller = controller_pb2_grpc.ControllerServiceStub(channel)
        self.operations = operation_pb2_grpc.OperationServiceStub(channel)
        self.channel = channel
        self.store = store
        self.clock = clock

    async def create(self, name=NAME, *, user=USER, milvus_type="M5", disk=50, **more):
        request = registry_pb2.CreateClusterRequest(
            user=user, milvus_name=name, milvus_type=milvus_type, disk_gib=disk, **more
        )
        return await self.registry.CreateCluster(request)

    async def get(self, name=NAME, *, user=USER, **more):
        request = registry_pb2.GetClusterRequest(user=user, milvus_name=name, **more)
        return (await self.registry.GetCluster(request)).cluster

    async def delete(self, name=NAME, *, user=USER, rev=0):
        request = registry_pb2.DeleteClusterRequest(
            user=user, milvus_name=name, expected_rev=rev, request_id="req-delete"
        )
        return await self.registry.DeleteCluster(request)

    async def whitelist(self, *rules, name=NAME, user=USER, revision=0):
        request = registry_pb2.SetWhitelistRequest(
            user=user, milvus_name=name, rules=rules, expected_revision=revision
        )
        return (await self.registry.SetWhitelist(request)).cluster

    async def claim(self, holder="p1", *, most=10, seconds=30):
        request = controller_pb2.ClaimRequest(holder=holder, most=most, lease_seconds=seconds)
        return list((await self.controller.Claim(request)).claimed)

    async def commit(self, claimed, holder="p1", **more):
        request = controller_pb2.CommitRequest(
            holder=holder, cluster_id=claimed.cluster.cluster_id, fence=claimed.fence, **more
        )
        return (await self.controller.Commit(request)).cluster

    async def gone(self, name=NAME, *, user=USER):
        """Delete, and do as the provisioner does when nothing is left."""
        await self.delete(name, user=user)
        wanted = [c for c in await self.claim("undertaker") if not c.cluster.spec.wanted]
        return await self.commit(wanted[0], "undertaker", gone=True)

    async def events(self, name=NAME, *, user=USER, after=0, size=0):
        request = operation_pb2.ListEventsRequest(
            user=user, milvus_name=name, after_number=after, page_size=size
        )
        return list((await self.operations.ListEvents(request)).events)

    async def operation(self, operation_id, *, user=USER):
        request = operation_pb2.GetOperationRequest(user=user, operation_id=operation_id)
        return (await self.operations.GetOperation(request)).operation


@asynccontextmanager
async def hosted(engine, clock, **more):
    """A registry over `engine`; `more` are settings without their prefix."""
    settings = Settings(**{f"registry_{name}": value for name, value in more.items()})
    store = Store(engine)
    built = app.assemble(store, settings, clock)
    server = RpcServer("127.0.0.1:0")
    for part in built.parts:
        server.add(*part)
    port = await server.start()
    async with client.connect(f"127.0.0.1:{port}", name="registry") as channel:
        caller = Caller(channel, store, clock)
        caller.app, caller.port = built, port
        yield caller
    built.broadcast.stop()
    await server.drain(1)
    built.threads.close()


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def embedded(tmp_path):
    engine = Embedded(tmp_path / "registry")
    yield engine
    engine.close()


@pytest.fixture
async def registry(embedded, clock):
    async with hosted(embedded, clock) as caller:
        yield caller


@pytest.fixture(scope="session")
def wire_server(tmp_path_factory):
    ensure_program()
    server = Server(tmp_path_factory.mktemp("wire") / "data").start()
    yield server
    server.stop()
