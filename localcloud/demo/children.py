"""The processes of a demo: started apart from us, recorded on disk, stopped by record.

Promise: a process is ended only when it is the very one that was recorded (pid and start time), so
a pid that was given to somebody else meanwhile is never touched.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic, sleep

from localcloud.tenancy import began


class ChildDied(Exception):
    """A process ended before it was ready; the end of its log says why."""


@dataclass(frozen=True)
class Child:
    """One process: how it was started, and which one it is."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    log: str
    pid: int
    born: int

    def alive(self) -> bool:
        return self.born > 0 and began(self.pid) == self.born

    def tail(self, lines: int = 12) -> str:
        """The end of its log."""
        try:
            text = Path(self.log).read_text(errors="replace")
        except OSError:
            return ""
        return "\n".join(text.strip().splitlines()[-lines:])


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return  # another demo's child; its own parent reaps it


class Children:
    """All processes of one demo, kept in `folder/processes.json` (0600: it holds the settings)."""

    def __init__(self, folder: Path) -> None:
        self._record = folder / "processes.json"
        self.logs = folder / "logs"
        self._found = self._read()

    def _read(self) -> dict[str, Child]:
        try:
            raw = json.loads(self._record.read_text())
        except (OSError, ValueError):
            return {}
        return {one["name"]: Child(**one | {"argv": tuple(one["argv"])}) for one in raw}

    def _write(self) -> None:
        text = json.dumps([asdict(child) for child in self._found.values()], indent=1)
        self._record.touch(mode=0o600)
        self._record.write_text(text)

    def all(self) -> list[Child]:
        return list(self._found.values())

    def get(self, name: str) -> Child | None:
        return self._found.get(name)

    def start(self, name: str, argv: tuple[str, ...], env: Mapping[str, str]) -> Child:
        """Start a process in a session of its own; its output goes to `logs/NAME.log`."""
        self.logs.mkdir(parents=True, exist_ok=True)
        log = self.logs / f"{name}.log"
        with log.open("ab") as out:
            process = subprocess.Popen(
                argv,
                env={**os.environ, **env},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        process.returncode = 0  # reaped by pid, so this object need not live as long
        child = Child(name, argv, dict(env), str(log), process.pid, began(process.pid))
        self._found[name] = child
        self._write()
        return child

    def again(self, name: str) -> Child:
        """Start a recorded process once more with the settings it had."""
        old = self._found[name]
        self.stop(name)
        return self.start(name, tuple(old.argv), old.env)

    def stop(self, name: str, *, patience: float = 20) -> None:
        """SIGTERM, and SIGKILL after `patience` seconds; one that is gone is fine."""
        child = self._found[name]
        for sign, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, 5.0)):
            if not child.alive():
                break
            os.kill(child.pid, sign)
            last = monotonic() + seconds
            while child.alive() and monotonic() < last:
                _reap(child.pid)
                sleep(0.02)
        _reap(child.pid)

    def forget(self) -> None:
        self._found.clear()
        self._record.unlink(missing_ok=True)
