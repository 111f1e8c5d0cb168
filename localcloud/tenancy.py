"""One local cloud per machine: the lock, and the record of who holds it.

The lock is the kernel's, so it ends with its holder however that ends; the record outlives a killed
holder and tells `clean` where to look.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from localcloud.ground import Ground


class Occupied(Exception):
    """Another local cloud holds this machine."""


@dataclass(frozen=True)
class Tenant:
    """Who holds, or held, the machine: process, its start in clock ticks, state folder."""

    pid: int
    began: int
    state: str

    def lives(self) -> bool:
        """Whether that very process still runs; a number used again does not count."""
        return self.began != 0 and began(self.pid) == self.began


@contextmanager
def hold(ground: Ground, state: Path) -> Iterator[None]:
    """Hold the machine. Raises Occupied."""
    ground.run.mkdir(parents=True, exist_ok=True)
    with (ground.run / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Occupied(sentence(tenant(ground))) from None
        pid = os.getpid()
        record = {"pid": pid, "began": began(pid), "state": str(state)}
        (ground.run / "tenant.json").write_text(json.dumps(record))
        yield
        (ground.run / "tenant.json").unlink(missing_ok=True)


def tenant(ground: Ground) -> Tenant | None:
    """Who holds the machine, or held it and was killed."""
    try:
        found = json.loads((ground.run / "tenant.json").read_text())
        return Tenant(int(found["pid"]), int(found["began"]), str(found["state"]))
    except (OSError, ValueError, KeyError):
        return None


def began(pid: int) -> int:
    """When a process began, in clock ticks since this machine's start; 0 when there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    fields = text.rpartition(")")[2].split()
    is_dead = fields[0] in "ZX"
    return 0 if is_dead else int(fields[19])


def sentence(holder: Tenant | None) -> str:
    """The same as deploy/tenant.sh says."""
    runs = "A local cloud already runs on this machine"
    if holder is None:
        return f"{runs}; stop it with `python -m localcloud stop`."
    home = holder.state.removesuffix("/.run/cloud")
    how = "`python -m localcloud stop`" if home == holder.state else f"`make stop` in {home}"
    return f"{runs} (process {holder.pid}, state in {holder.state}); stop it with {how}."
