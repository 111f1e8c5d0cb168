"""Decisions when something goes wrong on the way up, or later."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner import nodes
from provisioner.facts import Answer, Machine
from provisioner.plan import (
    Launch,
    Terminate,
)
from provisioner.questions import questions
from provisioner.record import ClusterState, Condition, NodeState
from provisioner.removal import WHITELIST_CLOSED
from tests.unit.provisioner.shapes import (
    CLUSTER,
    ID,
    INSTALL,
    LIMITS,
    MINUTE,
    NOW,
    SECOND,
    SITE,
    facts,
    intent,
    launched,
    left,
    machine,
    node,
    only,
    plan,
    record,
    token_of,
    waiting,
)

S = NodeState
TOKEN = token_of()


# trouble ----------------------------------------------------------------------------------------


def test_a_machine_that_never_boots_is_replaced_and_its_cause_is_told():
    late = waiting(launched(), facts(machine(Machine.PENDING)))
    found = plan(record(late), facts(machine(Machine.PENDING)), NOW + 10 * MINUTE)
    assert found.actions == (Terminate((ID,), (TOKEN,)),)
    n = only(found)
    assert (n.state, n.retiring, n.reason) == (S.STARTING, True, "PENDING_TOO_LONG")
    ending = only(plan(record(n), facts(machine(Machine.SHUTTING_DOWN))))
    assert ending.why == "the machine did not start in time; waiting until EC2 confirms the end"
    assert ending.reason == "PENDING_TOO_LONG"
    ended = plan(record(ending), facts(machine(Machine.TERMINATED)))
    assert (only(ended).attempt, only(ended).token) == (2, token_of(2))
    assert only(ended).launches_ms == (NOW,)
    assert only(ended).instance_id == ""
    assert ended.record.address.association_id == ""


def test_the_breaker_opens_after_three_machines_within_an_hour():
    launches = (NOW, NOW, NOW)
    n = launched(retiring=True, launches_ms=launches, why="SSH did not answer in time; x",
                 reason="SSH_UNREACHABLE")  # fmt: skip
    found = plan(record(n), facts(machine(Machine.TERMINATED)))
    assert (only(found).state, only(found).reason) == (S.FAILED, "LAUNCH_LOOP")
    assert "SSH did not answer in time" in only(found).why
    assert found.actions == ()
    later = plan(record(n), facts(machine(Machine.TERMINATED)), NOW + 61 * MINUTE)
    assert only(later).attempt == 2


def test_the_breaker_tells_what_ended_a_machine():
    n = launched(launches_ms=(NOW, NOW, NOW))
    found = plan(record(n), facts(machine(Machine.TERMINATED, reason="Client.InternalError")))
    assert "Client.InternalError" in only(found).why


def test_a_clock_that_jumps_back_opens_the_breaker_rather_than_launching():
    n = launched(launches_ms=(NOW, NOW, NOW))
    found = plan(record(n), facts(machine(Machine.TERMINATED)), NOW - 60 * MINUTE)
    assert only(found).reason == "LAUNCH_LOOP"


def test_a_fresh_machine_that_is_not_shown_is_waited_for():
    found = plan(record(launched()), facts())
    assert found.actions == ()
    assert only(found).deadline_ms == NOW + 5 * MINUTE
    later = plan(record(only(found)), facts(), NOW + 5 * MINUTE)
    assert only(later).attempt == 2


@pytest.mark.parametrize("passed", [5 * MINUTE, 600 * MINUTE])
def test_a_machine_that_ran_is_looked_for_however_long_ec2_hides_it(passed):
    first = plan(record(launched(S.RUNNING)), facts())
    later = plan(first.record, facts(), NOW + passed)
    assert (later.actions, later.settled, later.again_ms) == ((), True, LIMITS.settled_ms)
    assert questions(later.record, SITE, NOW + passed).ids == (ID,)
    assert (later.record.state, later.record.reason) == (ClusterState.DEGRADED, "INSTANCE_UNSEEN")
    assert later.record.why == "master 0: EC2 does not show the machine, which is still looked for"
    back = plan(later.record, facts(machine(), answers={TOKEN: Answer.ANSWERS}), NOW + passed)
    assert (back.record.state, back.record.reason) == (ClusterState.RUNNING, "")
    assert only(back).instance_id == ID


def test_a_machine_that_was_hidden_and_is_shown_ended_is_lost():
    hidden = plan(record(launched(S.RUNNING)), facts())
    lost = plan(hidden.record, facts(machine(Machine.TERMINATED)), NOW + 60 * MINUTE)
    assert (only(lost).state, only(lost).reason) == (S.FAILED, "INSTANCE_LOST")


def test_the_deletion_of_a_cluster_with_a_hidden_machine_ends_and_looks_by_tag():
    hidden = plan(record(launched(S.RUNNING)), facts(), NOW - 60 * MINUTE).record
    spec = replace(hidden.spec, wanted=False)
    closed = (Condition(WHITELIST_CLOSED, ok=True, since_ms=NOW),)
    leaving = plan(replace(hidden, spec=spec, conditions=closed), facts())
    assert (only(leaving).state, only(leaving).deadline_ms) == (S.RUNNING, NOW + 5 * MINUTE)
    gone = plan(leaving.record, facts(), NOW + 5 * MINUTE)
    assert (only(gone).state, gone.gone) == (S.GONE, False)
    seen = facts(leftovers=left(instances=(machine(),)))
    assert plan(gone.record, seen, NOW + 5 * MINUTE).actions == (Terminate((ID,)),)


@pytest.mark.parametrize(("seen", "reason"), [
    (facts(machine(Machine.STOPPED)), "INSTANCE_STOPPED"),
    (facts(machine(Machine.PENDING)), "INSTANCE_PENDING"),
    (facts(machine()), "MILVUS_SILENT"),
])  # fmt: skip
def test_a_troubled_machine_with_data_is_told_and_left_alone(seen, reason):
    found = plan(record(launched(S.RUNNING)), seen)
    assert found.record.state is ClusterState.DEGRADED
    assert found.record.reason == reason
    assert found.actions == ()
    well = plan(found.record, facts(machine(), answers={TOKEN: Answer.ANSWERS}))
    assert well.record.state is ClusterState.RUNNING
    assert well.record.reason == ""


def test_a_machine_with_data_ended_by_hand_fails_and_says_so():
    ended = machine(Machine.TERMINATED, reason="User initiated")
    found = plan(record(launched(S.RUNNING)), facts(ended))
    assert only(found).why == "the machine was ended outside Kite (User initiated)"
    assert (only(found).state, only(found).retiring) == (S.FAILED, False)


def test_a_failed_node_keeps_cause_and_reason_while_its_machine_goes():
    n = nodes.failed(launched(), "no room", "DISK_FULL", NOW, machine=True)
    found = plan(record(n), facts(machine()))
    assert found.actions == (Terminate((ID,), (TOKEN,)),)
    gone = plan(found.record, facts(machine(Machine.TERMINATED)))
    n = only(gone)
    assert (n.why, n.reason, n.retiring, n.instance_id) == ("no room", "DISK_FULL", False, ID)
    assert plan(gone.record, facts()).settled


def test_a_damaged_record_is_told():
    found = plan(record(node(S.RUNNING)), facts())
    assert only(found).reason == "RECORD_DAMAGED"


def test_a_refusal_that_only_the_operator_can_mend_is_tried_again_after_a_pause():
    n = nodes.failed(node(), "no rights", "CLOUD_PERMISSION", NOW, machine=False)
    assert only(plan(record(n), facts(), NOW + 59 * SECOND)).state is S.FAILED
    again = plan(record(n), facts(), NOW + 60 * SECOND)
    assert (only(again).state, only(again).attempt) == (S.STARTING, 2)
    assert isinstance(again.actions[0], Launch)
    other = nodes.failed(node(), "no", "QUOTA_EXCEEDED", NOW, machine=False)
    assert only(plan(record(other), facts(), NOW + 60 * SECOND)).state is S.FAILED


def test_deciding_twice_on_the_same_facts_changes_nothing_more():
    cluster, seen = record(launched()), facts(machine(), ssh=frozenset({TOKEN}))
    once = plan(cluster, seen)
    assert plan(once.record, seen).record == once.record


states = st.sampled_from([S.STARTING, S.LOADING, S.RUNNING, S.FAILED, S.GONE])
machines = st.one_of(st.none(), st.sampled_from(list(Machine)))


@given(
    states,
    machines,
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.integers(0, 3),
    st.sampled_from([0, MINUTE, 20 * MINUTE, 90 * MINUTE]),
)
def test_never_two_machines_and_never_a_launch_over_one(
    state, seen_as, retiring, has_id, wanted, launches, passed
):
    n = node(
        state,
        intent=intent(),
        instance_id=ID if has_id else "",
        retiring=retiring,
        launches_ms=(NOW,) * launches,
        deadline_ms=NOW,
        why="the machine is pending",
    )
    seen = facts(*([machine(seen_as)] if seen_as else []))
    found = plan(record(n, wanted=wanted), seen, NOW + passed)
    after = only(found)
    alive = has_id and seen_as not in {None, Machine.TERMINATED}
    launches_made = [a for a in found.actions if isinstance(a, Launch)]
    if alive:
        assert launches_made == []
        assert after.attempt == 1
        assert after.instance_id == ID
    for launch in launches_made:
        assert after.intent == launch.intent
        assert launch.intent.client_token == after.token == token_of(after.attempt)
    if not wanted:
        assert launches_made == []
    assert after.attempt in {1, 2}
    assert after.why
    assert (found.record.cluster_id, SITE.install) == (CLUSTER, INSTALL)
