"""What shall go wrong with the next instances, told from outside while the cloud runs.

A small file in the state folder, changed under a lock: a test or the command line puts a fault in,
the next launch takes it out.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path


class Fault(StrEnum):
    """One way in which an instance goes wrong."""

    BOOT_NEVER = "boot-never"
    """It ends as `terminated` with a StateReason; its host never exists."""
    BOOT_HANGS = "boot-hangs"
    """It stays `pending` until somebody terminates it."""
    SSH_REFUSES = "ssh-refuses"
    """It runs, but nothing listens on port 22."""
    SSH_DENIES = "ssh-denies"
    """It runs and sshd answers, but no key is accepted."""
    DISK_FULL = "disk-full"
    """It runs; its root volume has no room left."""


@dataclass(frozen=True)
class Waiting:
    """A fault for the next `count` launches (of instances with tag `key`=`value`, when given)."""

    fault: Fault
    count: int = 1
    key: str = ""
    value: str = ""

    def fits(self, tags: dict[str, str]) -> bool:
        return not self.key or tags.get(self.key) == self.value


class Faults:
    """The faults that wait in one state folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "faults.json"

    def add(self, waiting: Waiting) -> None:
        with self._changed() as faults:
            faults.append(waiting)

    def clear(self) -> None:
        with self._changed() as faults:
            faults.clear()

    def listed(self) -> list[Waiting]:
        with self._changed() as faults:
            return list(faults)

    def take(self, tags: dict[str, str]) -> Fault | None:
        """The fault meant for this launch, counted down; None when it may go well."""
        if not self._path.exists():
            return None
        with self._changed() as faults:
            for index, one in enumerate(faults):
                if one.fits(tags):
                    faults[index : index + 1] = (
                        [replace(one, count=one.count - 1)] if one.count > 1 else []
                    )
                    return one.fault
        return None

    @contextmanager
    def _changed(self) -> Iterator[list[Waiting]]:
        with self._path.open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            text = file.read()
            found = [
                Waiting(Fault(one["fault"]), one["count"], one["key"], one["value"])
                for one in json.loads(text or "[]")
            ]
            yield found
            file.seek(0)
            file.truncate()
            json.dump([asdict(one) for one in found], file)
