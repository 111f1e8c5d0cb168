"""A database that does what it was told and loses its answer, or has just lost its primary."""

import pymongo
import pymongo.errors
import pytest

from kite.errors import Unavailable
from registry_svc.claims import Commit
from registry_svc.store import Store
from tests.faults.relay import Mode

pytestmark = pytest.mark.wire
# Commands on the clusters, as they go over the wire.
INSERT, UPDATE = (
    command + b"\x00\x09\x00\x00\x00clusters\x00" for command in (b"insert", b"update")
)
NOT_PRIMARY, STEPPED_DOWN, SHUTTING_DOWN = 10107, 189, 11600


def test_a_create_whose_reply_was_lost_is_known_as_done(world, relay):
    relay.lose(INSERT)
    record = world.create()
    assert relay.lost == 1
    assert world.store.live("milvus-test", "search-cats").stamp == record.stamp
    story = world.store.events(record.cluster.cluster_id, after=0, size=9)
    assert [event.type for event in story] == ["ClusterCreated"]


def test_a_change_whose_reply_was_lost_is_known_as_done(world, relay):
    record = world.create()
    [claimed] = world.claims.claim("a", most=1, seconds=30)
    cluster_id = record.cluster.cluster_id
    relay.lose(UPDATE)
    stored = world.claims.commit(Commit("a", cluster_id, claimed.lease.fence, due_in_ms=7))
    assert relay.lost == 1
    assert (stored.writes, stored.due_at_ms) == (claimed.writes + 1, stored.changed_at_ms + 7)
    assert world.store.by_id(cluster_id).stamp == stored.stamp


def test_a_delete_whose_reply_was_lost_makes_one_operation(world, relay):
    world.create()
    world.clock.forward(seconds=1)
    relay.lose(UPDATE)
    deleted = world.delete()
    assert relay.lost == 1
    assert world.delete().cluster.operation_id == deleted.cluster.operation_id
    operations = world.store.operations("milvus-test", "", before=None, size=9)
    assert [o.type for o in operations] == ["delete-cluster", "create-cluster"]


def test_without_the_second_look_it_would_not_be_known(strict_world, relay, monkeypatch):
    monkeypatch.setattr(Store, "_ours", lambda store, record: False)
    relay.lose(INSERT)
    with pytest.raises(Unavailable):
        strict_world.create()


def test_somebody_elses_write_is_not_taken_for_ours(strict_world, relay):
    seen = strict_world.create()
    strict_world.delete()
    assert strict_world.store.swap(seen, seen) is None


@pytest.mark.parametrize(("command", "code"), [
    ("find", NOT_PRIMARY), ("update", STEPPED_DOWN), ("update", SHUTTING_DOWN),
])  # fmt: skip
def test_a_step_down_is_told_as_away_and_ends_by_itself(strict_world, failing, code, command):
    strict_world.create()
    failing.arm(command, errorCode=code, times=0)
    with pytest.raises(Unavailable) as caught:
        strict_world.delete()
    assert (caught.value.reason, caught.value.retry_after) == ("STORE_AWAY", 1)
    failing.disarm()
    assert not strict_world.delete().cluster.spec.wanted


@pytest.mark.parametrize("code", [NOT_PRIMARY, STEPPED_DOWN])
def test_a_short_step_down_is_not_noticed_when_the_driver_may_repeat(patient_world, failing, code):
    patient_world.create()
    failing.arm("update", errorCode=code)
    assert not patient_world.delete().cluster.spec.wanted


@pytest.mark.parametrize("fault", [
    {"code": 64, "errmsg": "waiting for replication timed out", "errInfo": {"wtimeout": True}},
    {"code": 100, "errmsg": "not enough data-bearing nodes"},
    {"code": 91, "errmsg": "shutdown in progress"},
])  # fmt: skip
def test_a_write_that_no_majority_has_is_not_acknowledged(
    strict_world, failing, fault, monkeypatch
):
    strict_world.create()
    # Where it is asked for what is certain, a primary alone cannot say yes.
    monkeypatch.setattr(type(strict_world.engine), "holds", lambda *_: False)
    failing.arm("update", writeConcernError=fault, times=0)
    with pytest.raises(Unavailable) as caught:
        strict_world.delete()
    assert caught.value.reason == "STORE_AWAY"


def test_the_second_look_asks_for_what_a_majority_has(strict_world, failing):
    """A server that cannot give majority reads is never believed."""
    record = strict_world.create()
    failing.arm("find", errorCode=134, times=0)  # ReadConcernMajorityNotAvailableYet
    with pytest.raises(pymongo.errors.PyMongoError):
        strict_world.engine.holds(
            strict_world.engine.bound.clusters, {"_id": record.cluster.cluster_id}
        )


@pytest.mark.parametrize("mode", [Mode.CUT, Mode.HOLD])
def test_a_database_away_is_told_and_comes_back_by_itself(strict_world, relay, mode):
    record = strict_world.create()
    relay.become(mode)
    for ask in (lambda: strict_world.store.by_id(record.cluster.cluster_id), strict_world.delete):
        with pymongo.timeout(1), pytest.raises(Unavailable) as caught:
            ask()
        assert (caught.value.reason, caught.value.retry_after) == ("STORE_AWAY", 1)
    relay.become(Mode.PASS)
    assert strict_world.store.by_id(record.cluster.cluster_id) == record
    assert not strict_world.delete().cluster.spec.wanted
