"""Unpack what a host runs: checked archives only, and nothing outside the given folder.

Two forms: a tar of plain files, and the PyPI wheel of Milvus, whose binaries are packed one by
one. Also runs on its own (playbooks/pack_tree.py) to turn the second form into the first.
"""

from __future__ import annotations

import lzma
import re
import shutil
import tarfile
import typing as t
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

CHUNK = 1 << 20
PART = r"[A-Za-z0-9_+][A-Za-z0-9._+-]*"
SAFE_NAME = re.compile(rf"^{PART}(/{PART})*$")
WHEEL_BINARY = re.compile(rf"^milvus/data/bin/({PART})\.lzma$")


class BadArchive(Exception):
    """The archive holds something a tree of plain files cannot hold."""


def unpack_tar(stream: t.IO[bytes], folder: Path, strip: int = 0) -> None:
    """Unpack a tar stream of plain files, dropping `strip` leading folders of each name."""
    with tarfile.open(fileobj=stream, mode="r|*", bufsize=CHUNK) as archive:
        for member in archive:
            name = "/".join(member.name.split("/")[strip:])
            if member.isdir() or not name:
                continue
            if not member.isreg() or not SAFE_NAME.match(name):
                raise BadArchive(f"{member.name!r} is not a plain file below the folder")
            source = archive.extractfile(member)
            if source is None:
                raise BadArchive(f"{member.name!r} cannot be read")
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as target:
                shutil.copyfileobj(source, target, CHUNK)
            path.chmod(0o755 if member.mode & 0o100 else 0o644)


def unpack_milvus_wheel(wheel: Path, folder: Path, workers: int) -> None:
    """Unpack the server out of its wheel: bin/* and configs/glog.conf.

    Each binary is an LZMA file of its own; decoding leaves Python's lock, so threads share the
    cores. The largest goes first, it decides how long all of it takes.
    """
    binaries, configs = folder / "bin", folder / "configs"
    binaries.mkdir()
    configs.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        sizes = {item.filename: item.file_size for item in archive.infolist()}
        (configs / "glog.conf").write_bytes(archive.read("milvus/data/glog.conf"))
    matches = [match for match in map(WHEEL_BINARY.match, sizes) if match]
    if not matches:
        raise BadArchive("the wheel holds no milvus/data/bin/*.lzma")

    def one(match: re.Match[str]) -> None:
        with zipfile.ZipFile(wheel) as own, own.open(match.string) as packed:
            decode(packed, binaries / match.group(1))

    matches.sort(key=lambda match: -sizes[match.string])
    with ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
        list(pool.map(one, matches))


def decode(packed: t.IO[bytes], path: Path) -> None:
    """One LZMA stream into one program."""
    with lzma.open(packed) as source, path.open("wb") as target:
        shutil.copyfileobj(source, target, CHUNK)
    path.chmod(0o755)


def pack_tar(folder: Path, tar: Path) -> None:
    """Pack a folder as an uncompressed tar that is the same byte for byte every time."""

    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.mtime = 0
        member.uid = member.gid = 0
        member.uname = member.gname = "root"
        return member

    with tarfile.open(tar, "w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            archive.add(path, str(path.relative_to(folder)), filter=plain)
