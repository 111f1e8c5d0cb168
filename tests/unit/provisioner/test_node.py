"""The table of lives: complete, and safe in every cell."""

import pytest

from provisioner.limits import DEFAULT_WAITS_MS, Wait
from provisioner.node import OVERDUE, TABLE, Do, Life, Saw, spared, step

EVERY = [(life, saw) for life in Life for saw in Saw]
ALIVE = [
    *(Saw.PENDING, Saw.BOOTING, Saw.REACHABLE, Saw.INSTALLING, Saw.STUMBLED, Saw.BROKEN),
    *(Saw.INSTALLED, Saw.UNSECURED, Saw.ANSWERS, Saw.STOPPED),
]
GROWING = (Life.STARTING, Life.LOADING)


def test_every_pair_is_present():
    assert {(life, saw) for life, row in TABLE.items() for saw in row} == set(EVERY)


def test_every_wait_has_a_deadline():
    assert set(DEFAULT_WAITS_MS) == set(Wait)


@pytest.mark.parametrize(("life", "saw"), EVERY)
@pytest.mark.parametrize("late", [False, True])
def test_every_step_says_why(life, saw, late):
    assert step(life, saw, late=late).why


@pytest.mark.parametrize("saw", Saw)
@pytest.mark.parametrize("late", [False, True])
def test_a_machine_that_ran_is_never_ended_by_us(saw, late):
    found = step(Life.RUNNING, saw, late=late)
    assert found.do is not Do.TERMINATE
    if saw not in {Saw.ENDING, Saw.ENDED, Saw.NOTHING, Saw.REFUSED, Saw.ASKED, Saw.USED}:
        assert found.to is Life.RUNNING


@pytest.mark.parametrize("saw", ALIVE)
@pytest.mark.parametrize("life", [Life.FAILED, Life.REPLACING, Life.LEAVING])
@pytest.mark.parametrize("late", [False, True])
def test_what_must_go_is_ended_while_it_lives(life, saw, late):
    assert step(life, saw, late=late).do is Do.TERMINATE


@pytest.mark.parametrize(("life", "saw"), EVERY)
def test_a_next_machine_follows_only_when_the_last_is_gone(life, saw):
    if step(life, saw).do is Do.RENEW:
        assert saw in {Saw.NOTHING, Saw.REFUSED, Saw.ENDED}


@pytest.mark.parametrize(("life", "saw"), EVERY)
def test_launching_happens_only_without_a_machine(life, saw):
    for late in (False, True):
        if step(life, saw, late=late).do in {Do.RESERVE, Do.LAUNCH}:
            assert life in GROWING
            assert saw in {Saw.NOTHING, Saw.REFUSED, Saw.ASKED, Saw.USED}


@pytest.mark.parametrize("life", GROWING)
def test_a_launch_of_unknown_outcome_is_repeated_however_late(life):
    assert step(life, Saw.ASKED, late=True).do is Do.LAUNCH


@pytest.mark.parametrize("life", GROWING)
@pytest.mark.parametrize("saw", Saw)
@pytest.mark.parametrize("late", [False, True])
def test_what_may_hold_data_is_ended_by_nobody_but_itself(life, saw, late):
    found = spared(life, saw, step(life, saw, late=late))
    assert found.do not in {Do.TERMINATE, Do.RENEW}
    assert found.to is not Life.REPLACING
    assert (found.to is Life.FAILED) is (
        saw in {Saw.ENDING, Saw.ENDED} or (late and saw is Saw.REFUSED)
    )
    assert found.why


@pytest.mark.parametrize("life", sorted(set(Life) - set(GROWING)))
@pytest.mark.parametrize("saw", Saw)
def test_what_runs_or_is_to_go_is_not_spared(life, saw):
    assert spared(life, saw, step(life, saw)) is step(life, saw)


@pytest.mark.parametrize(("saw", "reason"), [
    (Saw.BOOTING, "SSH_UNREACHABLE"),
    (Saw.STOPPED, "PENDING_TOO_LONG"),
    (Saw.INSTALLED, "MILVUS_NOT_HEALTHY"),
    (Saw.BROKEN, "INSTALL_FAILED"),
    (Saw.UNSEEN, "INSTANCE_UNSEEN"),
    (Saw.ENDED, "INSTANCE_LOST"),
])  # fmt: skip
def test_why_it_does_not_get_on_is_told(saw, reason):
    assert spared(Life.LOADING, saw, step(Life.LOADING, saw, late=True)).reason == reason


@pytest.mark.parametrize("life", GROWING)
@pytest.mark.parametrize("late", [False, True])
def test_no_other_machine_follows_one_that_only_ec2_knows_of(life, late):
    found = step(life, Saw.USED, late=late)
    assert (found.to, found.do) == (Life.STARTING, Do.LAUNCH if late else Do.NOTHING)


@pytest.mark.parametrize("life", GROWING)
@pytest.mark.parametrize(("saw", "to", "reason"), [
    (Saw.REFUSED, Life.FAILED, "INSUFFICIENT_CAPACITY"),
    (Saw.PENDING, Life.REPLACING, "PENDING_TOO_LONG"),
    (Saw.STOPPED, Life.REPLACING, "PENDING_TOO_LONG"),
    (Saw.BOOTING, Life.REPLACING, "SSH_UNREACHABLE"),
    (Saw.REACHABLE, Life.FAILED, "INSTALL_TOO_LONG"),
    (Saw.INSTALLING, Life.FAILED, "INSTALL_TOO_LONG"),
    (Saw.STUMBLED, Life.FAILED, "INSTALL_TOO_LONG"),
    (Saw.INSTALLED, Life.FAILED, "MILVUS_NOT_HEALTHY"),
    (Saw.UNSECURED, Life.FAILED, "MILVUS_NOT_HEALTHY"),
])  # fmt: skip
def test_a_passed_deadline_is_told_by_its_reason(life, saw, to, reason):
    found = step(life, saw, late=True)
    assert (found.to, found.reason) == (to, reason)


@pytest.mark.parametrize("life", GROWING)
def test_whatever_is_waited_for_while_growing_has_a_deadline(life):
    """All but what is over: an end, a failure, an answer."""
    over = {Saw.BROKEN, Saw.ANSWERS, Saw.ENDED}
    assert {saw for saw, found in TABLE[life].items() if not found.wait} == over


def test_every_growing_wait_ends_somewhere_or_begins_anew():
    for life in GROWING:
        waits = {saw for saw, found in TABLE[life].items() if found.wait}
        assert waits - set(OVERDUE) == {Saw.UNSEEN, Saw.ENDING}
    assert {saw for saw, found in OVERDUE.items() if found.anew} == {
        Saw.NOTHING,
        Saw.ASKED,
        Saw.USED,
    }


@pytest.mark.parametrize("life", [*GROWING, Life.FAILED, Life.REPLACING, Life.LEAVING])
def test_unseen_for_too_long_is_as_good_as_ended_where_no_data_is_lost(life):
    assert step(life, Saw.UNSEEN, late=True) == step(life, Saw.ENDED)


@pytest.mark.parametrize("late", [False, True])
def test_what_ran_and_is_not_shown_is_looked_for_without_end(late):
    found = step(Life.RUNNING, Saw.UNSEEN, late=late)
    assert (found.to, found.do, found.wait) == (Life.RUNNING, Do.NOTHING, None)
    assert "ended" not in found.why


def test_a_machine_that_does_not_end_is_asked_again():
    assert step(Life.LEAVING, Saw.ENDING, late=True).do is Do.TERMINATE


def test_gone_stays_gone():
    assert all(step(Life.GONE, saw).to is Life.GONE for saw in Saw)
