"""ControllerService: unpack, call, pack."""

from collections.abc import AsyncIterator
from typing import Any

from kite.clock import Clock
from kite.errors import InvalidRequest
from kite.v1 import controller_pb2 as pb
from kite.v1 import controller_pb2_grpc
from registry_svc import leases
from registry_svc.broadcast import Broadcast
from registry_svc.claims import Claims, Commit
from registry_svc.engine import sent
from registry_svc.record import Record
from registry_svc.store import Store
from registry_svc.threads import Threads

FIRST_HINTS = 100


class ControllerRpc(controller_pb2_grpc.ControllerServiceServicer):
    """The loops' side."""

    def __init__(
        self, store: Store, claims: Claims, threads: Threads, broadcast: Broadcast, clock: Clock
    ) -> None:
        self._store = store
        self._claims = claims
        self._threads = threads
        self._broadcast = broadcast
        self._clock = clock

    async def Claim(self, request: pb.ClaimRequest, context: Any) -> pb.ClaimResponse:
        told = request.HasField("holdings")
        records = await self._threads.run(
            self._claims.claim,
            request.holder,
            most=request.most,
            seconds=request.lease_seconds,
            number=request.number,
            known={(h.cluster_id, h.fence) for h in request.holdings.held} if told else None,
        )
        length = leases.seconds(request.lease_seconds)
        return pb.ClaimResponse(
            claimed=[_claimed(record, length) for record in records], now_ms=self._clock.now_ms()
        )

    async def Renew(self, request: pb.RenewRequest, context: Any) -> pb.RenewResponse:
        asked = [(one.cluster_id, one.fence) for one in request.held]
        renewed = await self._threads.run(
            self._claims.renew, request.holder, asked, seconds=request.lease_seconds
        )
        held = [pb.Held(cluster_id=c, fence=f) for c, f in renewed]
        return pb.RenewResponse(held=held, now_ms=self._clock.now_ms())

    async def Commit(self, request: pb.CommitRequest, context: Any) -> pb.CommitResponse:
        with sent():
            record = await self._threads.run(self._claims.commit, commit_of(request))
        return pb.CommitResponse(cluster=record.cluster)

    async def WatchHints(
        self, request: pb.WatchHintsRequest, context: Any
    ) -> AsyncIterator[pb.WatchHintsResponse]:
        with self._broadcast.subscribe(self._due) as watcher:
            now = self._clock.now_ms()
            for record in await self._threads.run(self._store.due, now, limit=FIRST_HINTS):
                yield pb.WatchHintsResponse(cluster_id=record.cluster.cluster_id)
            async for record in watcher.changes():
                yield pb.WatchHintsResponse(cluster_id=record.cluster.cluster_id)

    def _due(self, record: Record) -> bool:
        """Claimable now, or changed by its user behind the holder's back."""
        now = self._clock.now_ms()
        behind = record.lease.generation != record.cluster.generation
        free = leases.free(record.lease, now)
        return record.live and record.due_at_ms <= now and (free or behind)

    async def ClaimDuty(self, request: pb.ClaimDutyRequest, context: Any) -> pb.ClaimDutyResponse:
        granted, fence = await self._threads.run(
            self._claims.duty, request.duty, request.holder, seconds=request.lease_seconds
        )
        return pb.ClaimDutyResponse(granted=granted, fence=fence)


def commit_of(request: pb.CommitRequest) -> Commit:
    if request.number < 0:
        raise InvalidRequest("number must not be negative", field="/number")
    return Commit(
        holder=request.holder,
        cluster_id=request.cluster_id,
        fence=request.fence,
        status=request.status if request.HasField("status") else None,
        operation=request.operation if request.HasField("operation") else None,
        events=tuple(request.events),
        release=request.release,
        gone=request.gone,
        due_in_ms=request.due_in_ms,
        commit_id=request.commit_id,
        number=request.number,
    )


def _claimed(record: Record, seconds: int) -> pb.Claimed:
    return pb.Claimed(
        cluster=record.cluster,
        fence=record.lease.fence,
        lease_seconds=seconds,
        operation=record.operation,
    )
