"""What every Kite module does on a host: run programs, write files whole, hold the host lock.

Runs on the managed host with its own Python (3.8 or newer) and the standard library only.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import typing as t
from pathlib import Path

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

LOCK = Path("/run/kite-install.lock")
JOURNAL_LINES = 25
FRAME = re.compile(
    r"^(\t|goroutine \d|created by |r[a-z0-9]{1,2} +0x|(rip|rflags|cs|fs|gs) +0x"
    r"|[\w.\-/*()\[\]{}·%@]+\(.*\)$|[\w./-]+\.\S*\(.*\)$)"
)


class Refused(Exception):
    """The host cannot be brought to the wanted state; `reason` is UPPER_SNAKE."""

    def __init__(self, reason: str, message: str, **more: object) -> None:
        super().__init__(message)
        self.reason = reason
        self.more = more


@contextlib.contextmanager
def one_at_a_time() -> t.Iterator[None]:
    """Wait until no other run changes this host; the lock dies with its process."""
    with LOCK.open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def answer(module: AnsibleModule, work: t.Callable[[], dict[str, t.Any]]) -> None:
    """Do the work under the host lock and end the module with its result or its reason."""
    try:
        with one_at_a_time():
            result = work()
    except Refused as refusal:
        module.fail_json(msg=str(refusal), reason=refusal.reason, **refusal.more)
    except OSError as error:
        full = error.errno in {28, 122}  # ENOSPC, EDQUOT
        module.fail_json(msg=str(error), reason="DISK_FULL" if full else "TASK_FAILED")
    else:
        module.exit_json(**result)


def run(*argv: str, check: bool = True, timeout: float = 600) -> subprocess.CompletedProcess[str]:
    """Run a program by argument list; a non-zero end is a Refused naming it and its words."""
    environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    if shutil.which(argv[0]) is None:
        if check:
            raise Refused("TASK_FAILED", f"{argv[0]} is not on this host")
        return subprocess.CompletedProcess(argv, 127, "", "not on this host")
    done = subprocess.run(  # noqa: S603 - argument lists only, never a shell
        argv, capture_output=True, text=True, check=False, timeout=timeout, env=environment
    )
    if check and done.returncode:
        words = (done.stderr or done.stdout).strip()[-800:]
        raise Refused("TASK_FAILED", f"{argv[0]} ended with {done.returncode}: {words}")
    return done


def need_program(name: str, package: str) -> None:
    """Install the package of a missing program, waiting for whoever holds the package lock."""
    if shutil.which(name):
        return
    if shutil.which("apt-get"):
        argv = ["apt-get", "-y", "-o", "DPkg::Lock::Timeout=600", "--no-install-recommends"]
        done = run(*argv, "install", package, check=False, timeout=900)
        if done.returncode:
            run("apt-get", "-o", "DPkg::Lock::Timeout=600", "update", check=False, timeout=900)
            done = run(*argv, "install", package, check=False, timeout=900)
    else:
        done = run("dnf", "-y", "install", package, check=False, timeout=900)
    if done.returncode:
        words = (done.stderr or done.stdout).strip()[-400:]
        raise Refused("PACKAGE_UNAVAILABLE", f"cannot install {package}: {words}")


def sha256_of(path: str) -> str:
    """Digest of a file; empty when it is not there."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except FileNotFoundError:
        return ""


def text_of(path: str) -> str:
    """Text of a file; empty when it is not there."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""


def mode_of(path: str) -> int:
    """Permission bits of a file; -1 when it is not there."""
    try:
        return Path(path).stat().st_mode & 0o7777
    except FileNotFoundError:
        return -1


def write_whole(path: str, text: str, mode: int) -> None:
    """Replace a file in one step, so that no reader and no crash ever sees half of it."""
    folder = Path(path).parent
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=folder, prefix=".kite-")
    part = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.chmod(mode)
        part.rename(path)
    except BaseException:
        part.unlink()
        raise


def put(path: str, text: str, mode: int, *, pretend: bool) -> bool:
    """Make the file so; answers whether it had to change. `pretend` only answers."""
    same = text_of(path) == text and mode_of(path) == mode
    if not same and not pretend:
        write_whole(path, text, mode)
    return not same


def telling(lines: t.Sequence[str]) -> list[str]:
    """The lines a reader needs: a dying Go program buries its cause under hundreds of frames."""
    return [line[:400] for line in lines if line.strip() and not FRAME.match(line)]


def journal_tail(unit: str) -> list[str]:
    """The last telling lines a unit wrote, for the reader who has to find out why it died."""
    argv = ["journalctl", "--unit", unit, "--no-pager", "--output", "cat", "--lines", "3000"]
    done = run(*argv, check=False, timeout=20)
    return telling(done.stdout.splitlines())[-JOURNAL_LINES:]
