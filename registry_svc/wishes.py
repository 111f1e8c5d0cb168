"""What users ask for: create, delete, set the whitelist. Blocking; each is one change of a record.

Every one may be repeated: the same create finds its cluster, the same delete its operation.
"""

import base64
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace

from kite.clock import Clock
from kite.errors import Conflict, NotFound
from kite.ports import MILVUS_PORT
from kite.v1 import cluster_pb2 as pb
from kite.v1 import operation_pb2 as ops
from kite.v1.operation_pb2 import Event
from registry_svc import admission, packing, plans, stories
from registry_svc.admission import Wish
from registry_svc.engine import Taken
from registry_svc.record import KeyRecord, Record
from registry_svc.store import Store

KEY_MS = 24 * 3600 * 1000
TRIES = 64


class _Again(Exception):
    """Somebody was faster; decide anew."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`created` is False when the cluster was there already."""

    record: Record
    created: bool


def new_cluster_id(call_id: str = "") -> str:
    """Opaque, and random unless it comes of a call's id; fits every AWS name and tag."""
    drawn = hashlib.sha256(call_id.encode()).digest() if call_id else secrets.token_bytes(10)
    return "c" + base64.b32encode(drawn[:10]).decode().lower()


def new_operation_id() -> str:
    return f"op-{secrets.token_hex(10)}"


class Wishes:
    """The users' half of every record."""

    def __init__(
        self, store: Store, catalogue: plans.Catalogue, clock: Clock, *, quota: int
    ) -> None:
        self._store = store
        self._catalogue = catalogue
        self._clock = clock
        self._quota = quota

    # create -------------------------------------------------------------------------------------

    def create(self, wish: Wish) -> Answer:
        """The cluster of that name, made when it is not there.

        Raises:
            InvalidRequest, AlreadyExists, Conflict, OverLimit: see admission.py.
        """
        admission.check_call(wish.call_id)
        for _ in range(TRIES):
            try:
                with self._store.atomic():
                    return self._create(wish)
            except _Again:
                continue
        raise _busy(wish.milvus_name)

    def _create(self, wish: Wish) -> Answer:
        key = self._key(wish)
        if made := self._made(wish):
            self._keep_key(wish, key, made)
            return Answer(made, created=True)
        known = self._store.by_id(key.cluster_id) if key else None
        if known:
            return Answer(known, created=False)
        present = self._store.live(wish.user, wish.milvus_name)
        if present:
            facts = admission.Present(present.body_hash, present.cluster.spec.wanted)
            admission.same_again(wish, facts)
            self._keep_key(wish, key, present)
            return Answer(present, created=False)
        record = self._new_record(wish, key.cluster_id if key else new_cluster_id(wish.call_id))
        self._keep_key(wish, key, record)
        try:
            return Answer(self._store.insert(record), created=True)
        except Taken:
            if wish.idempotency_key:
                self._store.forget_key(wish.user, wish.idempotency_key)
            raise _Again from None

    def _made(self, wish: Wish) -> Record | None:
        """What this very call has made, if its answer was lost and it comes again.

        Raises:
            Conflict: CLUSTER_DELETING, somebody deleted it meanwhile.
        """
        made = self._store.by_id(new_cluster_id(wish.call_id)) if wish.call_id else None
        if made is None or made.cluster.user != wish.user:
            return None
        admission.same_again(wish, admission.Present(made.body_hash, made.cluster.spec.wanted))
        return made

    def _key(self, wish: Wish) -> KeyRecord | None:
        if not wish.idempotency_key:
            return None
        found = self._store.key(wish.user, wish.idempotency_key, now_ms=self._clock.now_ms())
        if found:
            admission.check_key(wish, first_body_hash=found.body_hash)
        return found

    def _keep_key(self, wish: Wish, known: KeyRecord | None, record: Record) -> None:
        if not wish.idempotency_key or known:
            return
        now = self._clock.now_ms()
        kept = KeyRecord(
            wish.user,
            wish.idempotency_key,
            wish.body_hash,
            record.cluster.cluster_id,
            record.cluster.operation_id,
            now + KEY_MS,
        )
        if not self._store.put_key(kept, now_ms=now):
            raise _Again

    def _new_record(self, wish: Wish, cluster_id: str) -> Record:
        """Its revisions go on from those of the cluster that had the name before.

        So a revision that somebody read of that one is none of this one.
        """
        plan = admission.admit(wish, self._catalogue)
        taken = self._store.quota_numbers(wish.user)
        number = admission.free_number(taken, quota=self._quota, user=wish.user)
        now = self._clock.now_ms()
        cluster = packing.new_cluster(wish, plan, cluster_id=cluster_id, now_ms=now)
        cluster.status.milvus_port = str(MILVUS_PORT)
        cluster.operation_id = new_operation_id()
        if before := self._store.last_deleted(wish.user, wish.milvus_name):
            cluster.rev += before.cluster.rev
            cluster.whitelist.revision += before.cluster.whitelist.revision
        record = Record(
            cluster=cluster,
            due_at_ms=now,
            changed_at_ms=now,
            body_hash=wish.body_hash,
            quota_number=number,
        )
        operation = stories.started(
            stories.CREATE,
            cluster.operation_id,
            record,
            request_id=wish.request_id,
            now_ms=now,
        )
        record = replace(record, operations=(operation,))
        asked = f"{wish.milvus_type}, {wish.disk_gib} GiB, asked for by {wish.user}"
        event = Event(type="ClusterCreated", description=asked)
        return stories.told(record, [event], now_ms=now, origin="user")

    # delete -------------------------------------------------------------------------------------

    def delete(
        self,
        user: str,
        milvus_name: str,
        *,
        request_id: str,
        expected_rev: int,
        cluster_id: str = "",
    ) -> Record:
        """Mark the cluster unwanted; a second time answers the same operation.

        With its id that is so after its end too, whoever has its name by then.

        Raises:
            NotFound: NO_SUCH_CLUSTER.
            Conflict: another state than `expected_rev`.
        """
        for _ in range(TRIES):
            record = self._meant(user, milvus_name, cluster_id)
            if not record.cluster.spec.wanted:
                return record
            admission.check_expected(
                expected=expected_rev, actual=record.cluster.rev, what="cluster"
            )
            stored = self._store.swap(record, self._unwanted(record, request_id))
            if stored:
                return stored
        raise _busy(milvus_name)

    def _meant(self, user: str, milvus_name: str, cluster_id: str) -> Record:
        if not cluster_id:
            return self.wanted_by(user, milvus_name)
        record = self._store.by_id(cluster_id)
        if record is None or (user, milvus_name) != (
            record.cluster.user,
            record.cluster.milvus_name,
        ):
            raise no_such_cluster(milvus_name)
        return record

    def _unwanted(self, record: Record, request_id: str) -> Record:
        now = self._clock.now_ms()
        new = changed(record, now)
        new.cluster.spec.wanted = False
        new.cluster.operation_id = new_operation_id()
        new.cluster.status.state = pb.CLUSTER_STATE_DELETING
        cancelled = stories.ended(
            record.operation,
            ops.OPERATION_STATE_CANCELLED,
            why="the cluster was deleted meanwhile",
            now_ms=now,
        )
        operation = stories.started(
            stories.DELETE, new.cluster.operation_id, new, request_id=request_id, now_ms=now
        )
        event = Event(type="ClusterDeleting", description=f"{record.cluster.user} asked for it")
        new = replace(new, operations=(cancelled, operation))
        return stories.told(new, [event], now_ms=now, origin="user")

    # whitelist ----------------------------------------------------------------------------------

    def set_whitelist(
        self,
        user: str,
        milvus_name: str,
        rules: Sequence[pb.Rule],
        *,
        expected: int,
        origin: str = "",
        cluster_id: str = "",
    ) -> Record:
        """Replace the wished whitelist; equal rules change nothing, not even the revision.

        `origin` says in the story who wished it: the user (also when empty), or a loop. The wish
        is for `cluster_id` alone, not for one that has its name since; empty = any.

        Raises:
            NotFound, WrongState, InvalidRequest, Conflict: see admission.py.
        """
        admission.check_origin(origin)
        admission.check_rules(tuple(map(packing.rule_wish, rules)))
        for _ in range(TRIES):
            record = self.wanted_by(user, milvus_name)
            admission.check_same_cluster(cluster_id, record.cluster.cluster_id, milvus_name)
            admission.check_changeable(wanted=record.cluster.spec.wanted, milvus_name=milvus_name)
            present = record.cluster.whitelist
            admission.check_expected(expected=expected, actual=present.revision, what="whitelist")
            if list(present.rules) == list(rules):
                return record
            stored = self._store.swap(record, self._whitelisted(record, rules, origin))
            if stored:
                return stored
        raise _busy(milvus_name)

    def _whitelisted(self, record: Record, rules: Sequence[pb.Rule], origin: str) -> Record:
        now = self._clock.now_ms()
        new = changed(record, now)
        revision = record.cluster.whitelist.revision + 1
        new.cluster.whitelist.CopyFrom(pb.Whitelist(rules=rules, revision=revision))
        event = Event(
            type="WhitelistChanged",
            description=f"{len(rules)} rules wished",
            details={"revision": str(revision)},
        )
        return stories.told(new, [event], now_ms=now, origin=origin or "user")

    # events -------------------------------------------------------------------------------------

    def append_events(self, cluster_id: str, events: Sequence[Event]) -> None:
        """Go on with the story of a cluster, also of one that is deleted.

        Raises:
            NotFound: NO_SUCH_CLUSTER.
        """
        for _ in range(TRIES):
            record = self._store.by_id(cluster_id)
            if record is None:
                raise no_such_cluster(cluster_id)
            same = replace(record, operations=(record.operation,))
            now = self._clock.now_ms()
            told = stories.told(same, events, now_ms=now, origin="registry")
            if not events or self._store.swap(record, told):
                return
        raise _busy(cluster_id)

    # shared -------------------------------------------------------------------------------------

    def wanted_by(self, user: str, milvus_name: str) -> Record:
        """The live cluster of that user and name.

        Raises:
            NotFound: NO_SUCH_CLUSTER, also when it is another user's.
        """
        record = self._store.live(user, milvus_name)
        if record is None:
            raise no_such_cluster(milvus_name)
        return record


def changed(record: Record, now_ms: int) -> Record:
    """A copy to write a new wish into: newer, due at once, nothing told yet."""
    cluster = pb.Cluster()
    cluster.CopyFrom(record.cluster)
    cluster.generation += 1
    cluster.rev += 1
    return replace(
        record,
        cluster=cluster,
        due_at_ms=now_ms,
        changed_at_ms=now_ms,
        operations=(record.operation,),
        events=(),
    )


def no_such_cluster(name: str) -> NotFound:
    return NotFound(f"there is no cluster {name}", reason="NO_SUCH_CLUSTER", field="/milvus-name")


def _busy(name: str) -> Conflict:
    return Conflict(f"{name} is being changed by too many at once; try again", retry_after=1)
