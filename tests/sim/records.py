"""The registry's store without a database: whole records in memory, compare-and-set.

It stands for registry_svc.store.Store under the registry's own deciding code; tests/store holds the
two to the same answers and the same records.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from kite.v1.cluster_pb2 import Cluster
from kite.v1.operation_pb2 import Event, Operation
from registry_svc import leases, packing
from registry_svc.engine import Taken
from registry_svc.record import DutyRecord, KeyRecord, Record


@dataclass
class Records:
    """As registry_svc.store.Store on an engine whose several writes are one."""

    clusters: dict[str, Record] = field(default_factory=dict)
    told: dict[str, Operation] = field(default_factory=dict)
    story: dict[tuple[str, int], Event] = field(default_factory=dict)
    duties: dict[str, DutyRecord] = field(default_factory=dict)
    keys: dict[tuple[str, str], KeyRecord] = field(default_factory=dict)
    changed: Callable[[Record], None] = lambda _: None
    between: Callable[[], None] = lambda: None  # after the read of one writer, before its write
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @contextmanager
    def atomic(self) -> Iterator[None]:
        yield

    # clusters -----------------------------------------------------------------------------------

    def live(self, user: str, milvus_name: str) -> Record | None:
        name = packing.live_key(user, milvus_name)
        return next((r for r in self._live() if _key(r) == name), None)

    def by_id(self, cluster_id: str) -> Record | None:
        return self.clusters.get(cluster_id)

    def last_deleted(self, user: str, milvus_name: str) -> Record | None:
        name = packing.live_key(user, milvus_name)
        found = [r for r in self.clusters.values() if not r.live and _key(r) == name]
        return max(found, key=lambda r: r.cluster.rev, default=None)

    def quota_numbers(self, user: str) -> list[int]:
        return [record.quota_number for record in self.live_records(user)]

    def page(self, user: str, *, after: str, size: int) -> tuple[list[Cluster], str]:
        found = sorted((r for r in self.live_records(user) if _key(r) > after), key=_key)
        token = _key(found[size - 1]) if len(found) > size else ""
        return [record.cluster for record in found[:size]], token

    def live_records(self, user: str) -> list[Record]:
        return [r for r in self._live() if not user or r.cluster.user == user]

    def due(self, now_ms: int, *, limit: int) -> list[Record]:
        latest = now_ms + leases.LONGEST_MS
        found = [
            r
            for r in self._live()
            if r.due_at_ms <= now_ms and not now_ms < r.lease.until_ms <= latest
        ]
        return sorted(found, key=lambda r: r.due_at_ms)[:limit]

    def held_by(self, holder: str) -> list[Record]:
        return [r for r in self._live() if r.lease.holder == holder]

    def _live(self) -> Iterator[Record]:
        return (record for record in self.clusters.values() if record.live)

    def insert(self, record: Record) -> Record:
        new = record.cluster
        places = {(r.cluster.user, r.quota_number) for r in self._live()}
        names = {_key(r) for r in self._live()}
        place = (new.user, record.quota_number)
        if new.cluster_id in self.clusters or _key(record) in names or place in places:
            raise Taken(new.cluster_id)
        return self._put(replace(record, writes=1))

    def swap(self, old: Record, new: Record, *, visible: bool = True) -> Record | None:
        self.between()
        cluster_id = old.cluster.cluster_id
        if cluster_id not in self.clusters or self._overtaken(old):
            return None
        if visible:
            return self._put(replace(new, writes=old.writes + 1))
        hidden = replace(
            new, writes=old.writes + 1, operations=(old.operation,), events=(), told=True
        )
        self.clusters[cluster_id] = hidden
        return hidden

    def _overtaken(self, old: Record) -> bool:
        """Somebody else wrote since: compare-and-set."""
        return self.clusters[old.cluster.cluster_id].writes != old.writes

    def _put(self, record: Record) -> Record:
        stored = replace(record, told=True, stamp=f"{next(self.numbers)}")
        cluster_id = stored.cluster.cluster_id
        self.clusters[cluster_id] = stored
        self.told |= {one.operation_id: one for one in stored.operations}
        for event in stored.events:
            self.story.setdefault((cluster_id, event.number), event)
        self.changed(stored)
        return stored

    # what they told -----------------------------------------------------------------------------

    def operation(self, operation_id: str) -> Operation | None:
        return self.told.get(operation_id)

    def events(self, cluster_id: str, *, after: int, size: int) -> list[Event]:
        numbers = range(after + 1, after + 1 + size)
        return [self.story[cluster_id, n] for n in numbers if (cluster_id, n) in self.story]

    # duties and keys ----------------------------------------------------------------------------

    def duty(self, duty: str) -> DutyRecord | None:
        return self.duties.get(duty)

    def put_duty(self, old: DutyRecord | None, new: DutyRecord) -> bool:
        self.between()
        present = self.duties.get(new.duty)
        if (present and present.writes) != (old and old.writes):
            return False
        self.duties[new.duty] = new
        return True

    def key(self, user: str, key: str, *, now_ms: int) -> KeyRecord | None:
        found = self.keys.get((user, key))
        return found if found and found.expires_at_ms > now_ms else None

    def put_key(self, record: KeyRecord, *, now_ms: int) -> bool:
        if self.key(record.user, record.key, now_ms=now_ms):
            return False
        self.keys[record.user, record.key] = record
        return True

    def forget_key(self, user: str, key: str) -> None:
        self.keys.pop((user, key), None)


def _key(record: Record) -> str:
    return packing.live_key(record.cluster.user, record.cluster.milvus_name)
