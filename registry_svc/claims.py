"""What loops do: claim, renew, commit, duties. Blocking; every write is guarded by a fence."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from kite import crash
from kite.clock import Clock
from kite.errors import Conflict, InvalidRequest, LeaseLost
from kite.v1 import cluster_pb2 as pb
from kite.v1 import operation_pb2 as ops
from kite.v1.operation_pb2 import Event, Operation
from registry_svc import admission, leases, paging, stories
from registry_svc.leases import Lease
from registry_svc.record import DutyRecord, Record
from registry_svc.store import Store
from registry_svc.wishes import TRIES, no_such_cluster

TOMBSTONE_MS = 30 * 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Commit:
    """One write of the seen half; `status` and `operation` of None leave theirs as they are."""

    holder: str
    cluster_id: str
    fence: int
    status: pb.ClusterStatus | None = None
    operation: Operation | None = None
    events: tuple[Event, ...] = ()
    release: bool = False
    gone: bool = False
    due_in_ms: int = 0
    commit_id: str = ""
    number: int = 0


class Claims:
    """The loops' half of every record."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def claim(
        self,
        holder: str,
        *,
        most: int,
        seconds: int,
        number: int = 0,
        known: Collection[tuple[str, int]] | None = None,
    ) -> list[Record]:
        """Up to `most` due clusters, no more than a message holds, each now leased to `holder`.

        Its claims are numbered.

        `known` are cluster id and fence of all that the holder knows it holds. What else it holds
        (the answer was lost, or who heard it is dead) ends first; None = nothing ends.

        Raises:
            InvalidRequest: INVALID_HOLDER, INVALID_LEASE.
        """
        leases.holder_name(holder)
        length = leases.seconds(seconds)
        wanted = min(max(most, 1), leases.MOST_AT_ONCE)
        if known is not None:
            self._end_unheard(holder, number, known)
        now = self._clock.now_ms()
        claimed: list[Record] = []
        room = paging.LARGEST_BYTES
        # More candidates than wanted: other loops claim at the same time.
        for record in self._store.due(now, limit=4 * wanted):
            room -= record.cluster.ByteSize() + record.operation.ByteSize()
            if claimed and room < 0:
                break  # an answer that cannot be sent would claim them for nobody
            lease = leases.taken(
                record.lease,
                holder,
                now_ms=now,
                seconds=length,
                generation=record.cluster.generation,
                claim=number,
            )
            leased = replace(record, lease=lease, commit_number=0)
            stored = self._store.swap(record, leased, visible=False)
            if stored:
                crash.point("after-lease")
                claimed.append(stored)
            if len(claimed) == wanted:
                break
        return claimed

    def _end_unheard(self, holder: str, number: int, known: Collection[tuple[str, int]]) -> None:
        """Whoever writes first wins: a lease that was taken meanwhile is somebody else's."""
        for record in self._store.held_by(holder):
            mine = (record.cluster.cluster_id, record.lease.fence) in known
            if leases.unheard(record.lease, holder, known=mine, claim=number):
                freed = replace(record, lease=leases.released(record.lease))
                self._store.swap(record, freed, visible=False)

    def renew(
        self, holder: str, held: Sequence[tuple[str, int]], *, seconds: int
    ) -> list[tuple[str, int]]:
        """Those of `held` (cluster id, fence) that still are, now longer."""
        leases.holder_name(holder)
        length = leases.seconds(seconds)
        return [(c, f) for c, f in held if self._renew(holder, c, f, length)]

    def _renew(self, holder: str, cluster_id: str, fence: int, seconds: int) -> bool:
        for _ in range(TRIES):
            record = self._store.by_id(cluster_id)
            if record is None or not leases.held(record.lease, holder=holder, fence=fence):
                return False
            lease = leases.renewed(record.lease, now_ms=self._clock.now_ms(), seconds=seconds)
            if self._store.swap(record, replace(record, lease=lease), visible=False):
                return True
        raise _crowded(cluster_id)

    def commit(self, commit: Commit) -> Record:
        """Write what was seen.

        Raises:
            NotFound: NO_SUCH_CLUSTER.
            LeaseLost: the fence is over, or a newer commit under it was taken.
            WrongState: CLUSTER_WANTED, for `gone` on a wanted cluster.
            InvalidRequest: a status without state, an operation without id.
        """
        for _ in range(TRIES):
            record = self._store.by_id(commit.cluster_id)
            if record is None:
                raise no_such_cluster(commit.cluster_id)
            if commit.commit_id and commit.commit_id == record.commit_id:
                return record  # taken already; the answer was lost
            leases.check(record.lease, holder=commit.holder, fence=commit.fence)
            _check_order(record, commit)
            stored = self._store.swap(record, self._committed(record, commit))
            if stored:
                return stored
        raise _crowded(commit.cluster_id)

    def _committed(self, record: Record, commit: Commit) -> Record:
        now = self._clock.now_ms()
        new = _with_status(record, commit)
        operation = _with_operation(record.operation, commit.operation, now)
        events = list(commit.events)
        if commit.gone:
            admission.check_gone(wanted=record.cluster.spec.wanted, cluster_id=commit.cluster_id)
            new = _tombstone(new, now)
            operation = stories.ended(
                operation,
                ops.OPERATION_STATE_SUCCEEDED,
                why="nothing of the cluster is left",
                now_ms=now,
            )
            events.append(Event(type="ClusterDeleted", description="nothing of it is left"))
        new = replace(
            new,
            lease=_lease_after(record, commit),
            due_at_ms=leases.next_due(
                record.lease,
                wished_ms=now + commit.due_in_ms if commit.due_in_ms else 0,
                now_ms=now,
                generation=record.cluster.generation,
            ),
            changed_at_ms=now,
            operations=(operation,) if operation.operation_id else (),
            commit_id=commit.commit_id,
            commit_number=max(commit.number, record.commit_number),
        )
        return stories.told(new, events, now_ms=now, origin="provisioner")

    def duty(self, duty: str, holder: str, *, seconds: int) -> tuple[bool, int]:
        """Whether `holder` now has the duty, and the fence in force; its holder may ask again.

        Raises:
            InvalidRequest: no duty, INVALID_HOLDER, INVALID_LEASE.
        """
        if not duty:
            raise InvalidRequest("duty must be named", field="/duty")
        leases.holder_name(holder)
        length = leases.seconds(seconds)
        for _ in range(TRIES):
            old = self._store.duty(duty)
            lease = _duty_lease(old, holder, self._clock.now_ms(), length)
            if lease is None:
                return False, old.lease.fence if old else 0
            new = DutyRecord(duty, lease, old.writes + 1 if old else 1)
            if self._store.put_duty(old, new):
                return True, lease.fence
        raise _crowded(duty)


def _check_order(record: Record, commit: Commit) -> None:
    """Two registries may be sent one commit: the second may come to it after newer ones."""
    if 0 < commit.number < record.commit_number:
        raise LeaseLost("a newer commit was taken; this one came too late")


def _with_status(record: Record, commit: Commit) -> Record:
    """A copy with the seen half replaced; `rev` grows only when a reader sees a difference."""
    cluster = pb.Cluster()
    cluster.CopyFrom(record.cluster)
    if commit.status is not None:
        if not commit.status.state:
            raise InvalidRequest("status.state must be set", field="/status/state")
        cluster.status.CopyFrom(commit.status)
        if not cluster.spec.wanted:
            # The holder may not know yet; users saw `deleting` already.
            cluster.status.state = pb.CLUSTER_STATE_DELETING
    if _shown(cluster) != _shown(record.cluster):
        cluster.rev += 1
    return replace(record, cluster=cluster, events=())


def _shown(cluster: pb.Cluster) -> bytes:
    """All but the time of the latest look, which alone is no change."""
    copy = pb.Cluster()
    copy.CopyFrom(cluster)
    copy.status.observed_at_ms = 0
    return copy.SerializeToString(deterministic=True)


def _with_operation(present: Operation, wished: Operation | None, now_ms: int) -> Operation:
    if wished is None:
        return present
    if not wished.operation_id:
        raise InvalidRequest("operation.operation_id must be set", field="/operation/operation_id")
    if wished.operation_id != present.operation_id:
        return present  # of an older wish, which ended when the newer one came
    return stories.progressed(present, wished, now_ms=now_ms)


def _tombstone(record: Record, now_ms: int) -> Record:
    cluster = pb.Cluster()
    cluster.CopyFrom(record.cluster)
    cluster.status.state = pb.CLUSTER_STATE_DELETED
    cluster.deleted_at_ms = now_ms
    cluster.rev += 1
    return replace(record, cluster=cluster, quota_number=0, expires_at_ms=now_ms + TOMBSTONE_MS)


def _lease_after(record: Record, commit: Commit) -> Lease:
    if commit.release or commit.gone:
        return leases.released(record.lease)
    return replace(record.lease, generation=record.cluster.generation)


def _duty_lease(old: DutyRecord | None, holder: str, now_ms: int, seconds: int) -> Lease | None:
    lease = old.lease if old else Lease()
    if lease.holder == holder and not leases.free(lease, now_ms):
        return leases.renewed(lease, now_ms=now_ms, seconds=seconds)
    if leases.free(lease, now_ms):
        return leases.taken(lease, holder, now_ms=now_ms, seconds=seconds)
    return None


def _crowded(name: str) -> Conflict:
    return Conflict(f"{name} is being changed by too many at once; try again", retry_after=1)
