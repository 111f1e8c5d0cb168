"""The registry's clock, as the loop follows it.

Deadlines in records are compared by whichever provisioner holds the cluster; machines whose clocks
differ by minutes would otherwise find each other's waits over, or not begun.
"""

from kite.clock import Clock

NOISE_MS = 250  # a slow answer is no reason to set a clock


class RegistryTime:
    """A Clock: this machine's until the registry first told its time."""

    def __init__(self, own: Clock) -> None:
        self._own = own
        self._ahead = own.now_ms() - self._elapsed()

    def _elapsed(self) -> int:
        return round(self._own.monotonic() * 1000)

    def now_ms(self) -> int:
        return self._elapsed() + self._ahead

    def monotonic(self) -> float:
        return self._own.monotonic()

    def follow(self, told_ms: int, *, asked: float) -> None:
        """The registry's time, told since `asked` (monotonic seconds); 0 = not told."""
        ahead = told_ms - (round(asked * 1000) + self._elapsed()) // 2
        if told_ms and abs(ahead - self._ahead) > NOISE_MS:
            self._ahead = ahead
