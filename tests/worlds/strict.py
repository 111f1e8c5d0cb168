"""The one strict EC2 of a test run: moto's state is global, so a process can hold only one."""

from dataclasses import dataclass

START = 1_800_000_000.0


@dataclass
class Clock:
    now: float = START

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class NoLimits:
    """In the place of kite.buckets.Buckets where many tests share one client."""

    async def take(self, action):
        """At once."""

    def empty(self, action):
        """Nothing to empty."""
