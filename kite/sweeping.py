"""The loop that sweeps: look at EC2, then at the records, decide, remove one thing after another.

One process of an install sweeps at a time (a duty lease in the registry, asked for again before
every single removal). When two should overlap nothing is harmed: each removes only what it has
itself seen twice and what a read of the records just before leaves an orphan.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

from kite import crash
from kite.errors import KiteError
from kite.sweep import (
    Facts,
    Finding,
    Known,
    Live,
    Look,
    Memory,
    Mode,
    Plan,
    Policy,
    Thing,
    Verdict,
    decide_sweep,
    still_orphan,
)
from kite.telemetry import logs

_log = logs.get(__name__)
EVENT = "OrphanRemoved"
# More unknown clusters than that are no leftovers: the records or the account are not ours.
MOST_UNKNOWN = 500
_AT_ONCE = 8


class Cloud(Protocol):
    """EC2 as a sweep needs it; all raise KiteError."""

    async def look(self) -> Look: ...

    async def remove(self, thing: Thing) -> None:
        """Ask for its end; no failure when it is gone already."""
        ...


class Book(Protocol):
    """The records as a sweep needs them; all raise KiteError."""

    async def duty(self) -> bool:
        """Whether this process sweeps now, for longer than a pass takes."""
        ...

    async def live(self) -> Live: ...

    async def one(self, cluster_id: str) -> Known | int | None:
        """A live cluster, the time a deleted one ended (ms), or None: never heard of."""
        ...

    async def tell(self, thing: Thing, event: str, why: str) -> None:
        """Into the story of its cluster."""
        ...


class Sweeper:
    """Sweeps every `seconds`, the first time after as long."""

    def __init__(
        self,
        cloud: Cloud,
        book: Book,
        policy: Policy,
        *,
        install: str,
        seconds: float,
        mode: Mode = Mode.ON,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._cloud = cloud
        self._book = book
        self._policy = replace(policy, report=mode is Mode.REPORT)
        self._install = install
        self._seconds = seconds
        self._mode = mode
        self._pause = pause
        self._memory = Memory()
        self._told: frozenset[tuple[str, str]] = frozenset()

    async def run(self) -> None:
        """For ever; a sweep that fails is logged and the next one tries again."""
        if self._mode is Mode.OFF:
            await asyncio.get_running_loop().create_future()
        while True:
            await self._pause(self._seconds)
            try:
                await self.turn()
            except KiteError as failed:
                _log.warning("sweep failed; the next one tries again", reason=failed.reason)
            except Exception as defect:  # noqa: BLE001 - the loop outlives a defect
                _log.error("sweep hit a defect", exc_info=defect)

    async def turn(self) -> Plan | None:
        """One sweep; None when another process has the duty. Raises KiteError."""
        if not await self._book.duty():
            self._memory = Memory()  # what we saw is old; the first look of a reign counts as one
            return None
        plan, facts = await self._decided(self._memory, self._policy)
        self._memory = plan.memory
        self._say(plan)
        for finding in plan.going:
            if not await self._book.duty():
                break
            await self._remove(finding, facts, self._policy)
        return plan

    async def once(self, memory: Memory, policy: Policy) -> tuple[Plan, dict[Thing, str]]:
        """A sweep that a person asked for, whoever has the duty.

        Returns:
            The plan, and for each thing it removes: empty = asked for, else why not.
        """
        plan, facts = await self._decided(memory, policy)
        return plan, {f.thing: await self._remove(f, facts, policy) for f in plan.going}

    async def _decided(self, memory: Memory, policy: Policy) -> tuple[Plan, Facts]:
        facts = await self._facts(memory)
        return decide_sweep(facts, memory, policy), facts

    async def _facts(self, memory: Memory) -> Facts:
        """EC2 first: what it shows was written down before it was made."""
        try:
            look = await self._cloud.look()
        except KiteError as failed:
            return self._gap(f"EC2 could not be read to the end ({failed.reason})")
        try:
            live = await self._book.live()
            named = {t.cluster_id for t in look.things if self._counts(t)} - {""}
            ended = await self._ended(sorted((named | memory.live) - live.clusters.keys()))
        except KiteError as failed:
            return self._gap(f"the registry could not be read to the end ({failed.reason})")
        if ended is None:
            return self._gap(f"more than {MOST_UNKNOWN} clusters are unknown to the registry")
        return Facts(self._install, look.now_ms, look.things, live.clusters, ended, gaps=live.gaps)

    def _gap(self, why: str) -> Facts:
        return Facts(self._install, 0, gaps=(why,))

    def _counts(self, thing: Thing) -> bool:
        """EC2 shows what has ended for an hour: nothing is decided about it, so nobody asks."""
        return thing.install == self._install and not thing.ended

    async def _ended(self, cluster_ids: Sequence[str]) -> dict[str, int] | None:
        """Times of the tombstones among them; None once too many are neither dead nor alive."""
        ended, unknown = dict[str, int](), 0
        for at in range(0, len(cluster_ids), _AT_ONCE):
            part = cluster_ids[at : at + _AT_ONCE]
            found = await asyncio.gather(*map(self._book.one, part))
            pairs = zip(part, found, strict=True)
            ended |= {cluster_id: end for cluster_id, end in pairs if isinstance(end, int)}
            unknown += found.count(None)
            if unknown > MOST_UNKNOWN:
                return None
        return ended

    async def _remove(self, finding: Finding, facts: Facts, policy: Policy) -> str:
        """Empty when it was asked for; else why not."""
        thing = finding.thing
        try:
            if not still_orphan(thing, await self._fresh(thing, facts), policy):
                return "its cluster changed meanwhile"
            crash.point("before-sweep-", thing.kind)
            await self._cloud.remove(thing)
            crash.point("after-sweep-", thing.kind)
        except KiteError as failed:
            _log.warning("an orphan stays for now", kind=thing.kind, id=thing.id, why=str(failed))
            return str(failed)
        _log.warning("orphan removed", why=finding.why, age_ms=finding.age_ms, **_named(thing))
        try:
            await self._book.tell(thing, EVENT, finding.why)
        except KiteError as failed:
            _log.warning("the story could not be told", id=thing.id, reason=failed.reason)
        return ""

    async def _fresh(self, thing: Thing, facts: Facts) -> Facts:
        """With the cluster of the thing as it is in the records now."""
        now = await self._book.one(thing.cluster_id)
        clusters = {k: v for k, v in facts.clusters.items() if k != thing.cluster_id}
        tombs = {k: v for k, v in facts.tombs.items() if k != thing.cluster_id}
        if isinstance(now, Known):
            clusters[thing.cluster_id] = now
        elif now is not None:
            tombs[thing.cluster_id] = now
        return replace(facts, clusters=clusters, tombs=tombs)

    def _say(self, plan: Plan) -> None:
        """Each news once, in the log of the service."""
        if plan.skipped:
            _log.warning("nothing was swept", why=plan.skipped)
            return
        for alarm in plan.alarms:
            _log.error("sweep alarm", why=alarm)
        news = {(f.thing.id, f.verdict): f for f in plan.findings if _worth_telling(f)}
        for key, found in news.items():
            if key not in self._told:
                _log.warning(
                    "orphan seen", verdict=found.verdict, why=found.why, **_named(found.thing)
                )
        self._told = frozenset(news)


def _worth_telling(finding: Finding) -> bool:
    return finding.verdict is not Verdict.YOUNG


def _named(thing: Thing) -> dict[str, str]:
    return {"kind": thing.kind, "id": thing.id, "cluster": thing.cluster_id}


def time_of(answer: Mapping[str, Any]) -> int:
    """EC2's own time, from the Date header of its answer, epoch milliseconds; 0 = not told."""
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    try:
        return int(parsedate_to_datetime(headers.get("date", "")).timestamp() * 1000)
    except ValueError:
        return 0
