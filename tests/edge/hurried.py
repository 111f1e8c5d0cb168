"""The event loop's time, moved by hand: long waits of the edge are over at once, in their order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

STEP_SECONDS = 0.5


class Hurried:
    """Moves a loop forward; what it moved by stays, because a loop's time never goes back.

    A machine that stands still for a second moves the loop by a second and no more, so waits that
    lie seconds apart end in their order however busy the machine is.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._by = 0.0
        before = loop.time
        loop.time = lambda: before() + self._by  # type: ignore[method-assign]

    async def until(self, true: Callable[[], object]) -> float:
        """Half a second at a time; answers with the seconds it was moved by."""
        moved = 0.0
        while not true():
            await asyncio.sleep(0.01)
            self._by += STEP_SECONDS
            moved += STEP_SECONDS
        return moved
