"""Services behind the edge, in memory, over real gRPC on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import grpc

from kite.errors import (
    AlreadyExists,
    Conflict,
    InvalidRequest,
    KiteError,
    NotFound,
    OverLimit,
    Unavailable,
)
from kite.v1 import (
    cluster_pb2,
    operation_pb2,
    operation_pb2_grpc,
    provisioner_pb2,
    provisioner_pb2_grpc,
    registry_pb2,
    registry_pb2_grpc,
)

TYPES = {"M5": ("m5.large", 8, 1024), "m5.large": ("m5.large", 8, 1024)}
NOW_MS = 1_800_000_000_000


@dataclass
class World:
    """Records of the fake registry, and knobs for tests."""

    clusters: dict[tuple[str, str], cluster_pb2.Cluster] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)
    keys: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    operations: dict[str, operation_pb2.Operation] = field(default_factory=dict)
    events: dict[str, list[operation_pb2.Event]] = field(default_factory=dict)
    url: str = "ec2-198-18-88-7.compute-1.amazonaws.com"
    url_after_reads: int = 0
    fail_next: list[KiteError] = field(default_factory=list)
    fail_watches: list[KiteError] = field(default_factory=list)
    tombstones: list[cluster_pb2.Cluster] = field(default_factory=list)
    zones: tuple[str, ...] = ("us-east-1a", "us-east-1b")
    offers_fail: KiteError | None = None
    offers_asked: int = 0
    offers_gate: asyncio.Event | None = None
    epoch: int = 0
    watches: int = 0
    watch_breaks: int = 0
    quota: int = 1000
    creates: int = 0
    lost_reply: bool = False
    before_delete: Callable[[], object] = bool
    calls: dict[str, str] = field(default_factory=dict)
    serial: int = 0
    hang: bool = False
    asked: list[object] = field(default_factory=list)

    def shown(self, cluster: cluster_pb2.Cluster) -> tuple[bytes, int]:
        """What a watch tells a change by."""
        return cluster.SerializeToString(), len(self.events[cluster.cluster_id])

    def bury(self, user: str, name: str) -> None:
        """The cluster is gone; its story stays."""
        cluster = self.clusters.pop((user, name))
        cluster.status.state = cluster_pb2.CLUSTER_STATE_DELETED
        cluster.deleted_at_ms = NOW_MS
        self.tombstones.append(cluster)

    def number(self) -> int:
        self.serial += 1
        return self.serial

    def clear(self) -> None:
        self.__dict__.update(World(epoch=self.epoch + 1).__dict__)

    async def until(self, true: Callable[[], object]) -> None:
        """Wait for the world to come so far; the test's own timeout ends it."""
        while not true():  # noqa: ASYNC110 - many things happen here, and tests look at any
            await asyncio.sleep(0.01)

    def end(self, operation_id: str, state: int, **fields: str) -> None:
        operation = self.operations[operation_id]
        operation.state = state
        operation.progress = 100
        operation.ended_at_ms = NOW_MS + 1
        for key, value in fields.items():
            setattr(operation, key, value)

    async def trip(self, request: object) -> None:
        self.asked.append(request)
        if self.hang:
            await asyncio.sleep(60)
        if self.fail_next:
            raise self.fail_next.pop(0)


def _missing() -> NotFound:
    return NotFound("the registry has its own words for this", reason="NO_CLUSTER_HERE")


class FakeRegistry(registry_pb2_grpc.RegistryServiceServicer):
    def __init__(self, world: World) -> None:
        self.world = world

    def _live(self, user: str, name: str) -> cluster_pb2.Cluster:
        found = self.world.clusters.get((user, name))
        if found is None:
            raise _missing()
        return found

    async def CreateCluster(self, request, context):
        await self.world.trip(request)
        self.world.creates += 1
        key = (request.user, request.idempotency_key)
        known = self.world.keys.get(key) if request.idempotency_key else None
        if known and known[0] != request.body_hash:
            raise InvalidRequest("other body", reason="IDEMPOTENCY_KEY_REUSED")
        if request.milvus_type not in TYPES:
            raise InvalidRequest("unknown type", reason="UNKNOWN_TYPE", field="/milvus-type")
        there = self.world.clusters.get((request.user, request.milvus_name))
        if there is not None:
            return self._again(request, there)
        if sum(user == request.user for user, _ in self.world.clusters) >= self.world.quota:
            raise OverLimit("you have as many as you may")
        return await self._new(request, key, context)

    def _again(self, request, there):
        if not there.spec.wanted:
            raise Conflict("being deleted", reason="CLUSTER_DELETING")
        if self.world.hashes[there.cluster_id] != request.body_hash:
            raise AlreadyExists("exists with another body")
        return registry_pb2.CreateClusterResponse(
            cluster=there,
            operation=self.world.operations[there.operation_id],
            created=self.world.calls[there.cluster_id] == request.call_id,
        )

    async def _new(self, request, key, context):
        number = self.world.number()
        cluster = cluster_pb2.Cluster(
            cluster_id=f"c{number:016x}",
            user=request.user,
            milvus_name=request.milvus_name,
            spec=cluster_pb2.ClusterSpec(
                milvus_type=request.milvus_type,
                disk_gib=request.disk_gib,
                address_mode=request.address_mode or cluster_pb2.ADDRESS_MODE_ELASTIC,
                master_instance_type=TYPES[request.milvus_type][0],
                wanted=True,
            ),
            status=cluster_pb2.ClusterStatus(
                state=cluster_pb2.CLUSTER_STATE_STARTING,
                milvus_url="" if self.world.url_after_reads else self.world.url,
                milvus_port="19530",
            ),
            whitelist=cluster_pb2.Whitelist(rules=request.rules, revision=1),
            generation=1,
            rev=1,
            created_at_ms=NOW_MS,
            operation_id=f"op-{number:020x}",
        )
        operation = operation_pb2.Operation(
            operation_id=cluster.operation_id,
            type="create-cluster",
            user=request.user,
            milvus_name=request.milvus_name,
            cluster_id=cluster.cluster_id,
            state=operation_pb2.OPERATION_STATE_RUNNING,
            request_id=request.request_id,
            started_at_ms=NOW_MS,
        )
        self.world.clusters[request.user, request.milvus_name] = cluster
        self.world.hashes[cluster.cluster_id] = request.body_hash
        self.world.keys[key] = (request.body_hash, cluster.cluster_id)
        self.world.operations[operation.operation_id] = operation
        self.world.events[cluster.cluster_id] = [
            operation_pb2.Event(
                cluster_id=cluster.cluster_id,
                number=1,
                at_ms=NOW_MS,
                type="ClusterCreated",
                origin="user",
                description="asked for",
            )
        ]
        self.world.calls[cluster.cluster_id] = request.call_id
        if self.world.lost_reply:
            self.world.lost_reply = False
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the connection broke")
        return registry_pb2.CreateClusterResponse(
            cluster=cluster, operation=operation, created=True
        )

    async def GetCluster(self, request, context):
        await self.world.trip(request)
        cluster = self._named(request)
        if self.world.url_after_reads > 0:
            self.world.url_after_reads -= 1
            if self.world.url_after_reads == 0:
                cluster.status.milvus_url = self.world.url
        return registry_pb2.GetClusterResponse(cluster=cluster)

    def _named(self, request):
        for cluster in (*self.world.clusters.values(), *self.world.tombstones):
            if request.cluster_id and cluster.cluster_id == request.cluster_id:
                return cluster
        return self._live(request.user, request.milvus_name)

    async def ListClusters(self, request, context):
        await self.world.trip(request)
        if request.page_token and not request.page_token.isdecimal():
            raise InvalidRequest("not a token of ours", reason="INVALID_PAGE_TOKEN")
        mine = [c for (u, _), c in sorted(self.world.clusters.items()) if request.user in ("", u)]
        start = int(request.page_token or 0)
        end = start + request.page_size
        return registry_pb2.ListClustersResponse(
            clusters=mine[start:end], next_page_token=str(end) if end < len(mine) else ""
        )

    async def DeleteCluster(self, request, context):
        await self.world.trip(request)
        self.world.before_delete()
        cluster = self._named(request)
        if request.expected_rev and request.expected_rev != cluster.rev:
            raise Conflict("changed meanwhile", reason="CONFLICT")
        if not cluster.spec.wanted:
            operation = self.world.operations[cluster.operation_id]
            return registry_pb2.DeleteClusterResponse(cluster=cluster, operation=operation)
        cluster.spec.wanted = False
        cluster.rev += 1
        cluster.status.state = cluster_pb2.CLUSTER_STATE_DELETING
        operation = operation_pb2.Operation(
            operation_id=f"op-{self.world.number():020x}",
            type="delete-cluster",
            user=request.user,
            milvus_name=request.milvus_name,
            cluster_id=cluster.cluster_id,
            state=operation_pb2.OPERATION_STATE_RUNNING,
            request_id=request.request_id,
            started_at_ms=NOW_MS,
        )
        cluster.operation_id = operation.operation_id
        self.world.operations[operation.operation_id] = operation
        return registry_pb2.DeleteClusterResponse(cluster=cluster, operation=operation)

    async def SetWhitelist(self, request, context):
        raise NotImplementedError

    async def ListPlans(self, request, context):
        if not request.milvus_type:
            await self.world.trip(request)
        if request.milvus_type and request.milvus_type.upper() != "M5":
            raise InvalidRequest("unknown type", reason="UNKNOWN_TYPE", field="/milvus-type")
        plan = registry_pb2.Plan(
            name="M5", master_instance_type="m5.large", min_disk_gib=8, max_disk_gib=1024
        )
        return registry_pb2.ListPlansResponse(plans=[plan])

    async def WatchClusters(self, request, context):
        self.world.watches += 1
        if self.world.fail_watches:
            raise self.world.fail_watches.pop(0)
        for cluster in list(self.world.clusters.values()):
            yield registry_pb2.WatchClustersResponse(cluster=cluster)
        yield registry_pb2.WatchClustersResponse(caught_up=True)
        told, epoch = {}, -1
        while not self.world.watch_breaks:
            if epoch != self.world.epoch:
                told, epoch = {}, self.world.epoch
            for cluster in (*self.world.clusters.values(), *self.world.tombstones):
                key = cluster.cluster_id
                if told.get(key) != (shown := self.world.shown(cluster)):
                    told[key] = shown
                    yield registry_pb2.WatchClustersResponse(cluster=cluster)
            await asyncio.sleep(0.01)
        self.world.watch_breaks -= 1
        raise Unavailable("the watch broke")


class FakeProvisioner(provisioner_pb2_grpc.ProvisionerServiceServicer):
    def __init__(self, world: World) -> None:
        self.world = world

    async def CheckOffers(self, request, context):
        self.world.offers_asked += 1
        if self.world.offers_gate:
            await self.world.offers_gate.wait()
        if self.world.offers_fail:
            raise self.world.offers_fail
        return provisioner_pb2.CheckOffersResponse(
            offers=[
                provisioner_pb2.TypeOffer(instance_type=one, zones=self.world.zones)
                for one in request.instance_types
            ]
        )

    async def WatchInstall(self, request, context):
        raise NotImplementedError
        yield

    async def Nudge(self, request, context):
        raise NotImplementedError


class FakeOperations(operation_pb2_grpc.OperationServiceServicer):
    def __init__(self, world: World) -> None:
        self.world = world

    def _of(self, user: str, operation_id: str) -> operation_pb2.Operation:
        found = self.world.operations.get(operation_id)
        if found is None or found.user != user:
            raise NotFound("no such operation here", reason="WHO_KNOWS")
        return found

    async def GetOperation(self, request, context):
        await self.world.trip(request)
        return operation_pb2.GetOperationResponse(
            operation=self._of(request.user, request.operation_id)
        )

    async def WatchOperation(self, request, context):
        self.world.asked.append(request)
        if self.world.fail_watches:
            raise self.world.fail_watches.pop(0)
        last = None
        while True:
            operation = self._of(request.user, request.operation_id)
            if operation.SerializeToString() != last:
                last = operation.SerializeToString()
                yield operation_pb2.WatchOperationResponse(operation=operation)
            if operation.state >= operation_pb2.OPERATION_STATE_SUCCEEDED:
                return
            await asyncio.sleep(0.01)

    async def ListOperations(self, request, context):
        await self.world.trip(request)
        mine = [
            o
            for o in self.world.operations.values()
            if o.user == request.user and request.milvus_name in ("", o.milvus_name)
        ]
        return operation_pb2.ListOperationsResponse(operations=mine[: request.page_size])

    async def RecordOperation(self, request, context):
        raise NotImplementedError

    async def ListEvents(self, request, context):
        await self.world.trip(request)
        there = (*self.world.clusters.values(), *self.world.tombstones)
        name = (request.user, request.milvus_name)
        cluster = next((one for one in there if (one.user, one.milvus_name) == name), None)
        if cluster is None:
            raise _missing()
        story = self.world.events[cluster.cluster_id]
        return operation_pb2.ListEventsResponse(
            events=[e for e in story if e.number > request.after_number][: request.page_size]
        )

    async def AppendEvents(self, request, context):
        raise NotImplementedError
