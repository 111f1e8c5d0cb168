"""What the registry needs of a store, the same on every engine."""

from dataclasses import replace

import pytest

from kite.errors import AlreadyExists, Conflict, InvalidRequest, OverLimit
from kite.v1 import cluster_pb2 as pb
from kite.v1 import operation_pb2 as ops
from kite.v1.operation_pb2 import Event
from registry_svc import tidying
from registry_svc.claims import TOMBSTONE_MS, Commit
from registry_svc.engine import Taken
from registry_svc.wishes import KEY_MS
from tests.store.conftest import SHARED
from tests.store.world import World, at_once, wish

# In the embedded store several writes are one: it has no moment in between.
over_the_wire = pytest.mark.parametrize("engine", SHARED, indirect=True)


def raw(world, cluster_id):
    return world.engine.bound.clusters.collection.find_one({"_id": cluster_id})


def gone(world, name="search-cats"):
    world.delete(name)
    claimed = next(
        r for r in world.claims.claim("p", most=9, seconds=30) if r.cluster.milvus_name == name
    )
    return world.claims.commit(
        Commit("p", claimed.cluster.cluster_id, claimed.lease.fence, gone=True)
    )


def test_a_record_comes_back_as_it_was_stored(world):
    stored = world.create()
    assert world.store.by_id(stored.cluster.cluster_id) == stored
    assert world.store.live("milvus-test", "search-cats") == stored
    assert world.store.live("milvus-test", "other") is None


def test_a_name_is_unique_among_live_clusters(world):
    first = world.create()
    twin = pb.Cluster()
    twin.CopyFrom(first.cluster)
    twin.cluster_id = "ctwin"
    with pytest.raises(Taken):
        world.store.insert(replace(first, cluster=twin, quota_number=9))
    assert world.store.by_id("ctwin") is None


def test_a_place_is_unique_among_live_clusters(world):
    first = world.create()
    other = pb.Cluster()
    other.CopyFrom(first.cluster)
    other.cluster_id, other.milvus_name = "cother", "other"
    with pytest.raises(Taken):
        world.store.insert(replace(first, cluster=other))
    assert world.store.insert(replace(first, cluster=other, quota_number=2))


def test_a_tombstone_frees_name_and_place(world):
    old = world.create()
    gone_record = gone(world)
    document = raw(world, old.cluster.cluster_id)
    assert "live_key" not in document
    assert "quota_key" not in document
    assert gone_record.cluster.status.state == pb.CLUSTER_STATE_DELETED
    new = world.create()
    assert new.cluster.cluster_id != old.cluster.cluster_id
    assert new.quota_number == 1
    assert world.store.last_deleted("milvus-test", "search-cats") == gone_record


def test_several_tombstones_of_one_name_are_no_conflict(world):
    for _ in range(3):
        world.create()
        last = gone(world)
        world.clock.forward(seconds=1)
    assert world.store.last_deleted("milvus-test", "search-cats") == last


def test_swap_refuses_a_writer_that_saw_an_older_state(world):
    seen = world.create()
    first = world.store.swap(seen, replace(seen, due_at_ms=1))
    assert first
    assert first.writes == seen.writes + 1
    assert world.store.swap(seen, replace(seen, due_at_ms=2)) is None
    assert world.store.by_id(seen.cluster.cluster_id).due_at_ms == 1


def test_racing_swaps_end_exact(world):
    seen = world.create()
    cluster_id = seen.cluster.cluster_id

    def work(number):
        won = 0
        for _ in range(12):
            record = world.store.by_id(cluster_id)
            new = replace(record, due_at_ms=record.due_at_ms + 1)
            won += world.store.swap(record, new) is not None
        return won

    won = sum(at_once(8, work))
    end = world.store.by_id(cluster_id)
    assert won > 0
    assert end.writes == seen.writes + won
    assert end.due_at_ms == seen.due_at_ms + won


def test_racing_creates_of_one_name_make_one_cluster(world):
    answers = at_once(8, lambda n: world.wishes.create(wish()))
    assert sorted(a.created for a in answers) == [False] * 7 + [True]
    assert len({a.record.cluster.cluster_id for a in answers}) == 1
    assert len(world.store.live_records("milvus-test")) == 1
    operations = world.store.operations("milvus-test", "", before=None, size=99)
    assert [o.operation_id for o in operations] == [answers[0].record.cluster.operation_id]


def test_racing_creates_of_one_name_with_other_bodies_make_one_cluster(world):
    answers = at_once(8, lambda n: world.wishes.create(wish(body=f"b{n}", key=f"k{n}")))
    refused = [a for a in answers if isinstance(a, AlreadyExists)]
    assert len(refused) == 7
    assert len(world.store.live_records("")) == 1
    # A refused create leaves its key free for another body.
    now = world.clock.now_ms()
    kept = [n for n in range(8) if world.store.key("milvus-test", f"k{n}", now_ms=now)]
    assert [isinstance(answers[n], AlreadyExists) for n in kept] == [False]


def test_the_quota_holds_under_a_race(engine):
    world = World(engine, quota=3)
    answers = at_once(8, lambda n: world.wishes.create(wish(f"name-{n}")))
    assert sum(isinstance(a, OverLimit) for a in answers) == 5
    assert sorted(world.store.quota_numbers("milvus-test")) == [1, 2, 3]
    assert world.create("name-1", user="somebody-else").quota_number == 1


def test_one_key_under_a_race_makes_one_cluster(world):
    answers = at_once(8, lambda n: world.wishes.create(wish(key="k")))
    assert len({a.record.cluster.cluster_id for a in answers}) == 1
    assert len(world.store.live_records("")) == 1


@over_the_wire
@pytest.mark.parametrize("racer", ["the same call", "another call"])
def test_a_key_outlives_a_race_between_its_promise_and_its_cluster(world, monkeypatch, racer):
    """One registry has kept the key when another answers the same create whole."""
    mine = replace(wish(key="k"), call_id="the same call")
    insert = world.store.insert

    def overtaken(record):
        monkeypatch.undo()
        world.wishes.create(replace(mine, call_id=racer))
        return insert(record)

    monkeypatch.setattr(world.store, "insert", overtaken)
    made = world.wishes.create(mine).record.cluster
    assert world.store.key("milvus-test", "k", now_ms=world.clock.now_ms())
    gone(world)
    again = world.wishes.create(replace(mine, call_id="much later"))
    assert (again.created, again.record.cluster.cluster_id) == (False, made.cluster_id)


@over_the_wire
def test_calls_are_known_again_on_a_database(world):
    mine = replace(wish(), call_id="one")
    assert world.wishes.create(mine).created
    assert world.wishes.create(mine).created
    assert not world.wishes.create(replace(mine, call_id="two")).created
    gone(world)
    with pytest.raises(Conflict):
        world.wishes.create(mine)


def test_a_key_stands_for_its_first_body_for_a_day(world):
    first = world.create(key="k")
    assert world.create(key="k") == first
    with pytest.raises(InvalidRequest) as caught:
        world.create("another", body="b2", key="k")
    assert caught.value.reason == "IDEMPOTENCY_KEY_REUSED"
    assert world.create("another", body="b2", user="other", key="k")
    world.clock.forward(ms=KEY_MS)
    assert world.create("another", body="b2", key="k").cluster.milvus_name == "another"


def test_a_key_answers_with_its_cluster_even_when_that_is_deleted(world):
    first = world.create(key="k")
    gone(world)
    again = world.wishes.create(wish(key="k"))
    assert not again.created
    assert again.record.cluster.cluster_id == first.cluster.cluster_id


@over_the_wire
def test_an_interrupted_create_is_completed_under_its_key(world, monkeypatch):
    def crash(record):
        raise RuntimeError

    monkeypatch.setattr(world.store, "insert", crash)
    with pytest.raises(RuntimeError):
        world.create(key="k")
    monkeypatch.undo()
    promised = world.store.key("milvus-test", "k", now_ms=world.clock.now_ms())
    assert world.create(key="k").cluster.cluster_id == promised.cluster_id


def rule(cidr="115.236.166.154/32"):
    return pb.Rule(source_ip=cidr, port_type=pb.PORT_TYPE_MILVUS)


def test_of_racing_whitelists_on_one_revision_one_wins(world):
    world.create()

    world.wishes.set_whitelist("milvus-test", "search-cats", [rule()], expected=0)

    def guarded(number):
        rules = [rule(f"10.0.0.{number}/32")]
        return world.wishes.set_whitelist("milvus-test", "search-cats", rules, expected=2)

    answers = at_once(8, guarded)
    assert sum(isinstance(a, Conflict) for a in answers) == 7
    assert world.store.live("milvus-test", "search-cats").cluster.whitelist.revision == 3

    def work(number):
        rules = [rule(f"10.0.0.{number}/32")]
        return world.wishes.set_whitelist("milvus-test", "search-cats", rules, expected=0)

    at_once(8, work)
    end = world.store.live("milvus-test", "search-cats")
    assert 4 <= end.cluster.whitelist.revision <= 11


def test_events_are_numbered_without_gap_or_double(world):
    cluster_id = world.create().cluster.cluster_id

    def work(number):
        for count in range(5):
            told = [Event(type="A", details={"a.b": "$"}), Event(type="B")]
            world.wishes.append_events(cluster_id, told[: 1 + count % 2])

    assert at_once(6, work) == [None] * 6
    found = world.store.events(cluster_id, after=0, size=500)
    assert [e.number for e in found] == list(range(1, 1 + 1 + 6 * 7))
    assert [e.number for e in world.store.events(cluster_id, after=40, size=2)] == [41, 42]
    assert dict(found[1].details) in ({"a.b": "$"}, {})


@over_the_wire
def test_what_an_interrupted_writer_left_is_told_by_the_next(world, monkeypatch):
    cluster_id = world.create().cluster.cluster_id
    monkeypatch.setattr(world.store, "_deliver", lambda record: None)
    operation_id = world.delete().cluster.operation_id
    monkeypatch.undo()
    assert world.store.operation(operation_id) is None
    world.wishes.append_events(cluster_id, [Event(type="Next")])
    assert world.store.operation(operation_id).type == "delete-cluster"
    types = [e.type for e in world.store.events(cluster_id, after=0, size=9)]
    assert types == ["ClusterCreated", "ClusterDeleting", "Next"]


@over_the_wire
def test_tidying_tells_what_an_interrupted_writer_left(world, monkeypatch):
    monkeypatch.setattr(world.store, "_deliver", lambda record: None)
    record = world.create()
    monkeypatch.undo()
    assert world.store.operation(record.cluster.operation_id) is None
    tidying.tidy(world.store, world.clock.now_ms())
    assert world.store.operation(record.cluster.operation_id)
    assert world.store.untold(limit=9) == []


def test_a_late_teller_never_overwrites_a_newer_operation(world):
    old = world.create()
    new = world.delete()
    world.store._deliver(old)
    first = world.store.operation(old.cluster.operation_id)
    assert first.state == ops.OPERATION_STATE_CANCELLED
    assert world.store.operation(new.cluster.operation_id).type == "delete-cluster"


def test_operations_are_listed_newest_first_in_pages(world):
    for number in range(5):
        world.create(f"name-{number}")
        world.clock.forward(ms=number % 2)
    everything = world.store.operations("milvus-test", "", before=None, size=99)
    times = [(o.started_at_ms, o.operation_id) for o in everything]
    assert times == sorted(times, reverse=True)
    page = world.store.operations("milvus-test", "", before=times[1], size=2)
    assert page == everything[2:4]
    assert world.store.operations("other", "", before=None, size=9) == []
    [only] = world.store.operations("milvus-test", "name-3", before=None, size=9)
    assert only.milvus_name == "name-3"


def test_pages_of_clusters_cover_all_once(world):
    for user in ("alice", "bob"):
        for number in range(5):
            world.create(f"name-{number}", user=user)
    seen, after = [], ""
    while True:
        page, after = world.store.page("", after=after, size=3)
        seen += [(c.user, c.milvus_name) for c in page]
        if not after:
            break
    assert seen == sorted((u, f"name-{n}") for u in ("alice", "bob") for n in range(5))
    mine, end = world.store.page("bob", after="", size=5)
    assert [c.user for c in mine] == ["bob"] * 5
    assert end == ""


def test_tidying_forgets_what_is_over(world):
    record = world.create(key="k")
    gone(world)
    keeper = world.create("keeper")
    cluster_id = record.cluster.cluster_id
    world.clock.forward(ms=TOMBSTONE_MS - 1)
    tidying.tidy(world.store, world.clock.now_ms())
    assert world.store.by_id(cluster_id)
    world.clock.forward(ms=1)
    assert tidying.tidy(world.store, world.clock.now_ms()) == 1
    assert world.store.by_id(cluster_id) is None
    assert world.store.events(cluster_id, after=0, size=9) == []
    assert world.store.operation(record.cluster.operation_id) is None
    assert world.store.by_id(keeper.cluster.cluster_id)
    keys = world.engine.bound.keys.collection
    assert keys.count_documents({}) == 0


def test_changes_are_found_by_their_time(world):
    world.create("early")
    world.clock.forward(seconds=60)
    late = world.create("late")
    assert world.store.changed_since(world.clock.now_ms() - 1000) == [late]


def test_listeners_hear_of_visible_changes_only(world):
    heard = []
    world.store.listen(heard.append)
    record = world.create()
    world.claims.claim("a", most=1, seconds=30)
    with pytest.raises(AlreadyExists):
        world.create(body="b2")
    deleted = world.delete()
    assert [r.writes for r in heard] == [record.writes, deleted.writes]


def test_a_forgotten_cluster_is_not_brought_back(world):
    """A writer that still holds it writes nothing: compare-and-set never makes a document."""
    record = world.create()
    world.store.forget(record.cluster.cluster_id)
    assert world.store.swap(record, replace(record, due_at_ms=1)) is None
    assert world.store.by_id(record.cluster.cluster_id) is None
