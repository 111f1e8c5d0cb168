"""Instances by id: one DescribeInstances a tick serves every cluster that waits for a machine.

Clusters ask at their own times. Each ask is answered by a look that began no longer than a tick
before it, at everything anybody asked for lately; so k clusters in transition cost one call a
tick, not k. What this process itself changed is looked at anew.
"""

import asyncio
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from kite.errors import KiteError
from kite.refusals import gone
from provisioner.ec2.client import Ec2
from provisioner.ec2.see import facts_of, filtered
from provisioner.facts import InstanceFact

BATCH, FILTER_VALUES = 500, 200
TICK_SECONDS = 0.25  # four looks a second; EC2 allows ten of this form (kite/buckets.py)
LATELY_SECONDS = 30.0  # longer than a look may last
_ID = re.compile(r"i-[0-9a-f]+")


@dataclass(frozen=True, slots=True)
class _Look:
    """The latest look: the how-manieth, when it began, at what, and what was there."""

    number: int = 0
    began: float = float("-inf")
    at: frozenset[str] = frozenset()
    found: Mapping[str, InstanceFact] = field(default_factory=dict)


class Describer:
    """Times are seconds of the event loop's clock."""

    def __init__(self, ec2: Ec2) -> None:
        self._ec2 = ec2
        self._tick = TICK_SECONDS
        self._look = _Look()
        self._begun = 0
        self._asked: dict[str, float] = {}
        self._changed: dict[str, int] = {}
        self._answer: asyncio.Future[None] | None = None
        self._flying: asyncio.Future[None] | None = None
        self._worker: asyncio.Task[None] | None = None

    async def instances(self, ids: Iterable[str]) -> dict[str, InstanceFact]:
        """Those of `ids` that EC2 shows now. Raises KiteError."""
        wanted = frozenset(ids)
        if not wanted:
            return {}
        loop = asyncio.get_running_loop()
        now = loop.time()
        while not self._covers(wanted, now):
            # Anew at every turn: a stopped process may come back to a wish that is minutes old.
            self._asked |= dict.fromkeys(wanted, loop.time())
            await asyncio.shield(self._flying or self._next())
        return {i: self._look.found[i] for i in wanted if i in self._look.found}

    def changed(self, ids: Iterable[str]) -> None:
        """These were acted on: looks that have begun tell nothing about them any more."""
        self._changed |= dict.fromkeys(ids, self._begun)

    def _covers(self, wanted: frozenset[str], asked: float) -> bool:
        look = self._look
        fresh = wanted <= look.at and look.began >= asked - self._tick
        return fresh and all(self._changed.get(i, 0) < look.number for i in wanted)

    def _next(self) -> "asyncio.Future[None]":
        """The end of the next look, which is under way from now on."""
        loop = asyncio.get_running_loop()
        if self._answer is None:
            self._answer = loop.create_future()
        if self._worker is None or self._worker.done():
            self._worker = loop.create_task(self._work())
        return self._answer

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while self._answer is not None:
            await asyncio.sleep(max(0.0, self._look.began + self._tick - loop.time()))
            self._flying, self._answer = self._answer, None
            try:
                await self._take()
                self._flying.set_result(None)
            except Exception as failed:  # noqa: BLE001 - whoever waits is told, whatever it is
                self._flying.set_exception(failed)
                self._flying.exception()  # everybody who asked may have gone
            finally:
                self._flying = None

    async def _take(self) -> None:
        began = asyncio.get_running_loop().time()
        self._begun += 1
        number, ids = self._begun, self._lately(began)
        found: dict[str, InstanceFact] = {}
        parts = [ids[at : at + BATCH] for at in range(0, len(ids), BATCH)]
        for part in await asyncio.gather(*(self._by_ids(part) for part in parts)):
            found |= part
        self._look = _Look(number, began, frozenset(ids), found)
        self._changed = {i: n for i, n in self._changed.items() if n >= number}

    def _lately(self, now: float) -> list[str]:
        """What was asked for of late, and so everything that somebody waits for."""
        self._asked = {i: at for i, at in self._asked.items() if now - at < LATELY_SECONDS}
        return sorted(self._asked)

    async def _by_ids(self, ids: list[str]) -> dict[str, InstanceFact]:
        """One id that EC2 does not know, or cannot read, makes it refuse the whole call.

        It names them, and we ask again.
        """
        left = set(ids)
        while left:
            try:
                answer = await self._ec2.call(
                    "DescribeInstances:ids", {"InstanceIds": sorted(left)}
                )
            except KiteError as failed:
                if not gone(failed.context.get("aws-code", "")):
                    raise
                unknown = left & set(_ID.findall(failed.description))
                if not unknown:
                    return await self._by_filter(sorted(left))
                left -= unknown
            else:
                return {fact.instance_id: fact for fact in facts_of(answer)}
        return {}

    async def _by_filter(self, ids: list[str]) -> dict[str, InstanceFact]:
        found: dict[str, InstanceFact] = {}
        for at in range(0, len(ids), FILTER_VALUES):
            values = ids[at : at + FILTER_VALUES]
            for fact in await filtered(self._ec2, "instance-id", values):
                found[fact.instance_id] = fact
        return found
