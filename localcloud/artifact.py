"""The Milvus server files the pretend hosts install, fetched once and kept.

The wheel `milvus` 2.3.5 carries the whole server. It is old and has known CVEs, so only the local
cloud hands it out. Promise: what is handed out has the digest written here.
"""

from __future__ import annotations

import hashlib
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from localcloud.root import Say, alone
from localcloud.tool import ToolFailed, run

REQUIREMENT = "milvus==2.3.5"
WHEELS = {
    "x86_64": (
        "milvus-2.3.5-py3-none-manylinux2014_x86_64.whl",
        "69515a0630ce29fd10e101fa442afea8ca1387b93a456cd9bd41fdf3deb93d04",
    ),
}


class NoArtifact(Exception):
    """The Milvus wheel cannot be had: why, and what to do."""


@dataclass(frozen=True)
class Artifact:
    """A file on this machine and its SHA-256 in lower-case hex."""

    path: Path
    sha256: str


def ensure(folder: Path, say: Say) -> Artifact:
    """The wheel for this machine, fetched now if it is not in the cache. Raises NoArtifact."""
    name, sha256 = _wheel(platform.machine())
    path = folder / "artifacts" / name
    if path.is_file() and digest(path) == sha256:
        return Artifact(path, sha256)
    path.parent.mkdir(parents=True, exist_ok=True)
    with alone(path.with_suffix(".lock")):
        if not (path.is_file() and digest(path) == sha256):
            say(f"Fetching {name} (once)")
            _fetch(path, sha256)
    return Artifact(path, sha256)


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _wheel(machine: str) -> tuple[str, str]:
    try:
        return WHEELS[machine]
    except KeyError:
        raise NoArtifact(f"The Milvus server has no wheel for a {machine} machine.") from None


def _fetch(path: Path, sha256: str) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent) as work:
        tried: list[str] = []
        for pip in _pips():
            try:
                run(*pip, "download", "-q", "--no-deps", "--dest", work, REQUIREMENT, seconds=900)
            except ToolFailed as error:
                tried.append(str(error))
                continue
            fetched = Path(work) / path.name
            if not fetched.is_file():
                raise NoArtifact(f"{REQUIREMENT} brought no {path.name}; is this Linux x86_64?")
            if (found := digest(fetched)) != sha256:
                raise NoArtifact(f"{path.name} has SHA-256 {found} and should have {sha256}.")
            fetched.rename(path)
            return
        raise NoArtifact(f"Cannot fetch {REQUIREMENT}: {'; '.join(tried) or 'no pip found'}.")


def _pips() -> Iterator[tuple[str, ...]]:
    """Virtual environments made by uv have no pip of their own."""
    yield (sys.executable, "-m", "pip")
    if shutil.which("uv"):
        yield ("uv", "tool", "run", "pip")
    if python := shutil.which("python3"):
        yield (python, "-m", "pip")
