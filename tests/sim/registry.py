"""The registry in memory: wishes, leases, fences, hints; messages as on the wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import ClassVar

from kite.errors import LeaseLost
from kite.v1 import cluster_pb2 as pb
from kite.v1 import operation_pb2 as op
from provisioner import packing
from provisioner.record import Record
from provisioner.registry import Claim, Write
from provisioner.removal import keeps_base
from tests.sim.virtual import VirtualClock

LEASE = 30.0


@dataclass
class Row:
    cluster: pb.Cluster
    operation: op.Operation
    holder: str = ""
    fence: int = 0
    until: float = 0.0
    due_ms: int = 0
    gone: bool = False
    events: list[op.Event] = field(default_factory=list)


@dataclass
class Store:
    """What survives every crash."""

    fenced: ClassVar[bool] = True
    rows: dict[str, Row] = field(default_factory=dict)
    intents: set[str] = field(default_factory=set)
    watchers: set[asyncio.Queue[str]] = field(default_factory=set)
    clock: VirtualClock = field(default_factory=VirtualClock)

    def create(self, cluster_id: str) -> None:
        cluster = pb.Cluster(
            cluster_id=cluster_id,
            user="alice",
            milvus_name=cluster_id,
            generation=1,
            operation_id=f"op-{cluster_id}-1",
        )
        cluster.spec.milvus_type = "M5"
        cluster.spec.master_instance_type = "m5.large"
        cluster.spec.disk_gib = 50
        cluster.spec.address_mode = pb.ADDRESS_MODE_ELASTIC
        cluster.spec.wanted = True
        operation = op.Operation(operation_id=cluster.operation_id, type="create-cluster")
        self.rows[cluster_id] = Row(cluster, operation)
        self._hint(cluster_id)

    def delete(self, cluster_id: str) -> None:
        row = self.rows[cluster_id]
        if row.gone:
            return
        row.cluster.spec.wanted = False
        row.cluster.generation += 1
        row.cluster.operation_id = f"op-{cluster_id}-2"
        row.operation = op.Operation(operation_id=row.cluster.operation_id, type="delete-cluster")
        row.due_ms = 0
        self._hint(cluster_id)

    def _hint(self, cluster_id: str) -> None:
        for watcher in self.watchers:
            watcher.put_nowait(cluster_id)

    def record(self, cluster_id: str) -> Record:
        return packing.unpack_cluster(self.rows[cluster_id].cluster)

    # the loops' side ----------------------------------------------------------------------------

    def claim(self, holder: str, most: int) -> list[Claim]:
        now, found = self.clock.monotonic(), []
        for row in self.rows.values():
            due = not row.gone and row.until <= now and row.due_ms <= self.clock.now_ms()
            if due and len(found) < most:
                row.holder, row.fence, row.until = holder, row.fence + 1, now + LEASE
                found.append(self._claim(row))
        return found

    def _claim(self, row: Row) -> Claim:
        record = packing.unpack_cluster(row.cluster)
        return Claim(record, packing.unpack_operation(row.operation), row.fence, row.until)

    def renew(self, holder: str, held: list[tuple[str, int]]) -> dict[str, float]:
        until = self.clock.monotonic() + LEASE
        kept = {}
        for cluster_id, fence in held:
            row = self.rows[cluster_id]
            if (row.holder, row.fence) == (holder, fence) and not row.gone:
                row.until = kept[cluster_id] = until
        return kept

    def commit(self, holder: str, claim: Claim, write: Write) -> Claim:
        row = self.rows[claim.record.cluster_id]
        if self.fenced and (row.holder, row.fence) != (holder, claim.fence):
            raise LeaseLost("sim: fence is over")
        now = self.clock.now_ms()
        row.cluster.status.CopyFrom(packing.pack_status(write.record, now))
        self.intents |= {n.intent.client_token for n in write.record.nodes if n.intent}
        if write.operation and write.operation.operation_id == row.cluster.operation_id:
            row.operation = packing.pack_operation(write.operation, write.record)
        row.events += [packing.pack_event(e, write.record.cluster_id) for e in write.events]
        changed = write.record.generation != row.cluster.generation
        row.due_ms = 0 if changed else now + write.due_in_ms
        if write.release or write.gone:
            row.holder, row.until = "", 0.0
        row.gone = row.gone or write.gone
        return Claim(packing.unpack_cluster(row.cluster), write.operation, claim.fence, row.until)

    def get(self, cluster_id: str) -> Record | None:
        return None if self.rows[cluster_id].gone else self.record(cluster_id)

    def others(self, cluster_id: str) -> bool:
        return any(
            keeps_base(packing.unpack_cluster(r.cluster), cluster_id)
            for r in self.rows.values()
            if not r.gone
        )

    async def hints(self) -> AsyncIterator[str]:
        mine: asyncio.Queue[str] = asyncio.Queue()
        self.watchers.add(mine)
        try:
            while True:
                yield await mine.get()
        finally:
            self.watchers.discard(mine)
