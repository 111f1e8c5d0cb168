"""One turn of one cluster: see, decide, reserve, act, commit."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from kite import crash
from kite.clock import Clock
from kite.errors import KiteError, LeaseLost, NoCapacity
from kite.telemetry import logs
from provisioner import guard
from provisioner.backoff import after_failures
from provisioner.cluster import decide
from provisioner.compensation import undo
from provisioner.facts import Facts, Outcome
from provisioner.learn import Results, cloud_silent, learned
from provisioner.limits import Limits
from provisioner.operation import progressed
from provisioner.patience import lengthened
from provisioner.plan import Action, Launch, Plan
from provisioner.questions import questions
from provisioner.record import Record
from provisioner.registry import Claim, Registry, Write
from provisioner.status import told
from provisioner.story import story
from provisioner.world import World

_log = logs.get(__name__)
MARGIN_SECONDS = 13.0  # longer than one AWS call may last: 2 s to connect, 10 s to answer
COMPENSATION_TRIES = 3


@dataclass(frozen=True, slots=True)
class Turned:
    """What a turn left: the claim as stored, when to look again, and whether to let go."""

    claim: Claim
    again_ms: int
    over: bool = False
    troubled: bool = False


def _is_trouble(action: Action, outcome: Outcome | KiteError) -> bool:
    """Whether to leave what answered so alone for a while; after a full zone the next is asked."""
    next_offer = isinstance(action, Launch) and isinstance(outcome, NoCapacity)
    return isinstance(outcome, KiteError) and not next_offer


def _begun(results: Results) -> Results:
    """What was asked of EC2; what the guard held back teaches nothing.

    Raises:
        LeaseLost: all of it was held back.
    """
    held_back = [outcome for _, outcome in results if isinstance(outcome, LeaseLost)]
    if held_back and len(held_back) == len(results):
        raise held_back[0]
    return tuple(one for one in results if not isinstance(one[1], LeaseLost))


@dataclass(frozen=True, slots=True)
class Turn:
    """The parts a turn needs. `until` tells how long the lease of a cluster now lasts.

    `looks` remembers when each visited cluster was last seen, in epoch milliseconds.
    """

    world: World
    registry: Registry
    clock: Clock
    limits: Limits
    until: Callable[[str], float]
    acting: Callable[[], asyncio.Semaphore]
    looks: dict[str, int] = field(default_factory=dict)

    async def take(self, claim: Claim) -> Turned:
        """See, decide, reserve, act, commit.

        Raises:
            LeaseLost: somebody else has the cluster; nothing more was done to it.
            KiteError: the registry is silent.
        """
        try:
            site = await self.world.site()
            looked = self.clock.now_ms()  # whoever stands still meanwhile decides by what was
            facts = await self.world.see(claim.record, questions(claim.record, site, looked))
        except KiteError as failed:
            return await self._blind(claim, failed)
        crash.point("after-see")
        plan = decide(self._in_time(claim.record, looked), facts, self.limits, looked)
        operation = progressed(
            plan.record, claim.operation, facts.installs, self.clock.now_ms(), gone=plan.gone
        )
        planned = replace(claim, operation=operation)
        if not plan.actions:
            return await self._rest(claim, planned, plan)
        crash.point("before-reserve")
        reserved = await self._save(claim, planned, plan.record)
        crash.point("after-reserve")
        if reserved.record.spec.wanted != claim.record.spec.wanted:
            return Turned(await self._unreserved(claim, reserved), 0)
        results = await self._act(reserved.record, plan.actions)
        crash.point("after-act")
        return await self._learn(reserved, results, plan, facts)

    def _in_time(self, record: Record, looked: int) -> Record:
        last = self.looks.get(record.cluster_id)
        self.looks[record.cluster_id] = looked
        return lengthened(record, self.limits, last, looked)

    async def _unreserved(self, claim: Claim, reserved: Claim) -> Claim:
        """The wish has changed before anything was sent: nothing is waited for that was not."""
        return await self._save(reserved, reserved, claim.record.wished(reserved.record))

    async def _learn(self, claim: Claim, results: Results, plan: Plan, facts: Facts) -> Turned:
        now = self.clock.now_ms()
        after = told(learned(claim.record, results, self.limits, now), facts.site, now)
        operation = progressed(after, claim.operation, facts.installs, now)
        try:
            stored = await self._save(claim, replace(claim, operation=operation), after)
        except LeaseLost:
            await self._compensate(claim, results)
            raise
        crash.point("after-commit")
        troubled = any(_is_trouble(action, outcome) for action, outcome in results)
        again = 0 if after != claim.record else plan.again_ms
        return Turned(stored, again, troubled=troubled)

    async def _rest(self, claim: Claim, planned: Claim, plan: Plan) -> Turned:
        """Nothing to do: write what changed; give the claim back when there is nothing to watch."""
        record = learned(plan.record, (), self.limits, self.clock.now_ms())
        changed = record != claim.record or planned.operation != claim.operation
        if plan.settled or plan.gone:
            write = Write(
                record,
                planned.operation,
                story(claim.record, record, self.clock.now_ms()),
                due_in_ms=plan.again_ms,
                release=True,
                gone=plan.gone,
            )
            crash.point("before-gone" if plan.gone else "before-settle")
            stored = await self.registry.commit(claim, write)
            crash.point("after-gone" if plan.gone else "after-settle")
            if plan.gone:
                self.world.forget(record.cluster_id)
            return Turned(stored, plan.again_ms, over=True)
        stored = await self._save(claim, planned, record) if changed else claim
        return Turned(stored, plan.again_ms)

    async def _blind(self, claim: Claim, failed: KiteError) -> Turned:
        """Nothing could be seen: say so and conclude nothing."""
        record = cloud_silent(claim.record, failed, self.clock.now_ms())
        stored = claim
        if record != claim.record:
            stored = await self._save(claim, claim, record)
        return Turned(stored, self.limits.poll_ms, troubled=True)

    async def _save(self, before: Claim, planned: Claim, record: Record) -> Claim:
        """Commit when there is something to write; answers with the wish of now."""
        if record == before.record and planned.operation == before.operation:
            return before
        events = story(before.record, record, self.clock.now_ms())
        stored = await self.registry.commit(before, Write(record, planned.operation, events))
        for event in events:
            _log.info(event.type, cluster=record.cluster_id, description=event.description)
        return stored

    def _check_margin(self, record: Record) -> None:
        left = self.until(record.cluster_id) - self.clock.monotonic()
        if left < MARGIN_SECONDS:
            raise LeaseLost(f"only {left:.0f} s of the lease are left; not touching AWS")

    async def _act(self, record: Record, actions: tuple[Action, ...]) -> Results:
        async with self.acting():
            self._check_margin(record)  # the wait for a place may have used the lease up
            with guard.guarded(lambda: self._check_margin(record)):
                outcomes = await asyncio.gather(*(self.world.act(record, a) for a in actions))
        return _begun(tuple(zip(actions, outcomes, strict=True)))

    async def _compensate(self, claim: Claim, results: Results) -> None:
        """The claim was over: take back what nobody will look for."""
        stored = await self.registry.get(claim.record.cluster_id)
        others = await self.registry.others(claim.record.cluster_id)
        for action in undo(results, stored, others=others):
            crash.point("before-undo")
            for failures in range(1, COMPENSATION_TRIES + 1):
                if not isinstance(await self.world.act(claim.record, action), KiteError):
                    break
                await asyncio.sleep(after_failures(failures, 1.0) / 1000)
            crash.point("after-undo")
