"""A process that may die, stand still or be ended politely, whatever it does."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from tests.sim import ear
from tests.sim.chance import Chance
from tests.sim.tale import Tale
from tests.sim.virtual import OWNER, VirtualClock, VirtualLoop
from tests.sim.wire import Wire

PAUSES = ((1, 20), (30, 150), (30, 150), (30, 150), (300, 900))
Work = Callable[[], Coroutine[Any, Any, None]]


@dataclass
class Actor:
    """`over` once dead. Only what went out before still happens then."""

    name: str
    chance: Chance
    tale: Tale
    away_until: dict[str, float]
    script: dict[int | str, str] = field(default_factory=dict)
    moments: list[str] = field(default_factory=list)
    over: bool = False
    stopped_until: float = 0.0
    wall: VirtualClock = field(default_factory=VirtualClock)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def holder(self) -> str:
        """What leases are held under: the same after a restart, as in provisioner.holder."""
        return self.name.partition(".")[0]

    def __post_init__(self) -> None:
        self.wire = Wire(self.chance, self.tale, self, self.moments, self.script, self.away_until)

    def start(self, *works: Work) -> None:
        """Begin the works, as __main__ does; they end together."""
        self.tale.tell(self.name, "starts")
        context = contextvars.copy_context()
        context.run(OWNER.set, self)
        loop = asyncio.get_running_loop()
        self.root = loop.create_task(_together(works), context=context)
        self.root.add_done_callback(self._has_ended)

    def _has_ended(self, root: asyncio.Task[None]) -> None:
        if not root.cancelled() and (defect := root.exception()):
            ear.heard.append(f"{self.name} ended by itself: {defect!r}")
        self.ended.set()

    def die(self, why: str) -> None:
        """SIGKILL: from now on nothing of it reaches anything."""
        if not self.over:
            self.over = True
            self.stopped_until = 0.0
            self.tale.fault(self.name, "crash", why)
            self.root.cancel()

    def drain(self) -> None:
        """SIGTERM: it lets go of what it holds and ends."""
        self.tale.fault(self.name, "drain")
        self.root.cancel()

    def freeze(self, why: str, *, seconds: float = 0.0) -> None:
        """SIGSTOP, then SIGCONT: shorter than a lease, longer, or longer than anybody waits."""
        chance, loop = self.chance, asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        seconds = seconds or chance.between(*chance.dice.choice(PAUSES))
        loop.stop(self, seconds)
        self.tale.fault(self.name, "freeze", f"for {seconds:.0f} s {why}")

    async def bury(self) -> None:
        """Wait for the end."""
        if not self.over and not self.root.done():
            self.over = True
            self.root.cancel()
        await asyncio.gather(self.root, return_exceptions=True)
        self.over = True


async def _together(works: tuple[Work, ...]) -> None:
    async with asyncio.TaskGroup() as group:
        for work in works:
            group.create_task(work())
