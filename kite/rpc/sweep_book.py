"""The registry as a sweep uses it: every cluster to the last page, one cluster afresh, the duty."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import grpc

from kite.errors import NotFound
from kite.rpc.pages import pages
from kite.sweep import Known, Live, Thing
from kite.v1 import cluster_pb2, controller_pb2, operation_pb2, registry_pb2
from kite.v1.controller_pb2_grpc import ControllerServiceStub
from kite.v1.operation_pb2_grpc import OperationServiceStub
from kite.v1.registry_pb2_grpc import RegistryServiceStub

PAGE = 500
_LEAST_LEASE_SECONDS = 90
Read = Callable[[Iterable[cluster_pb2.Cluster]], Live]


def lease_seconds(pause: int) -> int:
    """Longer than the pause and a pass: the duty moves only when its holder is gone."""
    return max(_LEAST_LEASE_SECONDS, pause * 2)


class SweepBook:
    """Calls on one channel; raises KiteError.

    `read` tells what the sweep needs of clusters; `duty` is the name of the lease, `holder` that of
    this process, `seconds` the length.
    """

    def __init__(
        self, channel: grpc.aio.Channel, read: Read, *, duty: str, holder: str, seconds: int
    ) -> None:
        self._registry = RegistryServiceStub(channel)
        self._controller = ControllerServiceStub(channel)
        self._operations = OperationServiceStub(channel)
        self._read = read
        self._duty = duty
        self._holder = holder
        self._seconds = seconds

    async def duty(self) -> bool:
        answer = await self._controller.ClaimDuty(
            controller_pb2.ClaimDutyRequest(
                duty=self._duty, holder=self._holder, lease_seconds=self._seconds
            )
        )
        return bool(answer.granted)

    async def live(self) -> Live:
        listed = pages(
            self._registry.ListClusters, registry_pb2.ListClustersRequest(page_size=PAGE)
        )
        found = [one async for page in listed for one in page.clusters if not one.deleted_at_ms]
        return self._read(found)

    async def one(self, cluster_id: str) -> Known | int | None:
        request = registry_pb2.GetClusterRequest(cluster_id=cluster_id, include_deleted=True)
        try:
            found = (await self._registry.GetCluster(request)).cluster
        except NotFound:
            return None
        if found.deleted_at_ms:
            return int(found.deleted_at_ms)
        return self._read([found]).clusters[cluster_id]

    async def tell(self, thing: Thing, event: str, why: str) -> None:
        told = operation_pb2.Event(
            type=event,
            description=f"{thing.kind} {thing.id} was removed: {why}",
            origin="sweep",
            details={"kind": thing.kind, "id": thing.id},
        )
        await self._operations.AppendEvents(
            operation_pb2.AppendEventsRequest(cluster_id=thing.cluster_id, events=[told])
        )
