"""Token buckets that keep us below EC2's own request limits, so that it never has to say no.

Source of the figures: Amazon EC2 developer guide, "Request throttling for the Amazon EC2 API".
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from kite.clock import Clock


@dataclass(frozen=True, slots=True)
class Rate:
    """`size` calls at once, `refill` more every second."""

    size: float
    refill: float


RATES = {
    "RunInstances": Rate(5, 2),
    "StartInstances": Rate(5, 2),
    "TerminateInstances": Rate(100, 5),
    "AuthorizeSecurityGroupIngress": Rate(50, 5),
}
UNFILTERED = Rate(50, 10)  # DescribeInstances without filter and pagination
DESCRIBING, MUTATING = Rate(100, 20), Rate(50, 5)
SLACK_SECONDS = 0.001  # neither clocks nor sums of floats are exact


class Bucket:
    """Calls wait in line; the wait is exact, not polled."""

    def __init__(self, rate: Rate, clock: Clock, sleep: Callable[[float], Awaitable[None]]) -> None:
        self._rate = rate
        self._clock = clock
        self._sleep = sleep
        self._left = rate.size
        self._at = clock.monotonic()
        self._line = asyncio.Lock()

    def empty(self) -> None:
        """EC2 said that it is, so it is: others of this account may have taken from it too."""
        self._refill()
        self._left = min(self._left, 0.0)

    async def take(self) -> None:
        """Return when one call may go out."""
        async with self._line:
            self._refill()
            if self._left < 1:
                await self._sleep((1 - self._left) / self._rate.refill + SLACK_SECONDS)
                self._refill()
            self._left -= 1

    def _refill(self) -> None:
        now = self._clock.monotonic()
        grown = self._left + (now - self._at) * self._rate.refill
        self._left, self._at = min(self._rate.size, grown), now


class Buckets:
    """One bucket per action, made when first used."""

    def __init__(
        self, clock: Clock, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._buckets: dict[str, Bucket] = {}

    async def take(self, action: str) -> None:
        """Return when a call of this action may go out."""
        await self._of(action).take()

    def empty(self, action: str) -> None:
        """EC2 refused this action for its rate: calls that wait in line wait for new tokens."""
        self._of(action).empty()

    def _of(self, action: str) -> Bucket:
        if action not in self._buckets:
            self._buckets[action] = Bucket(rate_of(action), self._clock, self._sleep)
        return self._buckets[action]


def rate_of(action: str) -> Rate:
    """The figures of an action; `DescribeInstances:ids` is the form without filter."""
    if action in RATES:
        return RATES[action]
    if action.endswith(":ids"):
        return UNFILTERED
    return DESCRIBING if action.startswith("Describe") else MUTATING
