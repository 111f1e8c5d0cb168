"""One turn, looked at closely: when it must not act, and what it leaves written then."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

import pytest

from kite.errors import CloudRefused, CloudThrottled, DeadlinePassed, LeaseLost, NoCapacity
from provisioner import guard
from provisioner.cluster import decide
from provisioner.facts import Done, Facts, Grouped, InstanceFact, Launched, Machine
from provisioner.limits import Limits
from provisioner.plan import Allocate, EnsureGroups, Launch, Terminate
from provisioner.record import Address, Record, Spec
from provisioner.registry import Claim, Write
from provisioner.status import CLOUD_ANSWERS
from provisioner.turn import Turn
from tests.sim.virtual import VirtualClock
from tests.store.world import HandClock
from tests.unit.provisioner.shapes import GROUPS, NOW, SITE, facts, intent, node, record


@dataclass
class World:
    """Sees what it is told and writes down what it is asked to do."""

    facts: Facts
    silent: bool = False
    acted: list = field(default_factory=list)

    async def site(self):
        return SITE

    async def see(self, record, asked):
        if self.silent:
            raise DeadlinePassed("no reply", reason="CLOUD_AWAY")
        return self.facts

    async def act(self, record, action):
        self.acted.append(action)
        if isinstance(action, Launch):
            return Launched(InstanceFact("i-9", Machine.PENDING))
        return Done()

    def forget(self, cluster_id):
        return None


@dataclass
class Registry:
    """Keeps every commit; `deleted` is what the user did meanwhile, `lost` when the lease ended."""

    deleted: bool = False
    lost_at: int = 99
    stored: Record | None = None
    writes: list[Write] = field(default_factory=list)

    async def commit(self, claim: Claim, write: Write) -> Claim:
        if len(self.writes) >= self.lost_at:
            raise LeaseLost("over")
        self.writes.append(write)
        spec = Spec(wanted=False) if self.deleted else write.record.spec
        return replace(claim, record=replace(write.record, spec=spec), operation=write.operation)

    async def get(self, cluster_id):
        return self.stored

    async def others(self, cluster_id):
        return True


def turn(world, registry, *, until=1e9, clock=None):
    acting = asyncio.Semaphore(1)
    clock = clock or VirtualClock()
    return Turn(world, registry, clock, Limits(), lambda _: until, lambda: acting)


def claim(cluster):
    return Claim(cluster, None, 1, 1e9)


async def test_names_are_written_before_they_are_used():
    world, registry = World(facts()), Registry()
    await turn(world, registry).take(claim(record(node())))
    (launch,) = world.acted
    reserved, after = registry.writes
    assert reserved.record.nodes[0].intent == launch.intent
    assert after.record.nodes[0].instance_id == "i-9"


async def test_a_user_who_deletes_in_between_stops_the_launch_and_leaves_no_trace():
    world, registry = World(facts()), Registry(deleted=True)
    turned = await turn(world, registry).take(claim(record(node())))
    assert world.acted == []
    assert turned.claim.record.nodes[0].intent is None
    assert not turned.claim.record.spec.wanted


async def test_an_address_never_asked_for_is_not_waited_for():
    bare = record(node(), groups=(), address=Address(), address_intended=False)
    world, registry = World(facts()), Registry(deleted=True)
    turned = await turn(world, registry).take(claim(bare))
    assert world.acted == []
    assert turned.claim.record.condition("AddressAsked") is None


async def test_a_lease_about_to_end_stops_the_hands():
    world, registry = World(facts()), Registry()
    now = asyncio.get_running_loop().time()
    with pytest.raises(LeaseLost):
        await turn(world, registry, until=now + 9).take(claim(record(node())))
    assert world.acted == []


@pytest.mark.parametrize("alone", [True, False])
async def test_a_lease_that_ends_on_the_way_to_ec2_stops_what_was_not_sent(alone):
    """Held back by request limits until the margin is gone, as `Ec2.call` finds out at last."""
    left = [100.0]

    class Slow(World):
        async def act(self, record, action):
            if isinstance(action, EnsureGroups) and not alone:
                self.acted.append(action)
                return Grouped(GROUPS)
            left[0] = 5.0
            try:
                guard.current()()
            except LeaseLost as lost:
                return lost
            return await super().act(record, action)

    bare = record(node(), groups=(), address=Address(), address_intended=False)
    cluster = record(node()) if alone else bare
    world, registry = Slow(facts()), Registry()
    one = replace(
        turn(world, registry), until=lambda _: asyncio.get_running_loop().time() + left[0]
    )
    if alone:
        with pytest.raises(LeaseLost):
            await one.take(claim(cluster))
        assert (world.acted, len(registry.writes)) == ([], 1)
    else:
        turned = await one.take(claim(cluster))
        assert [type(action) for action in world.acted] == [EnsureGroups]
        assert turned.claim.record.groups == GROUPS
        told = turned.claim.record.condition(CLOUD_ANSWERS)
        assert told is None or told.ok
    assert guard.current()() is None


async def test_a_lost_lease_stops_the_hands():
    world, registry = World(facts()), Registry(lost_at=0)
    with pytest.raises(LeaseLost):
        await turn(world, registry).take(claim(record(node())))
    assert world.acted == []


@pytest.mark.parametrize("stored", [None, record(node(attempt=2))])
async def test_a_machine_launched_too_late_is_ended_at_once(stored):
    world, registry = World(facts()), Registry(lost_at=1, stored=stored)
    with pytest.raises(LeaseLost):
        await turn(world, registry).take(claim(record(node())))
    assert world.acted[-1] == Terminate(("i-9",))


async def test_a_machine_the_next_holder_waits_for_is_left_to_it():
    world, registry = World(facts()), Registry(lost_at=1, stored=record(node()))
    with pytest.raises(LeaseLost):
        await turn(world, registry).take(claim(record(node())))
    assert [type(action) for action in world.acted] == [Launch]


@pytest.mark.parametrize(("pause", "lost"), [(400, False), (0, True)])
async def test_what_was_not_shown_before_a_pause_is_not_judged_by_the_time_after_it(pause, lost):
    clock = HandClock(NOW + (0 if pause else 400) * 1000)

    class Frozen(World):
        async def see(self, record, asked):
            clock.forward(seconds=pause)
            return self.facts

    launched = record(node(instance_id="i-1", intent=intent()))
    unseen, registry = decide(launched, facts(), Limits(), NOW).record, Registry()
    one = turn(Frozen(facts()), registry, clock=clock)
    one.looks[unseen.cluster_id] = clock.now_ms()
    await one.take(claim(unseen))
    assert any(w.record.nodes[0].instance_id != "i-1" for w in registry.writes) is lost


@pytest.mark.parametrize(("ago", "lost"), [(1, True), (400, False), (None, False)])
async def test_a_wait_that_ended_while_nobody_looked_goes_on_for_a_while(ago, lost):
    clock = HandClock(NOW + 400_000)
    launched = record(node(instance_id="i-1", intent=intent()))
    unseen, registry = decide(launched, facts(), Limits(), NOW).record, Registry()
    one = turn(World(facts()), registry, clock=clock)
    if ago is not None:
        one.looks[unseen.cluster_id] = clock.now_ms() - ago * 1000
    await one.take(claim(unseen))
    assert any(w.record.nodes[0].instance_id != "i-1" for w in registry.writes) is lost


@pytest.mark.parametrize(
    ("refusal", "troubled"),
    [(NoCapacity("none"), False), (CloudThrottled("slowly"), True), (CloudRefused("no"), True)],
)
async def test_the_next_offer_is_asked_for_at_once(refusal, troubled):
    class Refusing(World):
        async def act(self, record, action):
            return refusal

    turned = await turn(Refusing(facts()), Registry()).take(claim(record(node())))
    assert (turned.again_ms, turned.troubled) == (0, troubled)


async def test_an_address_that_is_not_to_be_had_is_asked_for_with_pauses():
    class Refusing(World):
        async def act(self, record, action):
            return NoCapacity("none") if isinstance(action, Allocate) else Done()

    bare = record(node(), address=Address(), address_intended=False)
    turned = await turn(Refusing(facts()), Registry()).take(claim(bare))
    assert turned.troubled


async def test_independent_things_are_asked_for_in_one_turn():
    bare = record(node(), groups=(), address=Address(), address_intended=False)
    world, registry = World(facts()), Registry()
    await turn(world, registry).take(claim(bare))
    assert [type(action) for action in world.acted] == [Allocate, EnsureGroups]
    assert registry.writes[0].record.address_intended


async def test_what_cannot_be_seen_changes_nothing_but_is_told():
    world, registry = World(facts(), silent=True), Registry()
    before = record(node())
    turned = await turn(world, registry).take(claim(before))
    assert turned.troubled
    assert turned.claim.record.nodes == before.nodes
    assert turned.claim.record.condition(CLOUD_ANSWERS).reason == "CLOUD_AWAY"
    assert world.acted == []
    assert NOW
