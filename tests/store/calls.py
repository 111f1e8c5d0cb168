"""Random calls to the registry's services over a store, and what was answered."""

from __future__ import annotations

import random
from dataclasses import replace

from kite.errors import KiteError
from kite.v1 import cluster_pb2 as pb
from kite.v1 import controller_pb2 as cp
from kite.v1 import operation_pb2 as ops
from kite.v1 import registry_pb2 as rp
from registry_svc.claims import Claims
from registry_svc.clusters_rpc import ClustersRpc
from registry_svc.controller_rpc import ControllerRpc
from registry_svc.operations_rpc import OperationsRpc
from registry_svc.wishes import Wishes
from tests.sim.registry import CATALOGUE, Threads, result
from tests.store.world import HandClock

USERS, NAMES, HOLDERS = ("ann", "bob"), ("cats", "dogs", "owls"), ("p1", "p2", "p3")
STATES = (0, pb.CLUSTER_STATE_STARTING, pb.CLUSTER_STATE_RUNNING, pb.CLUSTER_STATE_FAILED)
PROGRESS = (0, ops.OPERATION_STATE_RUNNING, ops.OPERATION_STATE_FAILED)


class Side:
    """The services on one store; both sides give the same ids to the same calls."""

    def __init__(self, store):
        self.store = store
        self.clock = HandClock()
        threads = Threads()
        wish, claims = Wishes(store, CATALOGUE, self.clock, quota=2), Claims(store, self.clock)
        self.services = (
            ClustersRpc(store, wish, CATALOGUE, threads, None),
            ControllerRpc(store, claims, threads, None, self.clock),
            OperationsRpc(store, wish, threads, None, self.clock),
        )

    def answer(self, request):
        """The answer as sent, or the refusal as told."""
        method = type(request).__name__.removesuffix("Request")
        service = next(s for s in self.services if method in type(s).__dict__)
        try:
            return result(getattr(service, method)(request, None)).SerializeToString(
                deterministic=True
            )
        except KiteError as refused:
            return type(refused).__name__, refused.reason, str(refused), refused.context

    def records(self, ids):
        """What is stored; only the mark of each single write is each store's own."""
        found = [self.store.by_id(one) for one in ids]
        return [one and replace(one, stamp="") for one in found]


class Calls:
    """Random calls that know what was answered, so that many of them are nearly right."""

    def __init__(self, seed):
        self.dice = random.Random(seed)
        self.seen = []  # (cluster id, fence, holder) that were once claimed
        self.clusters = {}  # id -> latest shown
        self.commits = []
        self.creates = []
        self.numbers = 0

    def next(self):
        kinds = (self.create, self.delete, self.claim, self.claim, self.renew, self.commit)
        rare = (self.duty, self.read, self.page, self.story, self.operation, self.append)
        return self.dice.choice(self.dice.choice((kinds, kinds, rare)))()

    def some_id(self):
        return self.dice.choice([*self.clusters, "unknown"])

    def create(self):
        """Some are sent again, however much later."""
        dice = self.dice
        if self.creates and dice.random() < 0.1:
            return dice.choice(self.creates)
        asked = rp.CreateClusterRequest(
            user=dice.choice(USERS),
            milvus_name=dice.choice(NAMES),
            milvus_type=dice.choice(("M5-0", "m5-1", "X1")),
            disk_gib=dice.choice((50, 50, 500)),
            body_hash=dice.choice(("b1", "b1", "b2")),
            idempotency_key=dice.choice(("", "", "k1", "k2")),
            call_id=dice.choice(("", f"call-{len(self.creates)}")),
        )
        self.creates.append(asked)
        return asked

    def delete(self):
        dice = self.dice
        return rp.DeleteClusterRequest(
            user=dice.choice(USERS),
            milvus_name=dice.choice(NAMES),
            expected_rev=dice.choice((0, 0, 0, 1, 2)),
            cluster_id=dice.choice(("", "", "", self.some_id())),
        )

    def claim(self):
        dice = self.dice
        self.numbers += 1
        return cp.ClaimRequest(
            holder=dice.choice((*HOLDERS, *HOLDERS, "")),
            most=dice.choice((0, 1, 2, 9)),
            lease_seconds=dice.choice((0, 5, 30, 601)),
            holdings=cp.Holdings(held=self.held()) if dice.random() < 0.4 else None,
            number=dice.choice((0, self.numbers, max(0, self.numbers - 4))),
        )

    def held(self):
        known = [s for s in self.seen if self.dice.random() < 0.5]
        return [cp.Held(cluster_id=c, fence=f) for c, f, _ in known]

    def renew(self):
        dice = self.dice
        return cp.RenewRequest(
            holder=dice.choice(HOLDERS), held=self.held(), lease_seconds=dice.choice((5, 30, -1))
        )

    def commit(self):
        """Mostly by the holder with the newest fence; also late, repeated and by others."""
        dice = self.dice
        if self.commits and dice.random() < 0.1:
            return dice.choice(self.commits)
        latest = self.seen[-3:] if dice.random() < 0.8 else self.seen
        cluster_id, fence, holder = dice.choice(latest) if latest else ("unknown", 1, "p1")
        asked = cp.CommitRequest(
            holder=holder if dice.random() < 0.9 else dice.choice(HOLDERS),
            cluster_id=cluster_id,
            fence=fence + dice.choice((0, 0, 0, 0, 0, -1, 1)),
            status=self.status() if dice.random() < 0.8 else None,
            operation=self.progress(cluster_id) if dice.random() < 0.5 else None,
            events=self.events(),
            due_in_ms=dice.choice((0, 0, 500, 60_000)),
            release=dice.random() < 0.3,
            gone=dice.random() < 0.3,
            commit_id=f"commit-{len(self.commits)}",
            number=dice.choice((0, len(self.commits), max(0, len(self.commits) - 3))),
        )
        self.commits.append(asked)
        return asked

    def status(self):
        dice = self.dice
        nodes = [
            pb.Node(
                slot=n,
                attempt=dice.choice((1, 2)),
                state=pb.NODE_STATE_STARTING,
                role=pb.ROLE_MASTER if n == 0 else pb.ROLE_WORKER,
            )
            for n in range(dice.choice((0, 1, 2)))
        ]
        return pb.ClusterStatus(
            state=dice.choice(STATES), nodes=nodes, observed_at_ms=dice.choice((0, 7))
        )

    def progress(self, cluster_id):
        dice = self.dice
        known = self.clusters.get(cluster_id)
        return ops.Operation(
            operation_id=dice.choice((known.operation_id if known else "op", "op-other", "")),
            state=dice.choice(PROGRESS),
            progress=dice.choice((-1, 5, 101)),
            description="so far",
        )

    def events(self):
        return [ops.Event(type="Seen", description=f"{n}") for n in range(self.dice.choice((0, 2)))]

    def duty(self):
        dice = self.dice
        return cp.ClaimDutyRequest(
            duty=dice.choice(("sweep", "sweep", "")), holder=dice.choice(HOLDERS), lease_seconds=20
        )

    def read(self):
        return rp.GetClusterRequest(
            cluster_id=self.some_id(), include_deleted=self.dice.random() < 0.5
        )

    def page(self):
        return rp.ListClustersRequest(user=self.dice.choice(("", *USERS)), page_size=2)

    def story(self):
        return ops.ListEventsRequest(
            user=self.dice.choice(USERS), milvus_name=self.dice.choice(NAMES), page_size=500
        )

    def operation(self):
        known = self.clusters.get(self.some_id())
        return ops.GetOperationRequest(operation_id=known.operation_id if known else "op")

    def append(self):
        return ops.AppendEventsRequest(cluster_id=self.some_id(), events=self.events())

    def learn(self, request, answer):
        """What a caller knows by this answer."""
        if isinstance(answer, tuple):
            return
        match request:
            case cp.ClaimRequest():
                for one in cp.ClaimResponse.FromString(answer).claimed:
                    self.seen.append((one.cluster.cluster_id, one.fence, request.holder))
            case rp.CreateClusterRequest() | rp.DeleteClusterRequest() | cp.CommitRequest():
                shown = rp.GetClusterResponse.FromString(answer).cluster  # field 1 of each of them
                self.clusters[shown.cluster_id] = shown
            case _:
                pass


def sort_of(request, answer):
    """What sort of answer it was, in a word or two."""
    what = type(request).__name__.removesuffix("Request")
    if isinstance(answer, tuple):
        return f"{what} {answer[1]}"
    return f"{what} {_SORTS.get(what, lambda _, __: '')(request, answer)}".rstrip()


_SORTS = {
    "Claim": lambda _, a: "some" if cp.ClaimResponse.FromString(a).claimed else "none",
    "ClaimDuty": lambda _, a: "yes" if cp.ClaimDutyResponse.FromString(a).granted else "no",
    "Renew": lambda r, a: "all" if cp.RenewResponse.FromString(a).held == r.held else "some",
    "Commit": lambda r, _: "gone" if r.gone else "",
    "CreateCluster": lambda _, a: (
        "new" if rp.CreateClusterResponse.FromString(a).created else "old"
    ),
    "ListClusters": lambda _, a: (
        "part" if rp.ListClustersResponse.FromString(a).next_page_token else "all"
    ),
}
