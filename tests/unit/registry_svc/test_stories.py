"""Operations end once; events are numbered on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kite.v1 import operation_pb2 as ops
from kite.v1.cluster_pb2 import Cluster
from registry_svc import stories
from registry_svc.record import Record
from tests.unit.registry_svc import shapes

RECORD = Record(Cluster(cluster_id="c1", user="u", milvus_name="n", operation_id="op"))


@pytest.mark.parametrize("kind", [stories.CREATE, stories.DELETE])
def test_a_new_operation_names_all_its_steps(kind):
    new = stories.started(kind, "op", RECORD, request_id="req", now_ms=5)
    assert (new.type, new.user, new.milvus_name, new.cluster_id) == (kind, "u", "n", "c1")
    assert (new.state, new.started_at_ms, new.request_id) == (1, 5, "req")
    assert [s.name for s in new.steps] == list(stories.STEPS[kind])
    assert {s.state for s in new.steps} == {ops.OPERATION_STATE_PENDING}


@pytest.mark.parametrize("state", sorted(stories.ENDED))
def test_an_operation_ends_once(state):
    running = ops.Operation(operation_id="op", state=ops.OPERATION_STATE_RUNNING, progress=40)
    over = stories.ended(running, state, why="w", now_ms=9)
    assert (over.state, over.description, over.ended_at_ms) == (state, "w", 9)
    assert over.progress == (100 if state == ops.OPERATION_STATE_SUCCEEDED else 40)
    assert running.ended_at_ms == 0
    assert stories.ended(over, ops.OPERATION_STATE_FAILED, why="x", now_ms=10) == over
    assert stories.progressed(over, running, now_ms=10) == over


def test_what_is_no_operation_does_not_end():
    nothing = ops.Operation()
    assert stories.ended(nothing, ops.OPERATION_STATE_FAILED, why="", now_ms=1) == nothing


@given(shapes.operations, shapes.operations)
def test_a_loop_changes_only_its_own_part(present, wished):
    new = stories.progressed(present, wished, now_ms=99)
    kept = ("operation_id", "type", "user", "milvus_name", "cluster_id", "started_at_ms")
    assert [getattr(new, f) for f in kept] == [getattr(present, f) for f in kept]
    assert new.request_id == present.request_id
    if present.state in stories.ENDED:
        assert new == present
        return
    assert (new.state, list(new.steps)) == (wished.state, list(wished.steps))
    assert (new.reason, new.description) == (wished.reason, wished.description)
    over = new.state in stories.ENDED
    assert new.ended_at_ms == ((wished.ended_at_ms or 99) if over else present.ended_at_ms)


@pytest.mark.parametrize(("wished", "ended"), [(50, 50), (0, 99)])
def test_a_loop_ends_an_operation_at_its_time_or_now(wished, ended):
    running = ops.Operation(operation_id="op", state=ops.OPERATION_STATE_RUNNING)
    over = ops.Operation(state=ops.OPERATION_STATE_FAILED, ended_at_ms=wished)
    assert stories.progressed(running, over, now_ms=99).ended_at_ms == ended


@pytest.mark.parametrize(("given_progress", "kept"), [(-5, 0), (0, 0), (50, 50), (101, 100)])
def test_progress_is_a_percentage(given_progress, kept):
    present = ops.Operation(operation_id="op", state=ops.OPERATION_STATE_RUNNING)
    wished = ops.Operation(progress=given_progress, steps=[ops.Step(name="boot")])
    new = stories.progressed(present, wished, now_ms=1)
    assert new.progress == kept
    assert new.state == ops.OPERATION_STATE_RUNNING
    assert new.steps[0].state == ops.OPERATION_STATE_PENDING


@given(st.lists(shapes.events, max_size=5), st.integers(0, 1000))
def test_events_are_numbered_on(events, last):
    record = Record(RECORD.cluster, last_event=last)
    told = stories.told(record, events, now_ms=77, origin="registry")
    assert [e.number for e in told.events] == list(range(last + 1, last + 1 + len(events)))
    assert told.last_event == last + len(events)
    for new, old in zip(told.events, events, strict=True):
        assert new.cluster_id == "c1"
        assert (new.type, new.description) == (old.type, old.description)
        assert new.at_ms == (old.at_ms or 77)
        assert new.origin == (old.origin or "registry")


def test_the_operation_of_the_latest_wish():
    old, new = ops.Operation(operation_id="old"), ops.Operation(operation_id="op")
    assert Record(RECORD.cluster, operations=(old, new)).operation == new
    assert Record(RECORD.cluster, operations=(old,)).operation == ops.Operation()
