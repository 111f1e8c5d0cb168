"""A check that is made at the last moment before a call to EC2: the way there may have been long.

Whoever acts under a lease waits for a place, for EC2's request limits and for a thread; the lease
may end meanwhile. The check goes along with the task, so that a door needs to know no lease.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Check = Callable[[], None]


def _nothing() -> None:
    """Nobody asked for a check."""


_check: ContextVar[Check] = ContextVar("check", default=_nothing)


@contextmanager
def guarded(check: Check) -> Iterator[None]:
    """No call begins inside, also in tasks begun inside, for which `check` raises.

    It is called in the thread that makes the call.
    """
    before = _check.set(check)
    try:
        yield
    finally:
        _check.reset(before)


def current() -> Check:
    """The check of this task; one that does nothing when there is none."""
    return _check.get()
