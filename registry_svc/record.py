"""A cluster as the registry keeps it: the cluster, and the book-keeping that no caller sees."""

from dataclasses import dataclass, field

from kite.v1.cluster_pb2 import Cluster
from kite.v1.operation_pb2 import Event, Operation
from registry_svc.leases import Lease


@dataclass(frozen=True, slots=True)
class Record:
    """One whole document; messages inside are never changed in place.

    Attributes:
        writes: grows with every write; compare-and-set works on it. `cluster.rev` grows
            only with what a reader can see, so that a renewed lease does not spoil an ETag.
        quota_number: which of the user's places this cluster takes; 0 = none.
        last_event: number of the latest event.
        operations, events: what this write has to tell; delivered to their own collections after
            it, by whoever comes first. The operation of the latest wish always stays here.
        told: nothing is left to deliver.
        stamp: new with every write, so that its writer knows it again when the answer was lost.
        commit_id, commit_number: of the latest commit under the present fence, so that a repeated
            one is not taken twice, and a late one not over a newer one.
    """

    cluster: Cluster
    writes: int = 1
    lease: Lease = field(default_factory=Lease)
    due_at_ms: int = 0
    changed_at_ms: int = 0
    body_hash: str = ""
    quota_number: int = 0
    last_event: int = 0
    operations: tuple[Operation, ...] = ()
    events: tuple[Event, ...] = ()
    told: bool = False
    expires_at_ms: int = 0
    stamp: str = ""
    commit_id: str = ""
    commit_number: int = 0

    @property
    def live(self) -> bool:
        """Not yet a tombstone."""
        return self.cluster.deleted_at_ms == 0

    @property
    def operation(self) -> Operation:
        """Operation of the latest wish."""
        wanted = self.cluster.operation_id
        return next((o for o in self.operations if o.operation_id == wanted), Operation())


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What an Idempotency-Key stands for, for 24 hours."""

    user: str
    key: str
    body_hash: str
    cluster_id: str
    operation_id: str
    expires_at_ms: int


@dataclass(frozen=True, slots=True)
class DutyRecord:
    """Who performs a singleton duty."""

    duty: str
    lease: Lease
    writes: int
