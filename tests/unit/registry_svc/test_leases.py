"""Leases: one holder at a time, fences that only grow."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kite.errors import InvalidRequest, LeaseLost
from registry_svc import leases
from registry_svc.leases import Lease

NOON = 1_800_000_000_000
HELD = Lease("a", 3, NOON + 1000, 7)


@pytest.mark.parametrize(("wished", "length"), [(0, 30), (1, 1), (30, 30), (600, 600)])
def test_lengths(wished, length):
    assert leases.seconds(wished) == length


@pytest.mark.parametrize("wished", [-1, 601, 2**31 - 1])
def test_lengths_that_are_refused(wished):
    with pytest.raises(InvalidRequest, match=str(wished)) as caught:
        leases.seconds(wished)
    assert caught.value.reason == "INVALID_LEASE"


@pytest.mark.parametrize("name", ["a", "x" * 200])
def test_holders(name):
    assert leases.holder_name(name) == name


@pytest.mark.parametrize("name", ["", "x" * 201])
def test_holders_that_are_refused(name):
    with pytest.raises(InvalidRequest) as caught:
        leases.holder_name(name)
    assert caught.value.reason == "INVALID_HOLDER"


@pytest.mark.parametrize(
    ("lease", "due_at", "expected"),
    [
        (Lease(), NOON, True),
        (Lease(), NOON - 1, True),
        (Lease(), NOON + 1, False),
        (HELD, NOON, False),
        (Lease("a", 3, NOON), NOON, True),
        (Lease("a", 3, NOON + 1), NOON, False),
        (Lease("", 3, NOON + 1000), NOON, True),
    ],
)
def test_due(lease, due_at, expected):
    assert leases.due(lease, due_at_ms=due_at, now_ms=NOON) is expected


def test_a_claim_takes_the_next_fence():
    taken = leases.taken(HELD, "b", now_ms=NOON, seconds=30, generation=9)
    assert taken == Lease("b", 4, NOON + 30_000, 9)


def test_renewing_never_shortens():
    assert leases.renewed(HELD, now_ms=NOON, seconds=30).until_ms == NOON + 30_000
    assert leases.renewed(HELD, now_ms=NOON - 60_000, seconds=30) == HELD


def test_releasing_keeps_the_fence():
    released = leases.released(HELD)
    assert (released.holder, released.fence) == ("", 3)
    assert leases.free(released, NOON)
    assert not leases.held(released, holder="", fence=3)


@pytest.mark.parametrize(
    ("holder", "fence"), [("a", 2), ("a", 4), ("b", 3), ("", 3), ("b", 2), ("", 0)]
)
def test_a_write_that_is_not_the_holders_is_refused(holder, fence):
    with pytest.raises(LeaseLost, match="now 3 of a") as caught:
        leases.check(HELD, holder=holder, fence=fence)
    assert caught.value.context == {"fence": str(fence), "fence-now": "3"}


def test_nobody_is_named():
    with pytest.raises(LeaseLost, match="now 3 of nobody"):
        leases.check(leases.released(HELD), holder="a", fence=3)


def test_the_holder_may_write():
    leases.check(HELD, holder="a", fence=3)


@pytest.mark.parametrize(
    ("wished", "generation", "expected"),
    [(NOON + 5, 7, NOON + 5), (0, 7, NOON), (NOON + 5, 8, NOON), (0, 8, NOON)],
)
def test_next_due(wished, generation, expected):
    due = leases.next_due(HELD, wished_ms=wished, now_ms=NOON, generation=generation)
    assert due == expected


steps = st.lists(
    st.one_of(
        st.tuples(st.just("claim"), st.sampled_from("abc"), st.integers(1, 600)),
        st.tuples(st.just("renew"), st.sampled_from("abc"), st.integers(1, 600)),
        st.tuples(st.just("release"), st.sampled_from("abc"), st.just(0)),
        st.tuples(st.just("wait"), st.just(""), st.integers(0, 700)),
    ),
    max_size=40,
)


@given(steps)
def test_at_most_one_holder_and_fences_only_grow(story):
    lease, now = Lease(), NOON
    fences = {}  # each worker's belief
    granted = []
    for what, who, seconds in story:
        mine = leases.held(lease, holder=who, fence=fences.get(who, 0))
        if what == "wait":
            now += seconds * 1000
        elif what == "claim" and leases.due(lease, due_at_ms=now, now_ms=now):
            lease = leases.taken(lease, who, now_ms=now, seconds=seconds)
            fences[who] = lease.fence
            granted.append(lease.fence)
        elif what == "renew" and mine:
            lease = leases.renewed(lease, now_ms=now, seconds=seconds)
        elif what == "release" and mine:
            lease = leases.released(lease)
        holders = [w for w, f in fences.items() if leases.held(lease, holder=w, fence=f)]
        assert len(holders) <= 1
    assert granted == sorted(set(granted))


@pytest.mark.parametrize(
    ("holder", "known", "claim", "expected"),
    [
        ("a", False, 6, True),
        ("a", False, 0, True),  # not numbered: the newest, as far as anybody knows
        ("a", False, 5, False),
        ("a", False, 4, False),
        ("a", True, 6, False),
        ("b", False, 6, False),
    ],
)
def test_which_leases_their_holder_never_heard_of(holder, known, claim, expected):
    lease = leases.taken(Lease(), "a", now_ms=NOON, seconds=30, claim=5)
    assert leases.unheard(lease, holder, known=known, claim=claim) is expected


def test_a_lease_keeps_the_number_of_its_claim():
    lease = leases.taken(Lease(), "a", now_ms=NOON, seconds=30, claim=5)
    assert leases.renewed(lease, now_ms=NOON, seconds=60).claim == 5


def test_a_lease_longer_than_any_lease_is_free():
    """The clock has jumped back since it was given; else its cluster would wait for hours."""
    lease = Lease("a", 3, NOON)
    for back_ms, expected in (
        (1, False),
        (leases.LONGEST_MS, False),
        (leases.LONGEST_MS + 1, True),
    ):
        assert leases.free(lease, NOON - back_ms) is expected


def test_renewing_after_the_clock_jumped_back_gives_a_lease_that_can_be():
    lease = Lease("a", 3, NOON)
    an_hour_back = NOON - 3_600_000
    renewed = leases.renewed(lease, now_ms=an_hour_back, seconds=30)
    assert renewed == Lease("a", 3, an_hour_back + 30_000)
    assert not leases.free(renewed, an_hour_back)


@pytest.mark.parametrize(("wished", "due"), [
    (0, NOON), (NOON + 5, NOON + 5), (NOON - 5, NOON - 5),
    (NOON + 10 * 3_600_000, NOON + leases.LONGEST_MS),
])  # fmt: skip
def test_nobody_may_ask_for_a_look_that_never_comes(wished, due):
    assert leases.next_due(HELD, wished_ms=wished, now_ms=NOON, generation=7) == due
