"""The only module that queries. Whole documents, compare-and-set, plain dictionaries when reading.

A change is one conditional replacement of the cluster's document; what it has to tell (operations,
events) rides inside and is delivered to its own collections right after. Whoever writes next
delivers first what is still there, so a crash in between loses nothing and numbers have no gaps.
"""

import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kite import crash
from kite.errors import Unavailable
from kite.v1.cluster_pb2 import Cluster
from kite.v1.operation_pb2 import OPERATION_STATE_RUNNING, Event, Operation
from registry_svc import leases, packing
from registry_svc import spelling as sp
from registry_svc.access import Access
from registry_svc.documents import Kind, checked
from registry_svc.engine import Taken, may_have_happened, named
from registry_svc.mongodb import Mongo
from registry_svc.record import DutyRecord, KeyRecord, Record
from registry_svc.settings import Settings

ASCENDING, DESCENDING = 1, -1


def open_store(settings: Settings) -> "Store":
    """The store the settings ask for.

    Raises:
        StoreRefused: it cannot be used; the text says why.
    """
    uri = settings.registry_mongodb_uri.get_secret_value()
    if uri:
        return Store(Mongo(uri, settings.registry_database))
    from registry_svc.embedded import Embedded  # mongomock: 3 MB that MongoDB does not need

    return Store(Embedded(settings.registry_folder))


class Store(Access):
    """Records of one install. Blocking; safe to call from many threads.

    Every method may raise Unavailable (STORE_AWAY, STORE_FULL) and Internal.
    """

    # clusters -----------------------------------------------------------------------------------

    def live(self, user: str, milvus_name: str) -> Record | None:
        key = packing.live_key(user, milvus_name)
        return _record(self._one(self._engine.bound.clusters, {"live_key": key}))

    def by_id(self, cluster_id: str) -> Record | None:
        return _record(self._one(self._engine.bound.clusters, {"_id": cluster_id}))

    def last_deleted(self, user: str, milvus_name: str) -> Record | None:
        """The newest tombstone of that name: revisions go on from one cluster to the next."""
        found = self._many(
            self._engine.bound.clusters,
            {"username": user, "milvus-name": milvus_name, "live_key": {"$exists": False}},
            order=[("rev", DESCENDING)],
            limit=1,
        )
        return _record(found[0]) if found else None

    def quota_numbers(self, user: str) -> list[int]:
        """Places taken by the user's live clusters."""
        query = {"username": user, "live_key": {"$exists": True}}
        return [record.quota_number for record in self._records(query)]

    def page(self, user: str, *, after: str, size: int) -> tuple[list[Cluster], str]:
        """Live clusters in order of user and name, and the key to go on with (empty = the end)."""
        query: dict[str, object] = {"live_key": {"$gt": after}}
        if user:
            query["username"] = user
        found = self._many(
            self._engine.bound.clusters, query, order=[("live_key", ASCENDING)], limit=size + 1
        )
        key = found[size - 1]["live_key"] if len(found) > size else ""
        return [packing.unpack_cluster(document) for document in found[:size]], key

    def live_records(self, user: str) -> list[Record]:
        query: dict[str, object] = {"live_key": {"$exists": True}}
        if user:
            query["username"] = user
        return self._records(query)

    def due(self, now_ms: int, *, limit: int) -> list[Record]:
        """Live clusters that may be claimed, longest due first."""
        query = {
            "live_key": {"$exists": True},
            "due-at": {"$lte": now_ms},
            # As leases.free().
            "$or": [
                {"lease.until": {"$lte": now_ms}},
                {"lease.until": {"$gt": now_ms + leases.LONGEST_MS}},
            ],
        }
        return self._records(query, order=[("due-at", ASCENDING)], limit=limit)

    def held_by(self, holder: str) -> list[Record]:
        """Live clusters whose lease has this holder, over or not."""
        query = {"live_key": {"$exists": True}, "lease.holder": holder}
        return self._records(query)

    def far_off(self, limit_ms: int, *, limit: int) -> list[Record]:
        """Live clusters that nobody would look at before `limit_ms`."""
        query = {"live_key": {"$exists": True}, "due-at": {"$gt": limit_ms}}
        return self._records(query, limit=limit)

    def changed_since(self, since_ms: int) -> list[Record]:
        return self._records({"changed-at": {"$gte": since_ms}})

    def _records(self, query: Mapping[str, object], **how: Any) -> list[Record]:
        found = self._many(self._engine.bound.clusters, query, **how)
        return [packing.unpack_record(document) for document in found]

    def check(self, record: Record) -> None:
        """Raise unless it could be inserted, as far as its content goes.

        Raises:
            Unfit, InvalidRequest: something does not fit the schema.
        """
        with named():
            checked(self._engine.bound.clusters, packing.pack_record(replace(record, writes=1)))

    def insert(self, record: Record) -> Record:
        """A new cluster.

        Raises:
            Taken: id, name or place is taken by another cluster.
        """
        stored = replace(record, writes=1, told=self._engine.whole, stamp=_new_stamp())
        with self.atomic():
            self._put_new(stored)
            self._deliver(stored)
            self._mine.changed.append(stored)
        return stored

    def swap(self, old: Record, new: Record, *, visible: bool = True) -> Record | None:
        """Replace `old` by `new`; None when somebody else wrote first.

        `visible`: a reader sees a difference; the cluster's `rev` is `new`'s own business.
        """
        with self.atomic():
            if not old.told:
                self._deliver(old)
            kept = new.operations if visible else (old.operation,)
            told = self._engine.whole or not visible
            stored = replace(
                new,
                writes=old.writes + 1,
                operations=kept,
                events=new.events if visible else (),
                told=told,
                stamp=_new_stamp(),
            )
            if not self._put_over(stored, writes=old.writes):
                return None
            if visible:
                self._deliver(stored)
                self._mine.changed.append(stored)
            return stored

    def _put_new(self, record: Record) -> None:
        """Insert; a failure or a refusal that hides our own success is success."""
        try:
            self._insert(self._engine.bound.clusters, packing.pack_record(record))
        except Taken:
            if not self._ours(record):
                raise
        except Unavailable as away:
            if not (may_have_happened(away) and self._ours(record)):
                raise

    def _put_over(self, record: Record, *, writes: int) -> bool:
        """Replace what has so many `writes`; False when somebody else did."""
        try:
            document = packing.pack_record(record)
            done = self._replace(self._engine.bound.clusters, document, {"writes": writes})
        except Unavailable as away:
            if not (may_have_happened(away) and self._ours(record)):
                raise
            return True
        return done or self._ours(record)

    def _ours(self, record: Record) -> bool:
        """Whether this very write is stored for good although its answer said otherwise.

        A database may answer a write that took effect with a broken connection, or answer its
        driver's second try of it with "there already" or "not found".
        """
        if self._engine.whole:
            return False
        query = {"_id": record.cluster.cluster_id, "stamp": record.stamp}
        with named():
            return self._engine.holds(self._engine.bound.clusters, query)

    def _deliver(self, record: Record) -> None:
        crash.point("after-record")
        for operation in record.operations:
            self._put_operation(operation, writes=record.writes)
        for event in record.events:
            self._once(self._engine.bound.events, packing.pack_event(event))

    def _once(self, kind: Kind, content: Mapping[str, object]) -> bool:
        try:
            self._insert(kind, content)
        except Taken:
            return False
        return True

    def untold(self, *, limit: int) -> list[Record]:
        """Clusters whose last write may not have been delivered."""
        found = self._many(self._engine.bound.clusters, {"told": False}, limit=limit)
        return [packing.unpack_record(document) for document in found]

    def deliver(self, record: Record) -> None:
        """Deliver what an interrupted writer left, and note that it is done."""
        self.swap(record, record, visible=False)

    def expired(self, now_ms: int, *, limit: int) -> list[str]:
        """Ids of tombstones whose time is over."""
        query = {"live_key": {"$exists": False}, "expires-at": {"$gt": 0, "$lte": now_ms}}
        return [d["_id"] for d in self._many(self._engine.bound.clusters, query, limit=limit)]

    def forget(self, cluster_id: str) -> None:
        """Remove a tombstone with its operations and events."""
        bound = self._engine.bound
        with self.atomic():
            for kind in (bound.events, bound.operations):
                found = self._many(kind, {"cluster-id": cluster_id})
                self._delete(kind, [d["_id"] for d in found])
            self._delete(bound.clusters, [cluster_id])

    # operations ---------------------------------------------------------------------------------

    def _put_operation(self, operation: Operation, *, writes: int) -> None:
        kind = self._engine.bound.operations
        content = packing.pack_operation(operation, writes=writes)
        if not self._replace(kind, content, {"writes": {"$lt": writes}}):
            self._once(kind, content)  # there already = newer, or told by somebody else

    def operation(self, operation_id: str) -> Operation | None:
        found = self._one(self._engine.bound.operations, {"_id": operation_id})
        return packing.unpack_operation(found) if found else None

    def record_operation(self, operation: Operation, *, over: bool) -> Operation:
        """Store it unless its id is there; its end takes the place of its begin, once.

        Answers what is stored. An operation that its cluster's record carries has `writes` from 1
        upwards, so nobody ends it from here.
        """
        self._put_operation(operation, writes=1 if over else 0)
        return self.operation(operation.operation_id) or operation

    def operations(
        self,
        user: str,
        milvus_name: str,
        *,
        before: tuple[int, str] | None,
        size: int,
        running: str = "",
    ) -> list[Operation]:
        """Newest first; `before` is start time and id of the last one seen.

        `running` = only those of this type that are under way, of all users when `user` is empty.
        """
        query: dict[str, object] = {"username": user} if user else {}
        if running:
            state = packing.word(sp.OPERATION_STATES, OPERATION_STATE_RUNNING, "operation state")
            query |= {"state": state, "type": running}
        if milvus_name:
            query["milvus-name"] = milvus_name
        if before:
            started, last = before
            query["$or"] = [
                {"started-at": {"$lt": started}},
                {"started-at": started, "_id": {"$lt": last}},
            ]
        found = self._many(
            self._engine.bound.operations,
            query,
            order=[("started-at", DESCENDING), ("_id", DESCENDING)],
            limit=size,
        )
        return [packing.unpack_operation(document) for document in found]

    # events -------------------------------------------------------------------------------------

    def events(self, cluster_id: str, *, after: int, size: int) -> list[Event]:
        """In order of number; numbers have no gaps, so ids are known and nothing is searched."""
        ids = [packing.event_id(cluster_id, n) for n in range(after + 1, after + 1 + size)]
        found = self._many(self._engine.bound.events, {"_id": {"$in": ids}})
        return sorted(map(packing.unpack_event, found), key=lambda event: event.number)

    # duties and keys ----------------------------------------------------------------------------

    def duty(self, duty: str) -> DutyRecord | None:
        found = self._one(self._engine.bound.duties, {"_id": duty})
        return packing.unpack_duty(found) if found else None

    def put_duty(self, old: DutyRecord | None, new: DutyRecord) -> bool:
        """False when somebody else was first."""
        kind = self._engine.bound.duties
        if old is None:
            return self._once(kind, packing.pack_duty(new))
        return self._replace(kind, packing.pack_duty(new), {"writes": old.writes})

    def key(self, user: str, key: str, *, now_ms: int) -> KeyRecord | None:
        """What the key stands for, unless its time is over."""
        found = self._one(self._engine.bound.keys, {"_id": packing.key_id(user, key)})
        record = packing.unpack_key(found) if found else None
        return record if record and record.expires_at_ms > now_ms else None

    def put_key(self, record: KeyRecord, *, now_ms: int) -> bool:
        """False when the key stands for something already."""
        kind, content = self._engine.bound.keys, packing.pack_key(record)
        if self._once(kind, content):
            return True
        return self._replace(kind, content, {"expires-at": {"$lte": now_ms}})

    def forget_key(self, user: str, key: str) -> None:
        self._delete(self._engine.bound.keys, [packing.key_id(user, key)])

    def tidy_keys(self, now_ms: int) -> int:
        """Remove keys whose time is over; answers how many."""
        query = {"expires-at": {"$lte": now_ms}}
        found = self._many(self._engine.bound.keys, query, limit=1000)
        return self._delete(self._engine.bound.keys, [d["_id"] for d in found])


def _new_stamp() -> str:
    return secrets.token_hex(8)


def _record(document: Mapping[str, Any] | None) -> Record | None:
    return packing.unpack_record(document) if document else None
