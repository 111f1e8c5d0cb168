"""Leases and fences on every engine: one holder at a time, whoever crashes or comes late."""

import pytest

from kite.errors import LeaseLost
from registry_svc.claims import Commit
from tests.store.world import at_once


def test_two_workers_never_hold_the_same_cluster(world):
    for number in range(12):
        world.create(f"name-{number}")
    held = at_once(4, lambda n: world.claims.claim(f"w{n}", most=5, seconds=30))
    ids = [record.cluster.cluster_id for claimed in held for record in claimed]
    assert len(ids) == len(set(ids))
    rest = world.claims.claim("last", most=50, seconds=30)
    assert len(ids) + len(rest) == 12


def test_a_lease_that_ran_out_goes_to_another_with_a_greater_fence(world):
    world.create()
    [first] = world.claims.claim("a", most=1, seconds=30)
    assert world.claims.claim("b", most=1, seconds=30) == []
    world.clock.forward(seconds=30)
    [second] = world.claims.claim("b", most=1, seconds=30)
    assert second.lease.fence > first.lease.fence
    cluster_id = first.cluster.cluster_id
    with pytest.raises(LeaseLost):
        world.claims.commit(Commit("a", cluster_id, first.lease.fence))
    assert world.claims.renew("a", [(cluster_id, first.lease.fence)], seconds=30) == []
    held = [(cluster_id, second.lease.fence)]
    assert world.claims.renew("b", held, seconds=30) == held


def test_a_holder_that_died_is_followed_at_once_by_its_namesake(world):
    """And by nobody else; what the dead one still has under way is refused."""
    for number in range(3):
        world.create(f"name-{number}")
    dead = world.claims.claim("here", most=2, seconds=30)
    [other] = world.claims.claim("there", most=5, seconds=30)
    again = world.claims.claim("here", most=5, seconds=30, known=())
    fences = {one.cluster.cluster_id: one.lease.fence for one in dead}
    assert {one.cluster.cluster_id for one in again} == fences.keys()
    for one in again:
        cluster_id, fence = one.cluster.cluster_id, fences[one.cluster.cluster_id]
        assert one.lease.fence > fence
        with pytest.raises(LeaseLost):
            world.claims.commit(Commit("here", cluster_id, fence))
        assert world.claims.renew("here", [(cluster_id, fence)], seconds=30) == []
        world.claims.commit(Commit("here", cluster_id, one.lease.fence))
    world.claims.commit(Commit("there", other.cluster.cluster_id, other.lease.fence))


def test_a_holder_that_does_not_tell_what_it_knows_waits(world):
    world.create()
    world.claims.claim("here", most=1, seconds=30)
    assert world.claims.claim("here", most=1, seconds=30) == []


def test_what_one_name_knows_is_nothing_to_other_names(world):
    world.create()
    [held] = world.claims.claim("here", most=1, seconds=30)
    assert world.claims.claim("there", most=1, seconds=30, known=()) == []
    assert world.claims.commit(Commit("here", held.cluster.cluster_id, held.lease.fence))


def fences(claimed):
    return {record.cluster.cluster_id: record.lease.fence for record in claimed}


def test_a_claim_whose_answer_was_lost_is_claimed_again_at_once(world):
    """What the holder knows of stays as it is, and what it has under way is taken."""
    for number in range(3):
        world.create(f"name-{number}")
    heard = fences(world.claims.claim("here", most=2, seconds=30, number=1))
    lost = fences(world.claims.claim("here", most=2, seconds=30, number=2, known=heard.items()))
    again = fences(world.claims.claim("here", most=2, seconds=30, number=3, known=heard.items()))
    assert again.keys() == lost.keys()
    assert all(again[one] > lost[one] for one in lost)
    for cluster_id, fence in (heard | again).items():
        world.claims.commit(Commit("here", cluster_id, fence))


def test_a_lease_known_under_an_older_fence_is_not_known(world):
    """It ran out, and the answer to the claim that took it again was lost."""
    world.create()
    known = fences(world.claims.claim("here", most=1, seconds=30, number=1))
    world.clock.forward(seconds=30)
    assert world.claims.claim("here", most=1, seconds=30, number=2)
    assert world.claims.claim("here", most=1, seconds=30, number=3, known=known.items())


def test_a_claim_that_comes_late_ends_nothing_that_a_newer_one_took(world):
    """Two of one holder on their way: the one that its sender gave up comes second."""
    world.create()
    newer = fences(world.claims.claim("here", most=1, seconds=30, number=2, known=()))
    assert world.claims.claim("here", most=1, seconds=30, number=1, known=()) == []
    assert world.claims.renew("here", list(newer.items()), seconds=30)


def test_a_renewed_lease_outlives_its_first_end(world):
    world.create()
    [claimed] = world.claims.claim("a", most=1, seconds=30)
    world.clock.forward(seconds=20)
    world.claims.renew("a", [(claimed.cluster.cluster_id, claimed.lease.fence)], seconds=30)
    world.clock.forward(seconds=20)
    assert world.claims.claim("b", most=1, seconds=30) == []
    world.clock.forward(seconds=10)
    assert len(world.claims.claim("b", most=1, seconds=30)) == 1


def test_a_late_holder_that_nobody_overtook_may_commit(world):
    world.create()
    [claimed] = world.claims.claim("a", most=1, seconds=30)
    world.clock.forward(seconds=300)
    assert world.claims.commit(Commit("a", claimed.cluster.cluster_id, claimed.lease.fence))


def test_a_released_cluster_is_due_when_its_holder_said(world):
    world.create()
    [claimed] = world.claims.claim("a", most=1, seconds=30)
    done = Commit(
        "a", claimed.cluster.cluster_id, claimed.lease.fence, due_in_ms=5000, release=True
    )
    world.claims.commit(done)
    with pytest.raises(LeaseLost):
        world.claims.commit(done)
    assert world.claims.claim("b", most=1, seconds=30) == []
    world.clock.forward(seconds=5)
    assert len(world.claims.claim("b", most=1, seconds=30)) == 1


def test_a_wish_behind_the_holders_back_is_due_at_once(world):
    world.create()
    [claimed] = world.claims.claim("a", most=1, seconds=30)
    world.delete()
    cluster_id, fence = claimed.cluster.cluster_id, claimed.lease.fence
    world.claims.commit(Commit("a", cluster_id, fence, due_in_ms=600_000, release=True))
    assert len(world.claims.claim("b", most=1, seconds=30)) == 1


def test_a_wish_that_the_holder_saw_waits_as_it_said(world):
    world.create()
    [claimed] = world.claims.claim("a", most=1, seconds=30)
    world.delete()
    cluster_id, fence = claimed.cluster.cluster_id, claimed.lease.fence
    assert not world.claims.commit(Commit("a", cluster_id, fence)).cluster.spec.wanted
    world.claims.commit(Commit("a", cluster_id, fence, due_in_ms=600_000, release=True))
    assert world.claims.claim("b", most=1, seconds=30) == []


def test_one_of_many_gets_a_duty(world):
    granted = at_once(8, lambda n: world.claims.duty("sweep", f"w{n}", seconds=30))
    assert sorted(g for g, _ in granted) == [False] * 7 + [True]
    winner = next(n for n, (g, _) in enumerate(granted) if g)
    assert world.claims.duty("sweep", f"w{winner}", seconds=30) == (True, 1)
    world.clock.forward(seconds=31)
    assert world.claims.duty("sweep", "other", seconds=30) == (True, 2)
    assert world.claims.duty("sweep", f"w{winner}", seconds=30) == (False, 2)
