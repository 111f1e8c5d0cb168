"""Every safeguard with its switch. The product knows no such switch: the world around it lies, or a
pure function is wrapped.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from kite.sweep import Kind, Mode, Policy
from provisioner import cluster, launch_refusals, launching, nodes, questions, removal, sight, turn
from provisioner.limits import Wait
from provisioner.node import TABLE, Do, Life, Saw, Step
from provisioner.sweep import facts as sweep_facts
from provisioner.world import Ec2World
from registry_svc import leases
from tests.sim import process
from tests.sim.chance import Odds
from tests.sim.cloud import Cloud
from tests.sim.day import Plan, live
from tests.sim.hosts import NEVER
from tests.sim.many import chunks, pool
from tests.sim.process import Door
from tests.sim.records import Records

Patch = pytest.MonkeyPatch


def no_intent_first(patch: Patch) -> None:
    real = turn.Turn._save

    async def save(self: Any, before: Any, planned: Any, record: Any) -> Any:
        if any(n.intent and not n.instance_id for n in record.nodes):
            return replace(planned, record=record)
        return await real(self, before, planned, record)

    patch.setattr(turn.Turn, "_save", save)


def no_stable_token(patch: Patch) -> None:
    """Every call has a token of its own, as clients make them up."""
    real, numbers = Door.call, itertools.count()

    async def call(self: Any, action: str, asked: Any, *, once: bool = False) -> Any:
        if action == "RunInstances":
            asked = {**asked, "ClientToken": f"{asked['ClientToken']}-{next(numbers)}"}
        return await real(self, action, asked, once=once)

    patch.setattr(Door, "call", call)


def no_attempt_in_token(patch: Patch) -> None:
    real = nodes.token

    def first(install: str, cluster_id: str, slot: int, attempt: int) -> str:
        return str(real(install, cluster_id, slot, 1))

    for module in (nodes, questions, sweep_facts):
        patch.setattr(module, "token", first)


def no_tags_at_launch(patch: Patch) -> None:
    """They are put on by a second call, which may not come or not arrive."""
    born, call = Cloud._host, Door.call

    def bare(self: Any, asked: Any, interface: Any) -> Any:
        host = born(self, asked, interface)
        host.later, host.tags, host.found_at = host.tags, {}, NEVER
        return host

    async def twice(self: Any, action: str, asked: Any, *, once: bool = False) -> Any:
        found = await call(self, action, asked, once=once)
        if action == "RunInstances":
            host = self.cloud.hosts[found["Instances"][0]["InstanceId"]]

            def tag() -> dict[str, Any]:
                host.tags, host.found_at = host.later, self.cloud.now
                return {}

            await self.wire.ask("CreateTags", tag, process.CLOUD)
        return found

    patch.setattr(Cloud, "_host", bare)
    patch.setattr(Door, "call", twice)


def no_unseen_guard(patch: Patch) -> None:
    """What EC2 does not show yet is gone."""
    waits = dict(process.LIMITS.waits_ms) | {Wait.UNSEEN: 1}
    patch.setattr(process, "LIMITS", replace(process.LIMITS, waits_ms=waits))


def no_sweep_age_guard(patch: Patch) -> None:
    """A machine without a cluster is an orphan from its first second."""
    _other_policy(patch, guards_ms={**process.POLICY.guards_ms, Kind.INSTANCE: 0})


def no_second_sighting(patch: Patch) -> None:
    """One look is enough for the sweep."""
    _other_policy(patch, gap_ms=0)


def _other_policy(patch: Patch, **other: Any) -> None:
    """Of the days, and of whoever makes one anew."""
    patch.setattr(process, "POLICY", replace(process.POLICY, **other))
    real = Policy.__init__

    def init(self: Policy, *given: Any, **named: Any) -> None:
        real(self, *given, **named)
        for name, value in other.items():
            object.__setattr__(self, name, value)

    patch.setattr(Policy, "__init__", init)


def no_margin_of_the_lease(patch: Patch) -> None:
    """Hands begin what their lease may not last for."""
    patch.setattr(turn.Turn, "_check_margin", lambda self, record: None)


def no_compare_and_set(patch: Patch) -> None:
    """Whoever writes last has written, whatever was written since its read."""
    patch.setattr(Records, "_overtaken", lambda self, old: False)


def no_fence(patch: Patch) -> None:
    patch.setattr(leases, "check", lambda *_, **__: None)


def no_confirmation_of_the_end(patch: Patch) -> None:
    """Asked for is as good as done."""
    for saw in (Saw.PENDING, Saw.BOOTING, Saw.REACHABLE, Saw.INSTALLING, Saw.INSTALLED):
        patch.setitem(TABLE[Life.LEAVING], saw, Step(Life.GONE, Do.TERMINATE, "asked to end"))
    for saw in (Saw.ANSWERS, Saw.UNSECURED, Saw.STUMBLED, Saw.BROKEN, Saw.STOPPED, Saw.ENDING):
        patch.setitem(TABLE[Life.LEAVING], saw, Step(Life.GONE, Do.TERMINATE, "asked to end"))
    for life in (Life.REPLACING, Life.STARTING, Life.LOADING):
        patch.setitem(TABLE[life], Saw.ENDING, TABLE[life][Saw.ENDED])
    for name in ("_rest", "_clean"):
        real = getattr(removal, name)
        patch.setattr(removal, name, lambda r, left, f=real: f(r, replace(left, instances=())))


def no_sweep(patch: Patch) -> None:
    patch.setattr(process, "MODE", Mode.OFF)


def no_compensation(patch: Patch) -> None:
    async def nothing(self: Any, claim: Any, results: Any) -> None: ...

    patch.setattr(turn.Turn, "_compensate", nothing)


def no_end_of_what_is_replaced(patch: Patch) -> None:
    for saw in (Saw.PENDING, Saw.BOOTING):
        patch.setitem(TABLE[Life.REPLACING], saw, TABLE[Life.REPLACING][Saw.ENDED])


def no_end_of_what_failed(patch: Patch) -> None:
    for saw in Saw:
        patch.setitem(TABLE[Life.FAILED], saw, TABLE[Life.FAILED][Saw.ENDED])


def no_look_for_what_was_lost(patch: Patch) -> None:
    """Neither by token nor, at the end, by tag."""
    real = Ec2World._leftovers

    async def left(self: Any, cluster_id: str) -> Any:
        found = await real(self, cluster_id)
        return replace(found, instances=(), addresses=())

    for life in (Life.LEAVING, Life.REPLACING, Life.FAILED):
        patch.setitem(TABLE[life], Saw.ASKED, TABLE[life][Saw.ENDED])
    patch.setattr(questions, "_lost", lambda *_, **__: False)
    patch.setattr(Ec2World, "_leftovers", left)


def no_agreement_on_the_last(patch: Patch) -> None:
    patch.setattr("provisioner.registry.keeps_base", lambda o, me: o.cluster_id != me)


def no_patience_with_milvus(patch: Patch) -> None:
    """Milvus answers at the first look or never."""
    waits = dict(process.LIMITS.waits_ms) | {Wait.MILVUS: 1}
    patch.setattr(process, "LIMITS", replace(process.LIMITS, waits_ms=waits, second_look_ms=0))


def no_other_offer(patch: Patch) -> None:
    """A launch that met no capacity is asked for again as it was."""
    patch.setattr(launch_refusals, "_nothing_made", lambda *_, **__: "")


def no_second_install(patch: Patch) -> None:
    """An install that stumbled has failed."""
    patch.setattr(sight, "PASSING", frozenset())


def no_second_look(patch: Patch) -> None:
    """What came true while nobody could look came too late."""
    patch.setattr(turn, "lengthened", lambda record, *_: record)


def no_zone_of_its_own(patch: Patch) -> None:
    """Every machine of a cluster goes wherever there is room."""
    patch.setattr(launching, "_places", lambda record, node, every: every)


def no_last_round(patch: Patch) -> None:
    """The wait for capacity ends by the clock alone, whatever was asked meanwhile."""
    patch.setattr(cluster, "untried", lambda *_: False)


FROZEN = Odds(freeze=0.06, dry=0.5, dies_at_boot=0.3, again=0.0)
SICK = Odds(never_boots=0.5, no_ssh=0.5, install_breaks=0.5, throttle=0.3)
LAGGING = Odds(lost=0.3, lag=0.8, freeze=0.02, deleted=0.2)
LOSSES = Odds(lost=0.3, crash=0.05, hide=0.5, deleted=1.0)
LATE = Plan(  # a launch arrives when its attempt is long given up; its process dies of the answer
    Odds(dry=0.6, deleted=0.0),
    processes=2,
    clusters=1,
    workers=0,
    script=(("before RunInstances", "suspend"), ("after RunInstances", "crash")),
    patience=7.5 * 60,  # the guard, two sweeps and their passes
)
PAUSED = replace(LATE, script=LATE.script[:1], patience=60.0)
BLIND = Plan(Odds(freeze=0.06, drain=0.3, deleted=0.0), processes=1, clusters=2, workers=1)
PARCHED = Plan(Odds(dry=0.8, drought=1.0, freeze=0.06, lost=0.3, deleted=0.0), processes=1)
ZONES = Plan(Odds(dry=0.7, deleted=0.0), processes=1, workers=3)
RACING = Plan(Odds(race=1.0, throttle=0.1, deleted=1.0), processes=3)
TOGETHER = Plan(Odds(deleted=0.0), clusters=3, workers=0, trouble=200.0, tidy=1.0, base_goes=True)


@dataclass(frozen=True)
class Switch:
    """`plan` is the sort of day on which it shows; None = any.

    `held_by` names the test that fails without it where no day does: see SPARE.
    """

    off: Callable[[Patch], None]
    safeguard: str
    plan: Plan | None = None
    held_by: str = ""

    @property
    def name(self) -> str:
        return self.off.__name__


SAFEGUARDS = (
    Switch(no_intent_first, "intent first"),
    Switch(no_stable_token, "stable token"),
    Switch(no_attempt_in_token, "attempt in token"),
    Switch(no_tags_at_launch, "tags at launch", LATE),
    Switch(no_unseen_guard, "unseen is not gone"),
    Switch(no_compare_and_set, "compare-and-set", RACING),
    Switch(no_fence, "fence", Plan(FROZEN)),
    Switch(no_confirmation_of_the_end, "confirm at delete"),
    Switch(no_sweep, "sweep", Plan(LAGGING)),
    Switch(no_compensation, "taking back", PAUSED),
    Switch(no_end_of_what_is_replaced, "end before replacement", Plan(SICK)),
    Switch(no_end_of_what_failed, "end of what failed", Plan(SICK)),
    Switch(no_look_for_what_was_lost, "look for what was lost", Plan(LOSSES)),
    Switch(no_agreement_on_the_last, "agreement on the last", TOGETHER),
    Switch(no_patience_with_milvus, "patience with Milvus"),
    Switch(no_other_offer, "next type and zone"),
    Switch(no_zone_of_its_own, "one zone per cluster", ZONES),
    Switch(no_last_round, "no offer left out", PARCHED),
    Switch(no_second_install, "install tried again"),
    Switch(no_second_look, "second look after a blind time", BLIND),
)
_YOUNG = "unit/kite/test_sweep.py::test_the_young_are_left_alone_by_the_time_of_ec2"
_TWICE = "unit/kite/test_sweep.py::test_an_orphan_goes_at_the_second_sighting"
_SOON = "sim/test_turn.py::test_a_lease_about_to_end_stops_the_hands"
SPARE = (
    Switch(no_sweep_age_guard, "sweep's age guard", held_by=_YOUNG),
    Switch(no_second_sighting, "sweep's two sightings", held_by=_TWICE),
    Switch(no_margin_of_the_lease, "margin of the lease", held_by=_SOON),
)
"""Behind other safeguards, so that no day turns red: the sweep reads EC2 first and the records
after it, an intent is written before its launch and attempts only grow. What EC2 shows is thus in
the records already, and a machine newer than its record is kept. They stand against a mistake in
just that. The margin of a lease has the fence and the taking back behind it. `held` runs the tests
that hold them.
"""


BY_NAME = {switch.name: switch for switch in SAFEGUARDS + SPARE}


@contextmanager
def without(name: str) -> Iterator[Plan | None]:
    """One safeguard off ("" = none); gives the sort of day on which that shows."""
    with pytest.MonkeyPatch.context() as patch:
        if name:
            BY_NAME[name].off(patch)
        yield BY_NAME[name].plan if name else None


@dataclass
class Outcome:
    """Days by what was wrong with them: in the end, by machines too many, on the way; and seeds."""

    days: int = 0
    ends: int = 0
    extras: int = 0
    ways: int = 0
    seeds: list[int] = field(default_factory=list)

    def join(self, other: Outcome) -> None:
        for one in ("days", "ends", "extras", "ways", "seeds"):
            setattr(self, one, getattr(self, one) + getattr(other, one))


def of_all(days: int) -> Iterator[tuple[Switch, Outcome]]:
    """Every switch on the same days, on all cores."""
    jobs = [(name, seeds) for name in BY_NAME for seeds in chunks(0, days)]
    with pool() as workers:
        outcomes = zip(jobs, workers.map(tried, jobs), strict=True)
        for name, parts in itertools.groupby(outcomes, key=lambda one: one[0][0]):
            whole = Outcome()
            for _, part in parts:
                whole.join(part)
            yield BY_NAME[name], whole


def first_red(name: str, most: int = 200) -> int | None:
    """The first seed whose day goes wrong with this safeguard off."""
    for seed in range(most):
        if tried((name, range(seed, seed + 1))).seeds:
            return seed
    return None


def tried(job: tuple[str, range]) -> Outcome:
    """Days with one safeguard off ("" = none)."""
    name, seeds = job
    found = Outcome()
    with without(name) as plan:
        for seed in seeds:
            day = live(seed, plan)
            found.days += 1
            found.ends += bool(day.wrong_ends)
            found.extras += day.watch.extras > 0
            found.ways += bool(day.wrong_ways)
            if day.faults:
                found.seeds.append(seed)
    return found
