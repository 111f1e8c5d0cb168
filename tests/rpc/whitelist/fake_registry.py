"""A registry in memory behind real gRPC: only what the whitelist service asks of it."""

from __future__ import annotations

import asyncio
from typing import Any

from kite.errors import Conflict, KiteError, NotFound
from kite.rpc.server import RpcServer
from kite.v1 import (
    cluster_pb2,
    controller_pb2,
    controller_pb2_grpc,
    operation_pb2,
    operation_pb2_grpc,
    registry_pb2,
    registry_pb2_grpc,
)


class FakeRegistry(
    registry_pb2_grpc.RegistryServiceServicer,
    operation_pb2_grpc.OperationServiceServicer,
    controller_pb2_grpc.ControllerServiceServicer,
):
    def __init__(self) -> None:
        self.clusters: dict[str, cluster_pb2.Cluster] = {}
        self.operations: list[operation_pb2.Operation] = []
        self.events: list[operation_pb2.Event] = []
        self.duty_granted = True
        self.fail: dict[str, list[KiteError]] = {}
        self.before_set: Any = None
        self.after_get: Any = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.waiting = 0
        self.calls: list[str] = []

    def add(self, cluster_id: str, *, user: str = "alice", name: str = "cats", **spec: Any) -> None:
        self.clusters[cluster_id] = cluster_pb2.Cluster(
            cluster_id=cluster_id,
            user=user,
            milvus_name=name,
            spec=cluster_pb2.ClusterSpec(**{"wanted": True, **spec}),
            whitelist=cluster_pb2.Whitelist(revision=1),
        )

    def together(self, readers: int) -> None:
        """The next reads by name are answered when `readers` of them have come."""
        self.waiting = readers
        self.gate.clear()

    def unwant(self, cluster_id: str) -> None:
        self.clusters[cluster_id].spec.wanted = False

    def reborn(self, cluster_id: str, successor: str) -> None:
        """The cluster went and another has its name, whose list is at the very same revision."""
        gone = self.clusters.pop(cluster_id)
        self.add(successor, user=gone.user, name=gone.milvus_name)
        self.clusters[successor].whitelist.revision = gone.whitelist.revision

    def wish(self, cluster_id: str, *rules: cluster_pb2.Rule) -> None:
        whitelist = self.clusters[cluster_id].whitelist
        whitelist.CopyFrom(cluster_pb2.Whitelist(rules=rules, revision=whitelist.revision + 1))

    def record_group(self, cluster_id: str, group_id: str) -> None:
        self.clusters[cluster_id].status.security_groups.add(group_id=group_id, kind="whitelist")

    def _enter(self, method: str) -> None:
        self.calls.append(method)
        if self.fail.get(method):
            raise self.fail[method].pop(0)

    def _named(self, request: Any) -> cluster_pb2.Cluster:
        for cluster in self.clusters.values():
            if (request.user, request.milvus_name) == (cluster.user, cluster.milvus_name):
                return cluster
        raise NotFound("no such cluster", reason="WHATEVER")

    def _find(self, request: Any) -> cluster_pb2.Cluster:
        if not request.cluster_id:
            return self._named(request)
        if request.cluster_id not in self.clusters:
            raise NotFound("no such cluster", reason="WHATEVER")
        return self.clusters[request.cluster_id]

    async def GetCluster(self, request: Any, context: Any) -> Any:
        self._enter("GetCluster")
        answer = registry_pb2.GetClusterResponse(cluster=self._find(request))
        if not request.cluster_id and self.waiting:
            self.waiting -= 1
            if not self.waiting:
                self.gate.set()
            await self.gate.wait()
        if self.after_get and request.cluster_id:
            hook, self.after_get = self.after_get, None
            hook()
        return answer

    async def ListClusters(self, request: Any, context: Any) -> Any:
        """Pages of two, so that paging is always exercised."""
        self._enter("ListClusters")
        ids = sorted(self.clusters)
        start = int(request.page_token or 0)
        page = [self.clusters[one] for one in ids[start : start + 2]]
        token = str(start + 2) if start + 2 < len(ids) else ""
        return registry_pb2.ListClustersResponse(clusters=page, next_page_token=token)

    async def SetWhitelist(self, request: Any, context: Any) -> Any:
        self._enter("SetWhitelist")
        if self.before_set:
            hook, self.before_set = self.before_set, None
            if (waits := hook()) is not None:
                await waits
        cluster = self._named(request)
        if request.cluster_id not in ("", cluster.cluster_id):
            raise Conflict("another cluster has that name by now")
        if request.expected_revision not in (0, cluster.whitelist.revision):
            raise Conflict("changed meanwhile", reason="REVISION_MISMATCH")
        self.wish(cluster.cluster_id, *request.rules)
        return registry_pb2.SetWhitelistResponse(cluster=cluster)

    async def RecordOperation(self, request: Any, context: Any) -> Any:
        self._enter("RecordOperation")
        self.operations.append(request.operation)
        return operation_pb2.RecordOperationResponse(operation=request.operation)

    async def ListOperations(self, request: Any, context: Any) -> Any:
        self._enter("ListOperations")
        latest = {one.operation_id: one for one in self.operations}.values()
        runs = operation_pb2.OPERATION_STATE_RUNNING
        found = [one for one in latest if one.state == runs and one.type == request.running]
        return operation_pb2.ListOperationsResponse(operations=found)

    async def AppendEvents(self, request: Any, context: Any) -> Any:
        self._enter("AppendEvents")
        self.events += request.events
        return operation_pb2.AppendEventsResponse()

    async def ClaimDuty(self, request: Any, context: Any) -> Any:
        self._enter("ClaimDuty")
        return controller_pb2.ClaimDutyResponse(granted=self.duty_granted, fence=1)

    async def serve(self) -> tuple[RpcServer, str]:
        server = RpcServer("127.0.0.1:0")
        for register, name in (
            (registry_pb2_grpc.add_RegistryServiceServicer_to_server, "kite.v1.RegistryService"),
            (operation_pb2_grpc.add_OperationServiceServicer_to_server, "kite.v1.OperationService"),
            (
                controller_pb2_grpc.add_ControllerServiceServicer_to_server,
                "kite.v1.ControllerService",
            ),
        ):
            server.add(register, self, name)
        return server, f"127.0.0.1:{await server.start()}"
