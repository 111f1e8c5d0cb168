"""Clocks that differ by minutes, jump back, or slept: leases and due times do not follow them."""

import pytest

from kite.errors import LeaseLost
from provisioner.registry_time import NOISE_MS, RegistryTime
from registry_svc import leases, tidying
from registry_svc.claims import Commit
from registry_svc.embedded import Embedded
from registry_svc.mongodb import Mongo
from registry_svc.store import Store
from registry_svc.timekeeping import StoreTime
from tests.faults.conftest import uri_by
from tests.store.world import NOON, HandClock, World

MINUTES = 600_000


class TwoHands(HandClock):
    """A wall clock that may be set, beside a monotonic one that only runs."""

    def __init__(self, now_ms=NOON):
        super().__init__(now_ms)
        self.run = 0

    def monotonic(self):
        return self.run / 1000

    def runs(self, ms):
        self.now += ms
        self.run += ms


@pytest.fixture
def embedded(tmp_path):
    engine = Embedded(tmp_path)
    yield engine
    engine.close()


@pytest.mark.wire
@pytest.mark.parametrize("skew", [-MINUTES, MINUTES])
def test_registries_whose_clocks_differ_agree_on_every_lease(relay, database, skew):
    """The database's clock is the one that counts, whatever the machines think."""
    engines = [Mongo(uri_by(relay), database, prove=False) for _ in range(2)]
    worlds = [
        World(engine, clock=StoreTime(Store(engine), HandClock(NOON + wrong)))
        for engine, wrong in zip(engines, (0, skew), strict=True)
    ]
    record = worlds[0].create()
    [first] = worlds[0].claims.claim("a", most=1, seconds=30)
    assert worlds[1].claims.claim("b", most=1, seconds=30) == []
    held = [(record.cluster.cluster_id, first.lease.fence)]
    assert worlds[1].claims.renew("a", held, seconds=30) == held
    worlds[1].claims.commit(Commit("a", *held[0]))
    for engine in engines:
        engine.close()


def test_time_does_not_run_back(embedded):
    own = TwoHands()
    time = StoreTime(World(embedded).store, own)
    own.runs(1000)
    assert time.now_ms() == NOON + 1000
    own.now -= MINUTES
    assert time.now_ms() == NOON + 1000
    own.runs(500)
    assert time.now_ms() == NOON + 1500


def test_time_follows_a_machine_that_slept(embedded):
    own = TwoHands()
    time = StoreTime(World(embedded).store, own)
    own.now += MINUTES  # and the monotonic clock stood still
    assert time.now_ms() == NOON + MINUTES


def test_a_clock_that_jumps_back_while_the_registry_runs_holds_nothing_up(embedded):
    own = TwoHands()
    world = World(embedded, clock=StoreTime(World(embedded).store, own))
    world.create()
    assert world.claims.claim("a", most=1, seconds=30)
    own.now -= 6 * MINUTES
    own.runs(30_000)
    assert len(world.claims.claim("b", most=1, seconds=30)) == 1


def test_a_clock_set_back_between_two_starts_holds_nothing_up_for_long(embedded):
    """A dead holder's lease and a far due time of the days before are worth nothing."""
    clock = HandClock()
    world = World(embedded, clock=clock)
    world.create()
    [claimed] = world.claims.claim("a", most=1, seconds=30)
    cluster_id = claimed.cluster.cluster_id
    clock.forward(seconds=-3600)
    assert world.claims.claim("b", most=1, seconds=30) == []
    tidying.tidy(world.store, clock.now_ms())  # as the registry does every minute
    [again] = world.claims.claim("b", most=1, seconds=30)
    assert again.lease.fence > claimed.lease.fence
    with pytest.raises(LeaseLost):
        world.claims.commit(Commit("a", cluster_id, claimed.lease.fence))


def test_a_loop_with_a_clock_of_its_own_cannot_ask_for_a_look_that_never_comes(embedded):
    world = World(embedded)
    world.create()
    [claimed] = world.claims.claim("a", most=1, seconds=30)
    wish = Commit("a", claimed.cluster.cluster_id, claimed.lease.fence, due_in_ms=1000 * MINUTES)
    stored = world.claims.commit(wish)
    assert stored.due_at_ms == world.clock.now_ms() + leases.LONGEST_MS


def test_due_times_are_told_as_a_span(embedded):
    world = World(embedded)
    world.create()
    [claimed] = world.claims.claim("a", most=1, seconds=30)
    wish = Commit("a", claimed.cluster.cluster_id, claimed.lease.fence, due_in_ms=5000)
    assert world.claims.commit(wish).due_at_ms == world.clock.now_ms() + 5000


@pytest.mark.parametrize("skew", [-MINUTES, MINUTES, -3, 0])
def test_a_provisioner_follows_the_registrys_clock(skew):
    own = TwoHands(NOON + skew)
    time = RegistryTime(own)
    assert time.now_ms() == NOON + skew
    asked = time.monotonic()
    own.runs(100)
    time.follow(NOON + 50, asked=asked)
    expected = NOON + 100 + (skew if abs(skew) < NOISE_MS else 0)
    assert time.now_ms() == expected
    own.now += 7 * MINUTES  # set by hand: of no consequence
    assert time.now_ms() == expected


def test_a_registry_that_does_not_tell_its_time_is_not_followed():
    time = RegistryTime(TwoHands())
    time.follow(0, asked=0.0)
    assert time.now_ms() == NOON


def test_a_repeated_commit_is_taken_once(embedded):
    world = World(embedded)
    world.create()
    [claimed] = world.claims.claim("a", most=1, seconds=30)
    done = Commit(
        "a", claimed.cluster.cluster_id, claimed.lease.fence, release=True, commit_id="x1"
    )
    first = world.claims.commit(done)
    assert world.claims.commit(done) == first
    with pytest.raises(LeaseLost):
        world.claims.commit(Commit("a", done.cluster_id, done.fence, commit_id="x2"))
