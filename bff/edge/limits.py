"""How much one user, and all together, may ask at a time."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from kite.clock import Clock
from kite.errors import RateLimited, Unavailable

_PRUNE_AT = 10_000


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class Rate:
    """A token bucket per user: `per_minute` on the long run, `burst` at once.

    Raises (take):
        RateLimited: RATE_LIMITED with the seconds until the next token.
    """

    def __init__(self, clock: Clock, *, per_minute: int, burst: int) -> None:
        self._clock, self._burst = clock, burst
        self._per_second = per_minute / 60
        self._buckets: dict[str, _Bucket] = {}

    def take(self, user: str) -> None:
        now = self._clock.monotonic()
        bucket = self._buckets.setdefault(user, _Bucket(self._burst, now))
        bucket.tokens = self._filled(bucket, now)
        bucket.at = now
        if bucket.tokens < 1:
            seconds = max(1, math.ceil((1 - bucket.tokens) / self._per_second))
            raise RateLimited(f"too many requests; try again in {seconds} s", retry_after=seconds)
        bucket.tokens -= 1
        if len(self._buckets) > _PRUNE_AT:
            self._prune(now)

    def _filled(self, bucket: _Bucket, now: float) -> float:
        return min(self._burst, bucket.tokens + (now - bucket.at) * self._per_second)

    def _prune(self, now: float) -> None:
        """Forget who has a full bucket; that is what a newcomer gets."""
        self._buckets = {
            user: bucket
            for user, bucket in self._buckets.items()
            if self._filled(bucket, now) < self._burst
        }


class Places:
    """What is in work at a time; `what` names it to who gets none.

    Raises (held):
        RateLimited: TOO_MANY_AT_ONCE when one user holds all of theirs.
        Unavailable: BUSY when all are taken.
    """

    def __init__(self, what: str, *, per_user: int, all_users: int) -> None:
        self._what = what
        self._per_user, self._all_users = per_user, all_users
        self._held: dict[str, int] = {}
        self._sum = 0

    @contextmanager
    def held(self, user: str) -> Iterator[None]:
        if self._sum >= self._all_users:
            raise Unavailable(
                f"too many {self._what} at the moment; try again", reason="BUSY", retry_after=1
            )
        if self._held.get(user, 0) >= self._per_user:
            raise RateLimited(
                f"you have {self._per_user} {self._what} already; wait for one to end",
                reason="TOO_MANY_AT_ONCE",
                retry_after=1,
            )
        self._held[user] = self._held.get(user, 0) + 1
        self._sum += 1
        try:
            yield
        finally:
            self._sum -= 1
            self._held[user] -= 1
            if not self._held[user]:
                del self._held[user]
