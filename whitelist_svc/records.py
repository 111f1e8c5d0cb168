"""The registry as this service uses it: clusters in, wishes, operations and events out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import grpc

from kite.errors import Conflict, KiteError, NotFound, WrongState
from kite.rpc.pages import pages
from kite.telemetry import logs
from kite.v1 import (
    controller_pb2,
    controller_pb2_grpc,
    operation_pb2,
    operation_pb2_grpc,
    registry_pb2,
    registry_pb2_grpc,
)
from whitelist_svc import packing, story
from whitelist_svc.cluster import Cluster
from whitelist_svc.rules import Entry
from whitelist_svc.story import Told

_log = logs.get(__name__)
_PAGE = 500
CHANGE = "set-whitelist"
_FAILED = operation_pb2.OPERATION_STATE_FAILED
_SUCCEEDED = operation_pb2.OPERATION_STATE_SUCCEEDED
USER, SERVICE = "user", "whitelist"  # who an event of the story comes from


@dataclass(frozen=True, slots=True)
class Done:
    """A whitelist change; `reason` is empty when it succeeded, `ended_at_ms` is 0 while it runs."""

    operation_id: str
    cluster: Cluster
    request_id: str
    started_at_ms: int
    ended_at_ms: int
    description: str
    reason: str = ""

    @property
    def state(self) -> operation_pb2.OperationState.ValueType:
        if not self.ended_at_ms:
            return operation_pb2.OPERATION_STATE_RUNNING
        return _FAILED if self.reason else _SUCCEEDED


class Records:
    """Calls on one channel; failures come as the registry raised them."""

    def __init__(self, channel: grpc.aio.Channel, *, holder: str) -> None:
        self._registry: registry_pb2_grpc.RegistryServiceAsyncStub = (
            registry_pb2_grpc.RegistryServiceStub(channel)
        )
        self._operations: operation_pb2_grpc.OperationServiceAsyncStub = (
            operation_pb2_grpc.OperationServiceStub(channel)
        )
        self._controller: controller_pb2_grpc.ControllerServiceAsyncStub = (
            controller_pb2_grpc.ControllerServiceStub(channel)
        )
        self._holder = holder

    async def of_user(self, user: str, milvus_name: str) -> Cluster:
        """Raises NotFound NO_SUCH_CLUSTER, the same for absent and for another user's."""
        request = registry_pb2.GetClusterRequest(user=user, milvus_name=milvus_name)
        return await self._get(request)

    async def by_id(self, cluster_id: str) -> Cluster:
        """Raises NotFound NO_SUCH_CLUSTER."""
        return await self._get(registry_pb2.GetClusterRequest(cluster_id=cluster_id))

    async def _get(self, request: registry_pb2.GetClusterRequest) -> Cluster:
        try:
            answer = await self._registry.GetCluster(request)
        except NotFound:
            raise no_such_cluster() from None
        return packing.cluster(answer.cluster)

    async def every(self) -> tuple[Cluster, ...]:
        """All live clusters of all users."""
        request = registry_pb2.ListClustersRequest(page_size=_PAGE)
        listed = pages(self._registry.ListClusters, request)
        return tuple([packing.cluster(one) async for page in listed for one in page.clusters])

    async def wish(
        self,
        cluster: Cluster,
        entries: Sequence[Entry],
        *,
        origin: str = USER,
    ) -> Cluster:
        """Replace the wish of this very cluster, if it still has its revision; `origin` wishes it.

        Raises:
            Conflict: somebody changed it first, or CLUSTER_DELETING.
        """
        request = registry_pb2.SetWhitelistRequest(
            user=cluster.user,
            milvus_name=cluster.milvus_name,
            rules=map(packing.rule, entries),
            expected_revision=cluster.revision,
            origin=origin,
            cluster_id=cluster.cluster_id,
        )
        try:
            answer = await self._registry.SetWhitelist(request)
        except WrongState:
            raise cluster_deleting() from None
        return packing.cluster(answer.cluster)

    async def tell_waiting(self, cluster_id: str, at_ms: int, failed: KiteError) -> bool:
        """Why the stored list is not in force yet, into the story; whether it could be told."""
        try:
            await self.tell(cluster_id, at_ms, [story.waiting(failed.description, failed.reason)])
        except KiteError as again:
            _log.warning("an event could not be told", cluster=cluster_id, reason=again.reason)
            return False
        return True

    async def running(self) -> tuple[operation_pb2.Operation, ...]:
        """Changes of all users that have not ended, by whichever process they were begun."""
        request = operation_pb2.ListOperationsRequest(running=CHANGE, page_size=_PAGE)
        listed = pages(self._operations.ListOperations, request)
        return tuple([one async for page in listed for one in page.operations])

    async def end(
        self, begun: operation_pb2.Operation, description: str, reason: str, *, now_ms: int
    ) -> None:
        """End a change that another process began; an end that is stored already stays."""
        over = operation_pb2.Operation()
        over.CopyFrom(begun)
        over.state, over.progress = _FAILED if reason else _SUCCEEDED, 100
        over.reason, over.description, over.ended_at_ms = reason, description, now_ms
        for step in over.steps:
            step.state, step.description, step.ended_at_ms = over.state, description, now_ms
        await self._operations.RecordOperation(operation_pb2.RecordOperationRequest(operation=over))

    async def record(self, done: Done) -> operation_pb2.Operation:
        answer = await self._operations.RecordOperation(
            operation_pb2.RecordOperationRequest(operation=operation(done))
        )
        return answer.operation

    async def tell(self, cluster_id: str, at_ms: int, told: Sequence[Told]) -> None:
        """Append to the story of a cluster."""
        events = [
            operation_pb2.Event(
                cluster_id=cluster_id,
                at_ms=at_ms,
                type=one.type,
                description=one.description,
                origin=SERVICE,
                details=one.details,
            )
            for one in told
        ]
        await self._operations.AppendEvents(
            operation_pb2.AppendEventsRequest(cluster_id=cluster_id, events=events)
        )

    async def duty(self, name: str, *, seconds: int) -> bool:
        """Whether this process holds the named duty for the next `seconds`."""
        answer = await self._controller.ClaimDuty(
            controller_pb2.ClaimDutyRequest(duty=name, holder=self._holder, lease_seconds=seconds)
        )
        return answer.granted


def operation(done: Done) -> operation_pb2.Operation:
    """The operation of a change, to be followed and left behind."""
    step = operation_pb2.Step(
        name="apply",
        state=done.state,
        description=done.description,
        started_at_ms=done.started_at_ms,
        ended_at_ms=done.ended_at_ms,
    )
    return operation_pb2.Operation(
        operation_id=done.operation_id,
        type=CHANGE,
        user=done.cluster.user,
        milvus_name=done.cluster.milvus_name,
        cluster_id=done.cluster.cluster_id,
        state=done.state,
        progress=100 if done.ended_at_ms else 0,
        steps=[step],
        reason=done.reason,
        description=done.description,
        request_id=done.request_id,
        started_at_ms=done.started_at_ms,
        ended_at_ms=done.ended_at_ms,
    )


def no_such_cluster() -> NotFound:
    return NotFound("there is no such cluster", reason="NO_SUCH_CLUSTER", field="/milvus-name")


def cluster_deleting() -> Conflict:
    return Conflict(
        "the cluster is being deleted; its whitelist is closed for good",
        reason="CLUSTER_DELETING",
        field="/milvus-name",
    )
