"""Processes of a run whose parent was killed: found by the folder that is their home, and killed.

The child process of a job ends all that it started, unless it is killed itself (out of memory, for
example). Then Ansible would go on, beside the next run on the same host.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

ROUNDS = 50
"""A fork may slip through one look, never through many."""
LOOKS = 2


def end(home: Path) -> int:
    """Kill every process that has `home` for its HOME; how many were there."""
    count = quiet = 0
    for _ in range(ROUNDS):
        alive = tuple(_at_home(home))
        for pid in alive:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        count += len(alive)
        # One that is just becoming another program shows no environment for a moment.
        quiet = 0 if alive else quiet + 1
        if quiet == LOOKS:
            break
    return count


def _at_home(home: Path) -> Iterator[int]:
    mark = b"\0HOME=" + os.fsencode(home) + b"\0"
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has just ended, or is another user's
            # A process that has ended and waits for its parent has no environment any more.
            if mark in b"\0" + (entry / "environ").read_bytes():
                yield int(entry.name)
