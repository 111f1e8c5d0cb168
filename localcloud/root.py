"""The root file system all pretend hosts share, built once and kept.

Promise: a half-built root is never used. It grows in a folder beside its final place and is
renamed when it is whole; a second builder waits for the first.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from localcloud import apt_sources
from localcloud.recipe import Recipe
from localcloud.tool import ToolFailed, run

SLOWEST = 1800
"""Seconds a build may take on a poor network."""

Say = Callable[[str], None]


class NoRoot(Exception):
    """The root of the pretend hosts cannot be had: why, and what to do."""


def cache(environment: dict[str, str] | os._Environ[str] = os.environ) -> Path:
    """Where built roots and fetched files are kept between runs."""
    if named := environment.get("KITE_CACHE"):
        return Path(named).absolute()
    shared = environment.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(shared) / "kite"


def recipe(extra: tuple[str, ...] = ()) -> Recipe:
    """The recipe for this machine: its distribution, its mirrors. Raises NoRoot."""
    release = dict(
        line.split("=", 1) for line in _read(Path("/etc/os-release")).splitlines() if "=" in line
    )
    codename = release.get("VERSION_CODENAME", "").strip('"')
    sources = apt_sources.own((_read(path) for path in _source_files()), codename)
    if not sources:
        raise NoRoot(
            f"No package source of {codename or 'this distribution'} is configured in "
            "/etc/apt; the pretend hosts are made from Debian or Ubuntu packages."
        )
    return Recipe(codename, sources, extra)


def place(what: Recipe, folder: Path) -> Path:
    """Where the finished root of this recipe is, or will be."""
    return folder / "roots" / what.key


def ensure(what: Recipe, folder: Path, say: Say) -> Path:
    """The finished root, built now if it is not there. Raises NoRoot or OSError."""
    root = place(what, folder)
    if root.is_dir():
        return root
    root.parent.mkdir(parents=True, exist_ok=True)
    with alone(root.with_suffix(".lock")):
        if not root.is_dir():
            _build(what, root, say)
    return root


def _build(what: Recipe, root: Path, say: Say) -> None:
    say(f"Building the root of the pretend hosts ({what.codename}, once; about half a minute)")
    since = monotonic()
    for old in root.parent.glob(f"{root.name}.new-*"):
        shutil.rmtree(old, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix=f"{root.name}.new-", dir=root.parent))
    try:
        (work / "sources.sources").write_text(what.sources)
        (work / "prepare").write_text(what.prepare)
        _bootstrap(
            "--mode=root",
            "--variant=minbase",
            "--dpkgopt=force-unsafe-io",
            f"--include={','.join(what.packages)}",
            f'--customize-hook=chroot "$1" sh < {work}/prepare',
            what.codename,
            work / "root",
            work / "sources.sources",
        )
        (work / "root").chmod(0o755)
        (work / "root").rename(root)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    say(f"Built the root in {monotonic() - since:.0f} s")


def _bootstrap(*words: str | Path) -> None:
    try:
        run("mmdebstrap", *words, seconds=SLOWEST)
    except ToolFailed as error:
        errors = [line for line in error.said.splitlines() if line.startswith("E: ")]
        why = (errors or [str(error)])[0].removeprefix("E: ")
        raise NoRoot(
            f"The root of the pretend hosts could not be built ({why}); are the package mirrors "
            "of /etc/apt reachable and is there room on the disk?"
        ) from None


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold a file lock: one builder at a time, others wait."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _source_files() -> list[Path]:
    parts = Path("/etc/apt/sources.list.d")
    return [Path("/etc/apt/sources.list"), *sorted(parts.glob("*.sources")), *parts.glob("*.list")]


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
