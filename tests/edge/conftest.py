"""The real edge on loopback, in front of services of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from bff.app import Running, serve
from bff.settings import Settings
from kite.clock import Clock
from kite.rpc.server import RpcServer
from kite.v1 import (
    operation_pb2_grpc,
    provisioner_pb2_grpc,
    registry_pb2_grpc,
    whitelist_pb2_grpc,
)
from tests.edge import http
from tests.edge.fake_whitelist import FakeWhitelist
from tests.edge.fakes import FakeOperations, FakeProvisioner, FakeRegistry, World
from tests.worlds.joined import SECRET

PORTAL_KEY = "0123456789abcdef0123456789abcdef"


@dataclass
class Edge:
    port: int
    world: World
    settings: Settings
    running: Running

    async def ask(self, method: str, target: str, body: object = None, **how: Any) -> http.Answer:
        return await http.raw(self.port, http.request(method, target, body, **how))

    async def create(self, name: str = "search-cats", **how: Any) -> http.Answer:
        body = {"milvus-name": name, "milvus-type": "M5", "disk-size": 50}
        return await self.ask("POST", "/v1/milvus", body, **how)


@dataclass
class Behind:
    """Ports of the services behind."""

    world: World
    registry: int
    whitelist: int
    provisioner: int
    servers: dict[str, RpcServer]


async def start_behind() -> Behind:
    world = World()
    servers = {name: RpcServer("127.0.0.1:0") for name in ("registry", "whitelist", "provisioner")}
    servers["registry"].add(
        registry_pb2_grpc.add_RegistryServiceServicer_to_server,
        FakeRegistry(world),
        "kite.v1.RegistryService",
    )
    servers["registry"].add(
        operation_pb2_grpc.add_OperationServiceServicer_to_server,
        FakeOperations(world),
        "kite.v1.OperationService",
    )
    servers["whitelist"].add(
        whitelist_pb2_grpc.add_WhitelistServiceServicer_to_server,
        FakeWhitelist(world),
        "kite.v1.WhitelistService",
    )
    servers["provisioner"].add(
        provisioner_pb2_grpc.add_ProvisionerServiceServicer_to_server,
        FakeProvisioner(world),
        "kite.v1.ProvisionerService",
    )
    ports = {name: await server.start() for name, server in servers.items()}
    return Behind(world, **ports, servers=servers)


def settings_for(behind: Behind, **changes: Any) -> Settings:
    plain = {
        "secret": SECRET,
        "bff_listen": "127.0.0.1:0",
        "bff_url_seconds": 0,
        "bff_rate_per_minute": 1_000_000,
        "bff_burst": 1_000_000,
        "bff_endpoints_per_minute": 1_000_000,
        "bff_drain_seconds": 0.01,
        "registry": f"127.0.0.1:{behind.registry}",
        "whitelist": f"127.0.0.1:{behind.whitelist}",
        "provisioner": f"127.0.0.1:{behind.provisioner}",
    }
    return Settings.model_validate(plain | changes)


@pytest_asyncio.fixture(loop_scope="package", scope="package")
async def behind() -> AsyncIterator[Behind]:
    started = await start_behind()
    yield started
    for server in started.servers.values():
        await server.drain(0)


async def start_edge(behind: Behind, clock: Clock | None = None, **changes: Any) -> Edge:
    settings = settings_for(behind, **changes)
    running = await serve(settings, clock, warm=False)
    return Edge(running.port, behind.world, settings, running)


@pytest_asyncio.fixture(loop_scope="package", scope="package")
async def plain_edge(behind: Behind) -> AsyncIterator[Edge]:
    started = await start_edge(behind, bff_disabled_users="mallory", bff_admins="root")
    yield started
    await started.running.stop()


@pytest.fixture
def edge(plain_edge: Edge) -> Edge:
    """The edge with its default ways, in front of an empty world."""
    plain_edge.world.clear()
    return plain_edge


@pytest_asyncio.fixture(loop_scope="package", scope="package")
async def signed_edge(behind: Behind) -> AsyncIterator[Edge]:
    started = await start_edge(
        behind,
        auth="signed-header",
        bff_portal_keys=f"portal-1={PORTAL_KEY}, portal-2={PORTAL_KEY[::-1]}",
    )
    yield started
    await started.running.stop()
