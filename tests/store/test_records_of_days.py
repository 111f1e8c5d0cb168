"""The records of simulated days answer as the registry's own store does.

The same random calls go to the real services over both; every answer, refusal, record, operation
and event is the same. What the simulator shows of the registry's rules holds for the real one so.
"""

from __future__ import annotations

import os
from contextlib import nullcontext
from dataclasses import replace

import pytest

from kite.v1 import cluster_pb2 as pb
from kite.v1 import registry_pb2 as rp
from registry_svc import wishes
from registry_svc.embedded import Embedded
from registry_svc.engine import Taken
from registry_svc.leases import Lease
from registry_svc.record import DutyRecord, KeyRecord
from registry_svc.store import Store
from tests.sim.records import Records
from tests.store.calls import Calls, Side, sort_of

SEEDS = int(os.environ.get("KITE_TEST_REGISTRIES", "60"))
STEPS = 60
PASSES = (0, 0, 0, 1, 1, 400, 400, 6_000, 6_000, 40_000, 40_000, -3_000, -900_000)  # ms
MET = {
    "AppendEvents NO_SUCH_CLUSTER",
    "AppendEvents",
    "ClaimDuty INVALID_REQUEST",
    "ClaimDuty yes",
    "ClaimDuty no",
    "Claim INVALID_HOLDER",
    "Claim INVALID_LEASE",
    "Claim none",
    "Claim some",
    "Commit CLUSTER_WANTED",
    "Commit INVALID_REQUEST",
    "Commit LEASE_LOST",
    "Commit NO_SUCH_CLUSTER",
    "Commit",
    "Commit gone",
    "CreateCluster CLUSTER_DELETING",
    "CreateCluster DISK_TOO_LARGE",
    "CreateCluster IDEMPOTENCY_KEY_REUSED",
    "CreateCluster NAME_TAKEN",
    "CreateCluster QUOTA_EXCEEDED",
    "CreateCluster UNKNOWN_TYPE",
    "CreateCluster new",
    "CreateCluster old",
    "DeleteCluster CONFLICT",
    "DeleteCluster NO_SUCH_CLUSTER",
    "DeleteCluster",
    "GetCluster NO_SUCH_CLUSTER",
    "GetCluster",
    "GetOperation NO_SUCH_OPERATION",
    "GetOperation",
    "ListClusters all",
    "ListClusters part",
    "ListEvents NO_SUCH_CLUSTER",
    "ListEvents",
    "Renew INVALID_LEASE",
    "Renew all",
    "Renew some",
}


def differ(seed, folder, monkeypatch):
    """The first call that two registries answered differently, and kinds of answers that came."""
    engine = Embedded(folder)
    try:
        sides = (Side(Store(engine)), Side(Records()))
        return compared(Calls(seed), sides, monkeypatch)
    finally:
        engine.close()


def compared(calls, sides, monkeypatch):
    came = set()
    for step in range(STEPS):
        request, answers = calls.next(), []
        passes = calls.dice.choice(PASSES)
        monkeypatch.setattr(wishes, "new_cluster_id", lambda call="", step=step: f"c{call or step}")
        monkeypatch.setattr(wishes, "new_operation_id", lambda step=step: f"op-{step}")
        for side in sides:
            answers.append(side.answer(request))
            side.clock.forward(ms=passes)
        first, second = answers
        came.add(sort_of(request, first))
        calls.learn(request, first)
        told = [side.records(calls.clusters) for side in sides]
        if first != second or told[0] != told[1]:
            return f"step {step}, {request}: {first!r}, but {second!r}; {told}", came
    return "", came


def test_the_same_calls_have_the_same_answers_and_leave_the_same_records(tmp_path, monkeypatch):
    met = set()
    for seed in range(SEEDS):
        different, came = differ(seed, tmp_path / f"{seed}", monkeypatch)
        assert not different, f"seed {seed}: {different}"
        met |= came
    assert met >= MET, f"never came: {MET - met}"


@pytest.fixture(params=["real", "of days"])
def side(request, tmp_path):
    if request.param == "of days":
        yield Side(Records())
        return
    engine = Embedded(tmp_path / "registry")
    yield Side(Store(engine))
    engine.close()


def made(side, name="cats", user="ann"):
    asked = rp.CreateClusterRequest(
        user=user, milvus_name=name, milvus_type="M5-0", disk_gib=50, body_hash="b1"
    )
    found = rp.CreateClusterResponse.FromString(side.answer(asked))
    return side.store.by_id(found.cluster.cluster_id)


def test_a_writer_that_saw_an_older_state_is_refused(side):
    seen = made(side)
    assert side.store.swap(seen, replace(seen, due_at_ms=1)).writes == seen.writes + 1
    assert side.store.swap(seen, replace(seen, due_at_ms=2)) is None
    assert side.store.by_id(seen.cluster.cluster_id).due_at_ms == 1
    assert side.store.swap(replace(seen, cluster=pb.Cluster(cluster_id="other")), seen) is None


@pytest.mark.parametrize(
    ("name", "place", "taken"), [("cats", 2, True), ("dogs", 1, True), ("dogs", 2, False)]
)
def test_names_and_places_are_taken_once(side, name, place, taken):
    twin = pb.Cluster()
    twin.CopyFrom((first := made(side)).cluster)
    twin.cluster_id, twin.milvus_name = "other", name
    with pytest.raises(Taken) if taken else nullcontext():
        side.store.insert(replace(first, cluster=twin, quota_number=place))
    assert (side.store.by_id("other") is None) is taken


def test_an_id_is_taken_once(side):
    twin = pb.Cluster()
    twin.CopyFrom((first := made(side)).cluster)
    twin.milvus_name = "dogs"
    with pytest.raises(Taken):
        side.store.insert(replace(first, cluster=twin, quota_number=2))


def test_a_duty_goes_to_whoever_saw_its_latest_state(side):
    first, second = DutyRecord("d", Lease("p1", 1, 9), 1), DutyRecord("d", Lease("p2", 2, 9), 2)
    assert side.store.put_duty(None, first)
    assert not side.store.put_duty(None, second)
    assert side.store.put_duty(first, second)
    assert not side.store.put_duty(first, second)
    assert side.store.duty("d") == second


def test_a_key_stands_for_one_request_until_its_end(side):
    kept = KeyRecord("ann", "k", "b", "c1", "op", 1_000)
    assert side.store.put_key(kept, now_ms=0)
    assert not side.store.put_key(replace(kept, cluster_id="c2"), now_ms=999)
    assert side.store.key("ann", "k", now_ms=999) == kept
    assert side.store.key("ann", "k", now_ms=1_000) is None
    assert side.store.put_key(replace(kept, cluster_id="c2"), now_ms=1_000)
    side.store.forget_key("ann", "k")
    assert side.store.key("ann", "k", now_ms=0) is None
