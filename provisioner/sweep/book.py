"""The registry as the sweep uses it: every cluster to the last page, one cluster afresh, duties."""

import grpc

from kite.errors import NotFound
from kite.sweep import Known, Live, Thing
from kite.v1 import controller_pb2, operation_pb2, registry_pb2
from kite.v1.controller_pb2_grpc import ControllerServiceStub
from kite.v1.operation_pb2_grpc import OperationServiceStub
from kite.v1.registry_pb2_grpc import RegistryServiceStub
from provisioner import packing
from provisioner.sweep import facts

DUTY = "sweep"
PAGE = 500


class SweepBook:
    """Calls on one channel. `holder` names this process; `seconds` is the length of the duty."""

    def __init__(
        self, channel: grpc.aio.Channel, *, install: str, holder: str, seconds: int
    ) -> None:
        self._registry = RegistryServiceStub(channel)
        self._controller = ControllerServiceStub(channel)
        self._operations = OperationServiceStub(channel)
        self._install = install
        self._holder = holder
        self._seconds = seconds

    async def duty(self) -> bool:
        answer = await self._controller.ClaimDuty(
            controller_pb2.ClaimDutyRequest(
                duty=DUTY, holder=self._holder, lease_seconds=self._seconds
            )
        )
        return answer.granted

    async def live(self) -> Live:
        records, page = [], ""
        while True:
            answer = await self._registry.ListClusters(
                registry_pb2.ListClustersRequest(page_size=PAGE, page_token=page)
            )
            records += [packing.unpack_cluster(c) for c in answer.clusters if not c.deleted_at_ms]
            page = answer.next_page_token
            if not page:
                return facts.live(records, self._install)

    async def one(self, cluster_id: str) -> Known | int | None:
        request = registry_pb2.GetClusterRequest(cluster_id=cluster_id, include_deleted=True)
        try:
            found = (await self._registry.GetCluster(request)).cluster
        except NotFound:
            return None
        return found.deleted_at_ms or facts.known(packing.unpack_cluster(found))

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
