"""The registry as the loop uses it: claim, renew, commit, hints. Every commit carries the fence."""

import math
import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import grpc

from kite.errors import KiteError, NotFound
from kite.v1 import controller_pb2, registry_pb2
from kite.v1.controller_pb2_grpc import ControllerServiceStub
from kite.v1.registry_pb2_grpc import RegistryServiceStub
from provisioner import packing
from provisioner.record import Event, Operation, Record
from provisioner.registry_time import RegistryTime
from provisioner.removal import keeps_base

SAFE_READ_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Claim:
    """A cluster that is ours until `until` (monotonic seconds), unless renewed."""

    record: Record
    operation: Operation | None
    fence: int
    until: float


@dataclass(frozen=True, slots=True)
class Write:
    """One commit. `due_in_ms` counts from now; `release` gives the claim back."""

    record: Record
    operation: Operation | None
    events: tuple[Event, ...] = ()
    due_in_ms: int = 0
    release: bool = False
    gone: bool = False


class Registry(Protocol):
    """What the loop needs of it; all but `hints` raise KiteError."""

    async def claim(self, most: int, held: Sequence[tuple[str, int]]) -> list[Claim]:
        """`held` is all that this process holds (cluster id, fence)."""
        ...

    async def renew(self, held: Sequence[tuple[str, int]]) -> dict[str, float]:
        """New `until` per cluster that is still ours."""
        ...

    async def commit(self, claim: Claim, write: Write) -> Claim:
        """The claim with the cluster as stored: the wish may have changed meanwhile."""
        ...

    async def release(self, claim: Claim) -> None:
        """Give the claim back; the record stays as it is stored."""
        ...

    async def get(self, cluster_id: str) -> Record | None:
        """As stored now; None when there is none or its deletion is complete."""
        ...

    async def others(self, cluster_id: str) -> bool:
        """Whether another cluster will see to what belongs to the whole install."""
        ...

    def hints(self) -> AsyncIterator[str]:
        """Ids of clusters that became due."""
        ...


class RegistryClient:
    """The Registry over gRPC. `holder` names this process; the one before it had the same name."""

    def __init__(
        self, channel: grpc.aio.Channel, *, holder: str, lease_seconds: int, clock: RegistryTime
    ) -> None:
        self._controller = ControllerServiceStub(channel)
        self._registry = RegistryServiceStub(channel)
        self._holder = holder
        self._seconds = lease_seconds
        self._unsure_until = math.inf
        self._number = 0
        self._commits = 0
        self._time = clock

    async def claim(self, most: int, held: Sequence[tuple[str, int]]) -> list[Claim]:
        """What an unheard answer gave us, or the process before us, is taken back at once.

        So for the length of a lease after one (it may yet be carried out, being late), and after a
        start, the registry is told what we know of.
        """
        before = self._time.monotonic()
        unsure, self._unsure_until = self._unsure_until, math.inf
        # Greater than any of the process before us: the name stands for one boot of one machine.
        self._number = max(self._number + 1, int(before * 1000))
        answer = await self._controller.Claim(
            controller_pb2.ClaimRequest(
                holder=self._holder,
                most=most,
                lease_seconds=self._seconds,
                holdings=_holdings(held) if before < unsure else None,
                number=self._number,
            )
        )
        self._unsure_until = min(unsure, before + self._seconds)
        self._time.follow(answer.now_ms, asked=before)
        return [
            Claim(
                packing.unpack_cluster(one.cluster),
                packing.unpack_operation(one.operation),
                one.fence,
                before + (one.lease_seconds or self._seconds),
            )
            for one in answer.claimed
        ]

    async def renew(self, held: Sequence[tuple[str, int]]) -> dict[str, float]:
        before = self._time.monotonic()
        answer = await self._controller.Renew(
            controller_pb2.RenewRequest(
                holder=self._holder,
                held=_holdings(held).held,
                lease_seconds=self._seconds,
            ),
            timeout=SAFE_READ_SECONDS,
        )
        self._time.follow(answer.now_ms, asked=before)
        return {one.cluster_id: before + self._seconds for one in answer.held}

    async def commit(self, claim: Claim, write: Write) -> Claim:
        record, operation = write.record, write.operation
        answer = await self._controller.Commit(
            controller_pb2.CommitRequest(
                holder=self._holder,
                cluster_id=record.cluster_id,
                fence=claim.fence,
                status=packing.pack_status(record, self._time.now_ms()),
                operation=packing.pack_operation(operation, record) if operation else None,
                events=[packing.pack_event(e, record.cluster_id) for e in write.events],
                due_in_ms=write.due_in_ms,
                release=write.release,
                gone=write.gone,
                commit_id=secrets.token_hex(8),
                number=self._next_commit(),
            ),
            timeout=SAFE_READ_SECONDS,
        )
        stored = packing.unpack_cluster(answer.cluster)
        return replace(claim, record=stored, operation=operation)

    async def release(self, claim: Claim) -> None:
        await self._controller.Commit(
            controller_pb2.CommitRequest(
                holder=self._holder,
                cluster_id=claim.record.cluster_id,
                fence=claim.fence,
                release=True,
                commit_id=secrets.token_hex(8),
                number=self._next_commit(),
            ),
            timeout=SAFE_READ_SECONDS,
        )

    def _next_commit(self) -> int:
        self._commits += 1
        return self._commits

    async def get(self, cluster_id: str) -> Record | None:
        try:
            answer = await self._registry.GetCluster(
                registry_pb2.GetClusterRequest(cluster_id=cluster_id)
            )
        except NotFound:
            return None
        deleted = answer.cluster.deleted_at_ms
        return None if deleted else packing.unpack_cluster(answer.cluster)

    async def others(self, cluster_id: str) -> bool:
        page = ""
        while True:
            answer = await self._registry.ListClusters(
                registry_pb2.ListClustersRequest(page_size=100, page_token=page)
            )
            live = [c for c in answer.clusters if not c.deleted_at_ms]
            if any(keeps_base(packing.unpack_cluster(c), cluster_id) for c in live):
                return True
            page = answer.next_page_token
            if not page:
                return False

    async def hints(self) -> AsyncIterator[str]:
        request = controller_pb2.WatchHintsRequest(holder=self._holder)
        async for hint in self._controller.WatchHints(request):
            yield hint.cluster_id


def _holdings(held: Sequence[tuple[str, int]]) -> controller_pb2.Holdings:
    return controller_pb2.Holdings(
        held=[controller_pb2.Held(cluster_id=c, fence=f) for c, f in held]
    )


__all__ = ["Claim", "KiteError", "Registry", "RegistryClient", "Write"]
