"""The registry: its real services and all they decide, over records in memory; messages as sent.

Only its database, its threads and its stream of hints are simulated. There may be several: between
the read of one request and its write another one may be answered whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any

from kite.errors import Conflict
from kite.v1 import controller_pb2, operation_pb2, registry_pb2
from provisioner import packing
from provisioner.record import Record
from registry_svc import record as stored
from registry_svc.claims import Claims
from registry_svc.clusters_rpc import ClustersRpc
from registry_svc.controller_rpc import ControllerRpc
from registry_svc.operations_rpc import OperationsRpc
from registry_svc.plans import Catalogue, Plan
from registry_svc.record import KeyRecord
from registry_svc.wishes import Wishes
from tests.sim.chance import Chance
from tests.sim.records import Records
from tests.sim.tale import Tale
from tests.sim.virtual import VirtualClock
from tests.sim.wire import NOBODY

USER, MOST, DISK_GIB = "alice", 100, 50
WORKER = {0: "", 1: "m5.large", 2: "m5.large", 3: "m5.large"}
PLANS = {f"m5-{n}": Plan("M5", "m5.large", kind, n, 1, 100) for n, kind in WORKER.items()}
CATALOGUE = Catalogue(PLANS, frozenset(), PLANS["m5-0"])


class Threads:
    """registry_svc.threads.Threads, with the caller's own."""

    async def run(self, work: Callable[..., Any], *args: Any, **more: Any) -> Any:
        return work(*args, **more)


@dataclass
class Store:
    """What survives every crash. `written` hears of every commit."""

    tale: Tale
    records: Records = field(default_factory=Records)
    intents: set[str] = field(default_factory=set)
    watchers: list[asyncio.Queue[str]] = field(default_factory=list)
    clock: VirtualClock = field(default_factory=VirtualClock)
    quiet_from_ms: int = 1 << 62
    chance: Chance | None = None
    underway: list[asyncio.TimerHandle] = field(default_factory=list)
    unwanted: set[str] = field(default_factory=set)
    racing: bool = False
    written: Callable[[str], None] = lambda _: None

    def __post_init__(self) -> None:
        records: Any = self.records
        self.records.between = self._race
        threads: Any = Threads()
        broadcast: Any = None  # hints come from here, and many get lost
        claims = Claims(records, self.clock)
        wishes = Wishes(records, CATALOGUE, self.clock, quota=MOST)
        self.clusters = ClustersRpc(records, wishes, CATALOGUE, threads, broadcast)
        self._services = {
            "RegistryService": self.clusters,
            "ControllerService": ControllerRpc(records, claims, threads, broadcast, self.clock),
            "OperationService": OperationsRpc(records, wishes, threads, broadcast, self.clock),
        }

    def _race(self) -> None:
        """Another registry answers a request that is on its way, now."""
        if self.chance is None or self.racing or self.chance.calm:
            return
        now = asyncio.get_running_loop().time()
        self.underway[:] = [s for s in self.underway if not s.cancelled() and s.when() > now]
        if not self.underway or not self.chance.hits("race"):
            return
        step = self.underway.pop(self.chance.dice.randrange(len(self.underway)))
        self.tale.fault("registry", "race")
        step.cancel()
        self.racing = True
        try:
            step.callback(*step.args)  # type: ignore[attr-defined]
        finally:
            self.racing = False

    @property
    def rows(self) -> dict[str, stored.Record]:
        return self.records.clusters

    def record(self, cluster_id: str) -> Record:
        return packing.unpack_cluster(self.rows[cluster_id].cluster)

    # the user's side ----------------------------------------------------------------------------

    def create(self, cluster_id: str, name: str, *, workers: int) -> None:
        """Under this id: as if the key of the request had been stored and its process had died."""
        now = self.clock.now_ms()
        asked = registry_pb2.CreateClusterRequest(
            user=USER,
            milvus_name=name,
            milvus_type=f"M5-{workers}",
            disk_gib=DISK_GIB,
            body_hash="b",
            idempotency_key=cluster_id,
        )
        kept = KeyRecord(USER, cluster_id, "b", cluster_id, "", now + 1)
        self.records.put_key(kept, now_ms=now)
        answer = result(self.clusters.CreateCluster(asked, None))
        assert answer.cluster.cluster_id == cluster_id
        self.tale.tell("user", f"wants {cluster_id} ({name}) with {workers} workers")
        self._hint(cluster_id)

    def delete(self, cluster_id: str) -> None:
        """Asked for now, answered within three seconds."""
        if self.rows[cluster_id].live and self.wanted(cluster_id):
            self.unwanted.add(cluster_id)
            self._send_delete(cluster_id)

    def wanted(self, cluster_id: str) -> bool:
        """By its user, whatever became of the wish in the records."""
        return cluster_id not in self.unwanted and self.rows[cluster_id].cluster.spec.wanted

    def _send_delete(self, cluster_id: str) -> None:
        seconds = self.chance.story.uniform(0, 3) if self.chance else 0.1
        loop = asyncio.get_running_loop()
        self.underway.append(loop.call_later(seconds, self._delete, cluster_id, context=NOBODY))

    def _delete(self, cluster_id: str) -> None:
        name = self.rows[cluster_id].cluster.milvus_name
        asked = registry_pb2.DeleteClusterRequest(user=USER, milvus_name=name)
        try:
            result(self.clusters.DeleteCluster(asked, None))
        except Conflict:  # too many at once; users try again
            self._send_delete(cluster_id)
            return
        self.tale.tell("user", f"deletes {cluster_id}")
        self._hint(cluster_id)

    def _hint(self, cluster_id: str) -> None:
        for watcher in self.watchers:
            watcher.put_nowait(cluster_id)

    # the loops' side ----------------------------------------------------------------------------

    def answer(self, path: str, request: Any) -> Any:
        """The answer of the real service; raises what it raises."""
        service, _, method = path.removeprefix("/kite.v1.").partition("/")
        found = result(getattr(self._services[service], method)(request, None))
        match request:
            case controller_pb2.ClaimRequest():
                self._claimed(request.holder, found)
            case controller_pb2.CommitRequest():
                self._committed(request)
            case operation_pb2.AppendEventsRequest():
                self._tell("sweep", request.cluster_id, request.events)
            case _:
                pass
        return found

    def _claimed(self, holder: str, found: controller_pb2.ClaimResponse) -> None:
        if self.clock.now_ms() < self.quiet_from_ms:
            for one in found.claimed:
                self.tale.tell(holder, f"claims {one.cluster.cluster_id} #{one.fence}")

    def _committed(self, asked: controller_pb2.CommitRequest) -> None:
        self.intents.update(n.intent.client_token for n in asked.status.nodes)
        self._tell(asked.holder, asked.cluster_id, asked.events)
        if asked.gone:
            self.tale.tell(asked.holder, f"{asked.cluster_id} is gone")
        self.written(asked.cluster_id)

    def _tell(self, who: str, cluster_id: str, events: Iterable[operation_pb2.Event]) -> None:
        for event in events:
            self.tale.tell(who, f"{cluster_id} {event.type}: {event.description}")


def result(answering: Coroutine[Any, Any, Any]) -> Any:
    """The result of what waits for nobody."""
    try:
        answering.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("the registry waits for something")
