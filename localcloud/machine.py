"""A running pretend machine: systemd as first process of its own namespaces, in its own cgroup.

Everything it ever starts is in that cgroup, so that killing the group ends all of it.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from localcloud.tool import ToolFailed, insist, run

INIT = Path(__file__).with_name("host_init.sh")
POWER_OFF = signal.SIGRTMIN + 4
"""What systemd takes as an order to shut down (systemd(1), "Signals")."""
LISTENING = "0A"
PATIENCE = 30.0
"""Seconds a machine gets to shut down by itself."""


@dataclass(frozen=True)
class Disk:
    """A data disk as the machine shall see it: `/dev/NAME` and its by-id name."""

    name: str
    major: int
    minor: int
    volume_id: str

    @property
    def word(self) -> str:
        return f"{self.name}:{self.major}:{self.minor}:{self.serial}"

    @property
    def link(self) -> str:
        """The name by which a machine finds a certain volume."""
        return f"/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_{self.serial}"

    @property
    def serial(self) -> str:
        """The serial number of an EBS volume is its id without the dash."""
        return self.volume_id.replace("-", "")


class Machine:
    """One boot of one host, from power on to power off."""

    def __init__(
        self,
        *,
        namespace: str,
        root: Path,
        name: str,
        disks: Sequence[Disk],
        cgroup: Path,
        console: Path,
    ) -> None:
        """Power on. Raises OSError when the cgroup or the console cannot be made."""
        self._namespace, self._cgroup = namespace, cgroup
        cgroup.mkdir(parents=True)
        enter = f'echo $$ > "{cgroup}/cgroup.procs"; exec "$@"'
        with console.open("a") as log:
            self._process = subprocess.Popen(
                [
                    *("sh", "-ec", enter, "sh"),
                    *("nsenter", f"--net=/run/netns/{namespace}"),
                    *("unshare", "-m", "--propagation=slave", "-p", "-u", "-i", "-C"),
                    *("--fork", "--kill-child"),
                    *(str(INIT), str(root), name, *(disk.word for disk in disks)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def init(self) -> int | None:
        """This machine's number of the host's first process, once it exists."""
        here = len(_numbers(os.getpid()))
        for pid in members(self._cgroup):
            numbers = _numbers(pid)
            if len(numbers) == here + 1 and numbers[-1] == 1:
                return pid
        return None

    def listens(self, port: int) -> bool:
        """Whether something in the host accepts TCP connections on `port`; asks the kernel."""
        wanted = f":{port:04X}"
        pid = self.init
        for table in ("tcp", "tcp6"):
            try:
                text = Path(f"/proc/{pid}/net/{table}").read_text()
            except OSError:
                return False
            for line in text.splitlines()[1:]:
                _, local, _, state, *_ = line.split()
                if state == LISTENING and local.endswith(wanted):
                    return True
        return False

    def run(self, *argv: str, stdin: str | None = None) -> str:
        """Run a command of the host inside it. Raises ToolFailed."""
        pid = self.init
        if pid is None:
            raise ToolFailed(argv, 1, "the host is not running")
        return run("nsenter", "-t", pid, "-m", "-p", "-u", "-i", "-n", "--", *argv, stdin=stdin)

    def plug(self, disk: Disk) -> None:
        """Show a disk that was attached while the machine runs."""
        script = (
            'mknod -m 660 "/dev/$1" b "$2" "$3" && ln -s "$4" "/sys/block/$1" && '
            'ln -s "../../block/$1" "/sys/dev/block/$2:$3" && ln -s "../../$1" "$5"'
        )
        numbers = (str(disk.major), str(disk.minor))
        kernel = Path(f"/sys/dev/block/{disk.major}:{disk.minor}").resolve()
        self.run("sh", "-c", script, "sh", disk.name, *numbers, str(kernel), disk.link)

    def unplug(self, disk: Disk) -> None:
        number = f"/sys/dev/block/{disk.major}:{disk.minor}"
        self.run("rm", "-f", f"/dev/{disk.name}", f"/sys/block/{disk.name}", number, disk.link)

    def shut_down(self) -> None:
        """Ask it to power off, as EC2's stop does; then off it goes."""
        last = monotonic() + PATIENCE
        while self.alive and monotonic() < last and (pid := self.init) is not None:
            with suppress(ProcessLookupError):
                # Said again each second: a first process that is still starting hears nothing.
                os.kill(pid, POWER_OFF)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(1)
        self.off()

    def off(self) -> None:
        """Cut the power. Raises OSError when a process cannot be ended."""
        self._process.kill()  # it may not have reached its cgroup yet
        end(self._cgroup)
        self._process.wait()


def members(cgroup: Path) -> list[int]:
    """Every process in a control group and below."""
    pids: list[int] = []
    for path in cgroup.rglob("cgroup.procs"):
        try:
            pids += map(int, path.read_text().split())
        except OSError:
            continue  # the group ended meanwhile
    return pids


def end(cgroup: Path) -> None:
    """Kill whatever is in a control group and remove it; one that is not there is fine."""
    if not cgroup.is_dir():
        return

    def gone() -> None:
        # Together, for a process on its way into the group may arrive between the two.
        _kill(cgroup)
        _remove(cgroup)

    insist(gone)


def _kill(cgroup: Path) -> None:
    try:
        (cgroup / "cgroup.kill").write_text("1")
    except OSError:
        for pid in members(cgroup):
            _end_one(pid)
    if left := members(cgroup):
        raise BlockingIOError(f"still running: {left}")


def _end_one(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _remove(cgroup: Path) -> None:
    folders: Iterable[Path] = sorted(cgroup.rglob("*/"), reverse=True)
    for folder in (*folders, cgroup):
        if folder.is_dir():
            folder.rmdir()


def _numbers(pid: int) -> list[int]:
    """The numbers a process has, from our pid namespace inwards; none when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return []
    inner = next((line for line in lines if line.startswith("NSpid:")), "NSpid:")
    return [int(word) for word in inner.split()[1:]]
