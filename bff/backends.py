"""The three services behind the edge: channels for the life of the process, and their stubs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from bff.news import News
from bff.offers import Offers
from kite.clock import Clock
from kite.errors import KiteError
from kite.rpc.client import connect
from kite.settings import Common
from kite.v1 import (
    operation_pb2_grpc,
    provisioner_pb2_grpc,
    registry_pb2_grpc,
    whitelist_pb2_grpc,
)

HEALTH_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Backends:
    """Stubs the handlers may call; failures come back as the class the service raised."""

    registry: registry_pb2_grpc.RegistryServiceAsyncStub
    operations: operation_pb2_grpc.OperationServiceAsyncStub
    whitelist: whitelist_pb2_grpc.WhitelistServiceAsyncStub
    news: News
    offers: Offers
    channels: dict[str, grpc.aio.Channel] = field(default_factory=dict)

    async def health(self) -> dict[str, bool]:
        """Which service says SERVING, asked now and at the same time."""
        asked = await asyncio.gather(*(_serving(channel) for channel in self.channels.values()))
        return dict(zip(self.channels, asked, strict=True))

    async def close(self) -> None:
        await self.news.close()
        await asyncio.gather(*(channel.close() for channel in self.channels.values()))


def open_backends(settings: Common, clock: Clock) -> Backends:
    """Channels connect when first used; a service that is away fails the call, not the start."""
    targets = {
        "registry": settings.registry,
        "whitelist": settings.whitelist,
        "provisioner": settings.provisioner,
    }
    channels = {name: connect(target, name=name) for name, target in targets.items()}
    registry: registry_pb2_grpc.RegistryServiceAsyncStub = registry_pb2_grpc.RegistryServiceStub(
        channels["registry"]
    )
    provisioner: provisioner_pb2_grpc.ProvisionerServiceAsyncStub = (
        provisioner_pb2_grpc.ProvisionerServiceStub(channels["provisioner"])
    )
    return Backends(
        registry,
        operation_pb2_grpc.OperationServiceStub(channels["registry"]),
        whitelist_pb2_grpc.WhitelistServiceStub(channels["whitelist"]),
        News(registry),
        Offers(registry, provisioner, clock),
        channels,
    )


async def _serving(channel: grpc.aio.Channel) -> bool:
    stub = health_pb2_grpc.HealthStub(channel)
    try:
        answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=HEALTH_SECONDS)
    except KiteError:
        return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
