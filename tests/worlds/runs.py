"""Runs that start services, databases and hosts: begun alike, and cleaned up after a kill -9.

Whatever a run starts inherits KITE_TEST_RUN, which tells the run's main process (number and start
time) and folder; so does what that starts. `python -m tests.worlds.runs` ends what carries the mark
of a main process that is no more, then removes what local clouds left that nobody serves any more,
and the folders. A process without such a mark is never touched, whatever its number.
"""

import os
import select
import shutil
import signal
import stat
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from localcloud import cleaning, tenancy
from localcloud.ground import Ground

MARK = "KITE_TEST_RUN"
RECORD = "mark"
PATIENCE = 30


@dataclass(frozen=True)
class Run:
    """`began` is the main process's start in clock ticks: its number alone proves nothing."""

    pid: int
    began: int
    folder: str

    @classmethod
    def read(cls, text):
        """From its mark. Raises ValueError."""
        pid, began, folder = text.split(":", 2)
        return cls(int(pid), int(began), folder)

    def __str__(self):
        return f"{self.pid}:{self.began}:{self.folder}"

    @property
    def lives(self):
        return self.began != 0 and tenancy.began(self.pid) == self.began


def begin(kind):
    """The folder of a new run of this process, which has settings of its own from now on."""
    for name in [n for n in os.environ if n.startswith("KITE_") and not n.startswith("KITE_TEST_")]:
        del os.environ[name]
    folder = Path(tempfile.mkdtemp(prefix=f"kite-{kind}-"))
    run = Run(os.getpid(), tenancy.began(os.getpid()), str(folder))
    os.environ[MARK] = str(run)
    (folder / RECORD).write_text(str(run))
    return folder


def recorded():
    """Runs that left a folder nobody else could have written to."""
    for record in sorted(Path(tempfile.gettempdir()).glob(f"kite-*/{RECORD}")):
        about = record.parent.lstat()
        private = stat.S_ISDIR(about.st_mode) and not about.st_mode & 0o077
        if private and about.st_uid == os.geteuid():
            with suppress(OSError, ValueError):
                run = Run.read(record.read_text())
                if Path(run.folder) == record.parent:
                    yield run


def members():
    """Processes of this user that carry a mark, with their runs."""
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError):
            if place.stat().st_uid == os.geteuid() and (run := _marked(int(place.name))):
                found[int(place.name)] = run
    mine = _marked(os.getpid())  # a run that cleans is not its own victim
    return {pid: run for pid, run in found.items() if run != mine}


def _marked(pid):
    start = f"{MARK}=".encode()
    words = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    mark = next((word for word in words if word.startswith(start)), None)
    return Run.read(os.fsdecode(mark.removeprefix(start))) if mark else None


def end():
    """Kill what carries the mark of a dead run; those that are still there after a while."""
    last = time.monotonic() + PATIENCE
    while True:
        left = {pid: run for pid, run in members().items() if not run.lives}
        if not left or time.monotonic() > last:
            return sorted(left)
        with ExitStack() as held:
            ending = [_killed(held, pid, run) for pid, run in left.items()]
            for one in filter(None, ending):
                select.select([one], [], [], max(0.0, last - time.monotonic()))


def _killed(held, pid, run):
    """A file descriptor that is readable when all of the process has ended, its locks too; its
    number may be another's by now, so it is killed through that."""
    try:
        one = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    held.callback(os.close, one)
    with suppress(OSError, ValueError):
        if _marked(pid) == run:
            signal.pidfd_send_signal(one, signal.SIGKILL)
            return one
    return None


def clean(say):
    """Remove what killed runs left; whether nothing of them is left."""
    alive = sorted({one for one in (*recorded(), *members().values()) if one.lives}, key=str)
    for run in alive:
        say(f"A run goes on (process {run.pid}, logs in {run.folder}): it is left alone.")
    left = [f"process {pid}" for pid in end()]
    if os.geteuid() == 0:
        left += _sweep(tuple(run.folder for run in alive))
    for run in [run for run in recorded() if not run.lives]:
        mounts = _mounts(run.folder)
        left += mounts
        if not mounts:
            shutil.rmtree(run.folder)
    for one in left:
        say(f"Still here: {one}")
    return not left


def _sweep(spared):
    """What local clouds left whose process is no more: namespaces, mounts, devices, groups, by
    the prefix of their ground."""
    left = []
    for record in sorted(Ground().run.parent.glob("*/tenant.json")):
        ground = Ground(record.parent.name)
        former = tenancy.tenant(ground)
        if former and not former.lives() and not former.state.startswith(spared):
            left += _strike(ground, Path(former.state))
    return left


def _strike(ground, state):
    last = time.monotonic() + PATIENCE
    try:
        with tenancy.hold(ground, state):
            while (left := cleaning.sweep(ground)) and time.monotonic() < last:
                time.sleep(0.2)
            if not left:
                cleaning.forget(ground, state)
            return left.lines()
    except tenancy.Occupied:  # a new one, whose start removes what was left
        return []


def _mounts(folder):
    """Nothing below a mount is ours to remove."""
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return [f"mount {one}" for one in points if one.startswith(f"{folder}/")]


if __name__ == "__main__":
    sys.exit(0 if clean(lambda line: sys.stderr.write(f"{line}\n")) else 1)
