"""Clusters taken in as EC2 shows them, when the records of them were lost.

All or none: adoption is one decision of a person, who first sees what would become of each. What is
there already is left as it is; a cluster that was deleted does not come back.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from kite import names
from kite.clock import Clock
from kite.errors import InvalidRequest, KiteError
from kite.ports import MILVUS_PORT
from kite.v1 import cluster_pb2 as pb
from kite.v1 import operation_pb2 as ops
from kite.v1.operation_pb2 import Event, Operation
from registry_svc import admission, packing, stories
from registry_svc.engine import Taken, sent
from registry_svc.record import Record
from registry_svc.store import Store
from registry_svc.wishes import new_operation_id

OPERATION = "adopt-cluster"


class Outcome(StrEnum):
    """What becomes of one."""

    NEW = "new"
    KNOWN = "known"
    DELETED = "deleted"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Verdict:
    cluster_id: str
    outcome: Outcome
    why: str


class Adoption:
    """Blocking."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def adopt(
        self, clusters: Sequence[pb.Cluster], *, act: bool, request_id: str
    ) -> tuple[list[Verdict], bool]:
        """What becomes of each, and whether the new ones were written.

        A write that finds its place taken meanwhile ends as refused, and those before it stay:
        asking again goes on from there.
        """
        verdicts = _without_doubles(clusters, [self._judged(one) for one in clusters])
        if not act or any(one.outcome is Outcome.REFUSED for one in verdicts):
            return verdicts, False
        pairs = zip(clusters, verdicts, strict=True)
        return [
            self._written(cluster, request_id) if verdict.outcome is Outcome.NEW else verdict
            for cluster, verdict in pairs
        ], True

    def _judged(self, cluster: pb.Cluster) -> Verdict:
        known = self._store.by_id(cluster.cluster_id)
        if known is not None:
            return compared(known, cluster)
        try:
            check(cluster)
        except KiteError as refused:
            return _refused(cluster, refused.description)
        if self._store.live(cluster.user, cluster.milvus_name):
            return _refused(cluster, f"{cluster.user} has another {cluster.milvus_name}")
        try:
            with sent():
                self._store.check(self._record(cluster, 1, ""))
        except InvalidRequest as refused:
            return _refused(cluster, refused.description)
        return Verdict(cluster.cluster_id, Outcome.NEW, "the registry does not know it")

    def _written(self, cluster: pb.Cluster, request_id: str) -> Verdict:
        with self._store.atomic():
            taken = set(self._store.quota_numbers(cluster.user))
            number = next(n for n in itertools.count(1) if n not in taken)
            record = self._record(cluster, number, request_id)
            try:
                self._store.insert(record)
            except Taken:
                return _refused(cluster, "its name or place was taken just now; ask again")
        return Verdict(cluster.cluster_id, Outcome.NEW, "taken in")

    def _record(self, cluster: pb.Cluster, number: int, request_id: str) -> Record:
        now = self._clock.now_ms()
        new = taken_in(cluster, now)
        record = Record(cluster=new, due_at_ms=now, changed_at_ms=now, quota_number=number)
        operation = Operation(
            operation_id=new.operation_id,
            type=OPERATION,
            user=new.user,
            milvus_name=new.milvus_name,
            cluster_id=new.cluster_id,
            state=ops.OPERATION_STATE_SUCCEEDED,
            progress=100,
            description="taken in as EC2 shows it",
            request_id=request_id,
            started_at_ms=now,
            ended_at_ms=now,
        )
        told = Event(type="ClusterAdopted", description="the record was rebuilt from tags in EC2")
        record = replace(record, operations=(operation,))
        return stories.told(record, [told], now_ms=now, origin="operator")


def check(cluster: pb.Cluster) -> None:
    """Refuse what could never have been created: tags can be written by others.

    Raises:
        InvalidRequest: with what is wrong.
    """
    names.user_name(cluster.user)
    names.cluster_name(cluster.milvus_name)
    if not (cluster.cluster_id and cluster.spec.milvus_type and cluster.spec.disk_gib > 0):
        raise InvalidRequest("id, type or disk-size is missing", reason="FIELD_MISSING")
    if not cluster.status.nodes:
        raise InvalidRequest("it has no machine", reason="FIELD_MISSING")
    admission.check_rules(tuple(map(packing.rule_wish, cluster.whitelist.rules)))


def taken_in(cluster: pb.Cluster, now_ms: int) -> pb.Cluster:
    """The cluster as it is stored: as it was seen, whatever its plan would give it today."""
    new = pb.Cluster()
    new.CopyFrom(cluster)
    new.spec.wanted = True
    new.status.milvus_port = str(MILVUS_PORT)
    new.whitelist.revision = new.generation = new.rev = 1
    new.created_at_ms = cluster.created_at_ms or now_ms
    new.deleted_at_ms = 0
    new.operation_id = new_operation_id()
    return new


def compared(known: Record, cluster: pb.Cluster) -> Verdict:
    """Beside a record of the same id: the same facts are no news, others are refused."""
    mine = known.cluster
    if not known.live:
        why = "it was deleted; the sweep sees to what is left of it"
        return Verdict(cluster.cluster_id, Outcome.DELETED, why)
    owners = [(one.user, one.milvus_name) for one in (mine, cluster)]
    if owners[0] != owners[1]:
        return _refused(cluster, f"the registry knows it as {'/'.join(owners[0])}")
    machines = [{n.instance_id for n in one.status.nodes} - {""} for one in (mine, cluster)]
    if machines[1] - machines[0]:
        held = ", ".join(sorted(machines[0])) or "no machine"
        return _refused(cluster, f"the registry knows it with {held}")
    return Verdict(cluster.cluster_id, Outcome.KNOWN, "the registry has it")


def _without_doubles(clusters: Sequence[pb.Cluster], verdicts: list[Verdict]) -> list[Verdict]:
    """Two new ones of one name cannot both be taken in."""
    pairs = list(zip(clusters, verdicts, strict=True))
    owners = [(c.user, c.milvus_name) for c, verdict in pairs if verdict.outcome is Outcome.NEW]
    return [
        _refused(cluster, "another cluster in EC2 has the same owner and name")
        if verdict.outcome is Outcome.NEW and owners.count((cluster.user, cluster.milvus_name)) > 1
        else verdict
        for cluster, verdict in pairs
    ]


def _refused(cluster: pb.Cluster, why: str) -> Verdict:
    return Verdict(cluster.cluster_id, Outcome.REFUSED, why)
