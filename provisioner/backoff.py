"""When to look again, and how long to leave a failing dependency alone. Pure."""

_STEPS_MS = ((60_000, 1), (300_000, 4), (3_600_000, 16))
LONGEST_MS = 30_000


def pace(poll_ms: int, waited_ms: int) -> int:
    """Milliseconds until the next look: quick in the first minute, then slower."""
    for until, factor in _STEPS_MS:
        if waited_ms < until:
            return poll_ms * factor
    return LONGEST_MS


def after_failures(failures: int, chance: float) -> int:
    """Milliseconds to wait after `failures` in a row, 0.25 s doubling to 30 s.

    `chance` from 0 to 1 spreads waiters over the upper half ("equal jitter").
    """
    ceiling = min(LONGEST_MS, 250 * 2 ** min(failures, 10))
    return int(ceiling / 2 + ceiling / 2 * chance)
