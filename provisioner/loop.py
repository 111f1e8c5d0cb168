"""The reconcile loop: claim what is due, take turns until it rests, keep the lease meanwhile.

Nothing lives in memory: whatever dies here, the next claimer finds in the registry and in EC2.
"""

import asyncio
import contextlib
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from kite import crash
from kite.clock import Clock
from kite.errors import KiteError, LeaseLost
from kite.telemetry import logs
from provisioner.backoff import after_failures
from provisioner.limits import Limits
from provisioner.registry import Claim, Registry
from provisioner.turn import Turn
from provisioner.world import World

_log = logs.get(__name__)
LET_GO_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How the loop shares its time. `claims` clusters are held, `acting` of them touch AWS."""

    claims: int = 64
    acting: int = 8
    poll_seconds: float = 1.0
    renew_seconds: float = 10.0
    reread_seconds: float = 2.0


@dataclass(slots=True)
class _Visit:
    """A cluster that is ours for now."""

    fence: int
    until: float
    claim: Claim
    task: "asyncio.Task[None]"
    woken: asyncio.Event
    reread: bool = False
    lost: bool = False

    def lose(self) -> None:
        """Somebody else may have the cluster: begin nothing more.

        What is under way ends by itself, so that its commit is refused and it is taken back.
        """
        self.lost, self.until = True, 0.0
        self.woken.set()


class Loop:
    """Runs until cancelled. `chance` gives 0 to 1 for jitter."""

    def __init__(
        self,
        world: World,
        registry: Registry,
        clock: Clock,
        limits: Limits,
        pace: Pace | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._registry = registry
        self._clock = clock
        self._limits = limits
        self._pace = pace or Pace()
        self._chance = chance
        self._visits: dict[str, _Visit] = {}
        self._woken = asyncio.Event()
        self._acting = asyncio.Semaphore(self._pace.acting)
        self._turn = Turn(
            world, registry, clock, limits, until=self._until, acting=lambda: self._acting
        )

    async def run(self) -> None:
        """Claim, visit, renew, listen; ends only by cancellation and then lets go of everything."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._claiming())
                group.create_task(self._renewing())
                group.create_task(self._listening())
        finally:
            await self._let_go()

    async def _let_go(self) -> None:
        """End every visit and give its claim back, so that others need not wait for the lease.

        A turn that is cut off here may have written more than its visit knows of: an intent that
        was acted upon. So nothing of the record is written.
        """
        visits = list(self._visits.values())
        for visit in visits:
            visit.task.cancel()
        await asyncio.gather(*(visit.task for visit in visits), return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LET_GO_SECONDS):
                await asyncio.gather(
                    *(self._registry.release(visit.claim) for visit in visits),
                    return_exceptions=True,
                )

    def nudge(self, cluster_id: str) -> None:
        """Look at this cluster now, if it is ours or due."""
        visit = self._visits.get(cluster_id)
        if visit is None:
            self._woken.set()
        else:
            visit.reread = True
            visit.woken.set()

    def _until(self, cluster_id: str) -> float:
        visit = self._visits.get(cluster_id)
        return visit.until if visit else 0.0

    # claims -------------------------------------------------------------------------------------

    async def _claiming(self) -> None:
        failures = 0
        while True:
            self._woken.clear()
            try:
                await self._claim()
            except KiteError as failed:
                failures += 1
                _log.warning("the registry does not let us claim", reason=failed.reason)
                await asyncio.sleep(after_failures(failures, self._chance()) / 1000)
                continue
            failures = 0
            await _wait(self._woken, self._pace.poll_seconds)

    async def _claim(self) -> None:
        free = self._pace.claims - len(self._visits)
        if free <= 0:
            return
        for claim in await self._registry.claim(free, self._held()):
            crash.point("after-claim")
            cluster_id = claim.record.cluster_id
            if cluster_id in self._visits:  # its lease ran out while it was still being visited
                self._visits.pop(cluster_id).task.cancel()
            task = asyncio.create_task(self._visit(claim), name=f"visit-{cluster_id}")
            self._visits[cluster_id] = _Visit(
                claim.fence, claim.until, claim, task, asyncio.Event()
            )

    def _held(self) -> list[tuple[str, int]]:
        return [(cluster_id, visit.fence) for cluster_id, visit in self._visits.items()]

    async def _renewing(self) -> None:
        failures = 0
        while True:
            soon = after_failures(failures, self._chance()) / 1000 if failures else math.inf
            await asyncio.sleep(min(self._pace.renew_seconds, soon))
            held = self._held()
            if not held:
                continue
            try:
                kept = await self._registry.renew(held)
            except KiteError as failed:
                _log.warning("leases could not be renewed", reason=failed.reason)
                failures += 1
                continue
            failures = 0
            for cluster_id, fence in held:
                visit = self._visits.get(cluster_id)
                if visit is None or visit.fence != fence:
                    continue
                if cluster_id in kept:
                    visit.until = kept[cluster_id]
                else:
                    visit.lose()

    async def _listening(self) -> None:
        """Hints save a second; without them the loop polls."""
        failures = 0
        while True:
            try:
                async for cluster_id in self._registry.hints():
                    failures = 0
                    self.nudge(cluster_id)
            except KiteError as failed:
                _log.info("no hints from the registry", reason=failed.reason)
            failures += 1
            await asyncio.sleep(after_failures(failures, self._chance()) / 1000)

    # visits -------------------------------------------------------------------------------------

    async def _visit(self, claim: Claim) -> None:
        cluster_id = claim.record.cluster_id
        try:
            await self._turns(claim)
        except LeaseLost as lost:
            _log.info("lease over", cluster=cluster_id, description=lost.description)
        except KiteError as failed:
            _log.warning("visit ended", cluster=cluster_id, error=str(failed))
            await self._give_back(claim)
        except Exception as defect:  # noqa: BLE001 - one cluster's defect must not end the others
            _log.error("visit ended by a defect", cluster=cluster_id, exc_info=defect)
            await asyncio.sleep(after_failures(4, self._chance()) / 1000)
        finally:
            visit = self._visits.get(cluster_id)
            if visit is not None and visit.fence == claim.fence:
                del self._visits[cluster_id]
                self._turn.looks.pop(cluster_id, None)
                self._woken.set()

    async def _give_back(self, claim: Claim) -> None:
        """Let go of a cluster whose visit failed, so that it need not wait for the lease to end.

        After a pause, because it would be due again at once.
        """
        visit = self._visits[claim.record.cluster_id]
        failures = 3
        while not visit.lost and self._clock.monotonic() < visit.until:
            await asyncio.sleep(after_failures(failures, self._chance()) / 1000)
            failures += 1
            try:
                await self._registry.release(claim)
            except LeaseLost:
                return
            except KiteError as failed:
                _log.info("a claim could not be given back", reason=failed.reason)
            else:
                return

    async def _turns(self, claim: Claim) -> None:
        visit = self._visits[claim.record.cluster_id]
        failures, read_at = 0, self._clock.monotonic()
        while True:
            visit.woken.clear()
            if visit.lost:
                raise LeaseLost("the lease ran out and was not renewed")
            if visit.reread or self._clock.monotonic() - read_at >= self._pace.reread_seconds:
                claim, visit.reread = await self._reread(claim), False
                read_at = self._clock.monotonic()
            turned = await self._turn.take(claim)
            if turned.claim.record is not claim.record:
                read_at = self._clock.monotonic()
            claim = visit.claim = turned.claim
            if turned.over:
                return
            failures = failures + 1 if turned.troubled else 0
            again = turned.again_ms
            if turned.troubled:
                again = max(again, after_failures(failures, self._chance()))
            if again:
                await _wait(visit.woken, again / 1000)

    async def _reread(self, claim: Claim) -> Claim:
        """The wish as it is now; what was seen is ours and stays."""
        stored = await self._registry.get(claim.record.cluster_id)
        if stored is None:
            raise LeaseLost("the cluster is not in the registry any more")
        return replace(claim, record=claim.record.wished(stored))


async def _wait(event: asyncio.Event, seconds: float) -> None:
    """Not asyncio.wait_for: before Python 3.12 it may swallow a cancellation (bpo-37658)."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
