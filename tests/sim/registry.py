"""The registry in memory: wishes, leases, fences, duties, hints; messages as on the wire.

Leases, operations and what `gone` may be said of are decided by the registry's own pure modules.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from kite.errors import NotFound
from kite.v1 import cluster_pb2 as pb
from kite.v1 import controller_pb2, operation_pb2, registry_pb2
from kite.v1 import operation_pb2 as op
from provisioner import packing
from provisioner.record import Record
from registry_svc import admission, leases, stories
from registry_svc.leases import Lease
from tests.sim.tale import Tale
from tests.sim.virtual import VirtualClock

WORKER = {0: "", 1: "m5.large", 2: "m5.large", 3: "m5.large"}


@dataclass(slots=True)
class Row:
    cluster: pb.Cluster
    operation: op.Operation
    lease: Lease = field(default_factory=Lease)
    due_at_ms: int = 0
    events: int = 0
    commit_id: str = ""

    @property
    def gone(self) -> bool:
        return bool(self.cluster.deleted_at_ms)


@dataclass
class Store:
    """What survives every crash. `written` hears of every commit."""

    tale: Tale
    fenced: ClassVar[bool] = True
    rows: dict[str, Row] = field(default_factory=dict)
    duties: dict[str, Lease] = field(default_factory=dict)
    intents: set[str] = field(default_factory=set)
    watchers: list[asyncio.Queue[str]] = field(default_factory=list)
    clock: VirtualClock = field(default_factory=VirtualClock)
    quiet_from_ms: int = 1 << 62
    written: Callable[[str], None] = lambda _: None

    # the user's side ----------------------------------------------------------------------------

    def create(self, cluster_id: str, name: str, *, workers: int) -> None:
        now = self.clock.now_ms()
        cluster = pb.Cluster(
            cluster_id=cluster_id,
            user="alice",
            milvus_name=name,
            generation=1,
            operation_id=f"op-{cluster_id}-1",
            created_at_ms=now,
        )
        cluster.spec.milvus_type = "M5"
        cluster.spec.master_instance_type = "m5.large"
        cluster.spec.worker_instance_type = WORKER[workers]
        cluster.spec.workers = workers
        cluster.spec.disk_gib = 50
        cluster.spec.address_mode = pb.ADDRESS_MODE_ELASTIC
        cluster.spec.wanted = True
        operation = op.Operation(operation_id=cluster.operation_id, type="create-cluster")
        self.rows[cluster_id] = Row(cluster, operation)
        self.tale.tell("user", f"wants {cluster_id} ({name}) with {workers} workers")
        self._hint(cluster_id)

    def delete(self, cluster_id: str) -> None:
        row, now = self.rows[cluster_id], self.clock.now_ms()
        if row.gone or not row.cluster.spec.wanted:
            return
        row.cluster.spec.wanted = False
        row.cluster.generation += 1
        row.cluster.operation_id = f"op-{cluster_id}-2"
        row.cluster.status.state = pb.CLUSTER_STATE_DELETING
        row.operation = op.Operation(operation_id=row.cluster.operation_id, type="delete-cluster")
        row.due_at_ms = now
        self.tale.tell("user", f"deletes {cluster_id}")
        self._hint(cluster_id)

    def _hint(self, cluster_id: str) -> None:
        for watcher in self.watchers:
            watcher.put_nowait(cluster_id)

    def record(self, cluster_id: str) -> Record:
        return packing.unpack_cluster(self.rows[cluster_id].cluster)

    # the loops' side ----------------------------------------------------------------------------

    def answer(self, path: str, request: Any) -> Any:
        return _METHODS[path](self, request)

    def claim(self, asked: controller_pb2.ClaimRequest) -> controller_pb2.ClaimResponse:
        now, claimed = self.clock.now_ms(), []
        if asked.HasField("holdings"):
            self._end_unheard(asked)
        for row in self.rows.values():
            due = not row.gone and leases.due(row.lease, due_at_ms=row.due_at_ms, now_ms=now)
            if not due or len(claimed) >= asked.most:
                continue
            row.lease = leases.taken(
                row.lease,
                asked.holder,
                now_ms=now,
                seconds=leases.seconds(asked.lease_seconds),
                generation=row.cluster.generation,
                claim=asked.number,
            )
            claimed.append(
                controller_pb2.Claimed(
                    cluster=row.cluster,
                    operation=row.operation,
                    fence=row.lease.fence,
                    lease_seconds=asked.lease_seconds,
                )
            )
            if now < self.quiet_from_ms:
                self.tale.tell(asked.holder, f"claims {row.cluster.cluster_id} #{row.lease.fence}")
        return controller_pb2.ClaimResponse(claimed=claimed, now_ms=now)

    def _end_unheard(self, asked: controller_pb2.ClaimRequest) -> None:
        known = {(held.cluster_id, held.fence) for held in asked.holdings.held}
        for cluster_id, row in self.rows.items():
            mine = (cluster_id, row.lease.fence) in known
            if leases.unheard(row.lease, asked.holder, known=mine, claim=asked.number):
                row.lease = leases.released(row.lease)
                self.tale.tell(asked.holder, f"never heard of {cluster_id} #{row.lease.fence}")

    def renew(self, asked: controller_pb2.RenewRequest) -> controller_pb2.RenewResponse:
        now, kept = self.clock.now_ms(), []
        for held in asked.held:
            row = self.rows[held.cluster_id]
            if leases.held(row.lease, holder=asked.holder, fence=held.fence):
                row.lease = leases.renewed(row.lease, now_ms=now, seconds=asked.lease_seconds)
                kept.append(held)
        return controller_pb2.RenewResponse(held=kept, now_ms=now)

    def commit(self, asked: controller_pb2.CommitRequest) -> controller_pb2.CommitResponse:
        row, now = self._row(asked.cluster_id), self.clock.now_ms()
        if asked.commit_id and asked.commit_id == row.commit_id:
            return controller_pb2.CommitResponse(cluster=row.cluster)
        if self.fenced:
            leases.check(row.lease, holder=asked.holder, fence=asked.fence)
        wanted, generation = row.cluster.spec.wanted, row.cluster.generation
        if asked.gone:
            admission.check_gone(wanted=wanted, cluster_id=asked.cluster_id)
            row.cluster.deleted_at_ms = now
        before = row.cluster.status.state
        if asked.HasField("status"):
            row.cluster.status.CopyFrom(asked.status)
        if not wanted:
            row.cluster.status.state = pb.CLUSTER_STATE_DELETING
        self._operation(row, asked, now)
        self.intents.update(n.intent.client_token for n in asked.status.nodes)
        row.commit_id = asked.commit_id
        wished = now + asked.due_in_ms if asked.due_in_ms else asked.due_at_ms
        row.due_at_ms = leases.next_due(
            row.lease, wished_ms=wished, now_ms=now, generation=generation
        )
        over = asked.release or asked.gone
        row.lease = leases.released(row.lease) if over else _with_generation(row.lease, generation)
        row.events += len(asked.events)
        self._tell(asked, before, row.cluster.status.state)
        self.written(asked.cluster_id)
        return controller_pb2.CommitResponse(cluster=row.cluster)

    def _operation(self, row: Row, asked: controller_pb2.CommitRequest, now: int) -> None:
        if asked.HasField("operation") and (
            asked.operation.operation_id == row.operation.operation_id
        ):
            row.operation = stories.progressed(row.operation, asked.operation, now_ms=now)
        if asked.gone:
            row.operation = stories.ended(
                row.operation, op.OPERATION_STATE_SUCCEEDED, why="gone", now_ms=now
            )

    def _tell(self, asked: controller_pb2.CommitRequest, before: int, after: int) -> None:
        for event in asked.events:
            self.tale.tell(asked.holder, f"{asked.cluster_id} {event.type}: {event.description}")
        if asked.gone:
            self.tale.tell(asked.holder, f"{asked.cluster_id} is gone")

    def duty(self, asked: controller_pb2.ClaimDutyRequest) -> controller_pb2.ClaimDutyResponse:
        now, lease = self.clock.now_ms(), self.duties.get(asked.duty, Lease())
        seconds = leases.seconds(asked.lease_seconds)
        if lease.holder == asked.holder and not leases.free(lease, now):
            new = leases.renewed(lease, now_ms=now, seconds=seconds)
        elif leases.free(lease, now):
            new = leases.taken(lease, asked.holder, now_ms=now, seconds=seconds)
        else:
            return controller_pb2.ClaimDutyResponse(granted=False, fence=lease.fence)
        self.duties[asked.duty] = new
        return controller_pb2.ClaimDutyResponse(granted=True, fence=new.fence)

    def get(self, asked: registry_pb2.GetClusterRequest) -> registry_pb2.GetClusterResponse:
        row = self._row(asked.cluster_id)
        if row.gone and not asked.include_deleted:
            raise NotFound(f"sim: {asked.cluster_id} is gone")
        return registry_pb2.GetClusterResponse(cluster=row.cluster)

    def list(self, asked: registry_pb2.ListClustersRequest) -> registry_pb2.ListClustersResponse:
        live = [row.cluster for row in self.rows.values() if not row.gone]
        return registry_pb2.ListClustersResponse(clusters=live)

    def append(self, asked: Any) -> operation_pb2.AppendEventsResponse:
        for event in asked.events:
            self.tale.tell("sweep", f"{asked.cluster_id} {event.type}: {event.description}")
        return operation_pb2.AppendEventsResponse()

    def _row(self, cluster_id: str) -> Row:
        if cluster_id not in self.rows:
            raise NotFound(f"sim: no {cluster_id}")
        return self.rows[cluster_id]


def _with_generation(lease: Lease, generation: int) -> Lease:
    return replace(lease, generation=generation)


_METHODS: dict[str, Callable[[Store, Any], Any]] = {
    "/kite.v1.ControllerService/Claim": Store.claim,
    "/kite.v1.ControllerService/Renew": Store.renew,
    "/kite.v1.ControllerService/Commit": Store.commit,
    "/kite.v1.ControllerService/ClaimDuty": Store.duty,
    "/kite.v1.RegistryService/GetCluster": Store.get,
    "/kite.v1.RegistryService/ListClusters": Store.list,
    "/kite.v1.OperationService/AppendEvents": Store.append,
}
