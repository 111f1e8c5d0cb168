"""Unpack what a host runs: checked archives only, and nothing outside the given folder.

Two forms: a tar of plain files, and the PyPI wheel of Milvus, whose binaries are packed one by
one. Also runs on its own (playbooks/pack_tree.py) to turn the second form into the first.
"""

from __future__ import annotations

import lzma
import os
import re
import shutil
import tarfile
import typing as t
import zipfile
from concurrent.futures import ThreadPoolExecutor

CHUNK = 1 << 20
PART = r"[A-Za-z0-9_+][A-Za-z0-9._+-]*"
SAFE_NAME = re.compile(r"^{0}(/{0})*$".format(PART))
WHEEL_BINARY = re.compile(r"^milvus/data/bin/({})\.lzma$".format(PART))


class BadArchive(Exception):  # noqa: N818 - says what is bad, not that something crashed
    """The archive holds something a tree of plain files cannot hold."""


def unpack_tar(stream: t.IO[bytes], folder: str, strip: int = 0) -> None:
    """Unpack a tar stream of plain files, dropping `strip` leading folders of each name."""
    with tarfile.open(fileobj=stream, mode="r|*", bufsize=CHUNK) as archive:
        for member in archive:
            name = "/".join(member.name.split("/")[strip:])
            if member.isdir() or not name:
                continue
            if not member.isreg() or not SAFE_NAME.match(name):
                raise BadArchive("{!r} is not a plain file below the folder".format(member.name))
            source = archive.extractfile(member)
            if source is None:
                raise BadArchive("{!r} cannot be read".format(member.name))
            path = os.path.join(folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as target:  # noqa: PTH123 - hosts may run Python 3.8
                shutil.copyfileobj(source, target, CHUNK)
            os.chmod(path, 0o755 if member.mode & 0o100 else 0o644)


def unpack_milvus_wheel(wheel: str, folder: str, workers: int) -> None:
    """Unpack the server out of its wheel: bin/* and configs/glog.conf.

    Each binary is an LZMA file of its own; decoding leaves Python's lock, so threads share the
    cores. The largest goes first, it decides how long all of it takes.
    """
    os.makedirs(os.path.join(folder, "bin"))
    os.makedirs(os.path.join(folder, "configs"))
    with zipfile.ZipFile(wheel) as archive:
        packed = [i for i in archive.infolist() if WHEEL_BINARY.match(i.filename)]
        if not packed:
            raise BadArchive("the wheel holds no milvus/data/bin/*.lzma")
        with open(os.path.join(folder, "configs/glog.conf"), "wb") as target:  # noqa: PTH123
            target.write(archive.read("milvus/data/glog.conf"))

    def one(item: zipfile.ZipInfo) -> None:
        match = WHEEL_BINARY.match(item.filename)
        if match is None:
            raise BadArchive(item.filename)
        path = os.path.join(folder, "bin", match.group(1))
        with zipfile.ZipFile(wheel) as own, own.open(item) as raw:
            with lzma.open(raw) as source, open(path, "wb") as target:  # noqa: PTH123
                shutil.copyfileobj(source, target, CHUNK)
        os.chmod(path, 0o755)

    packed.sort(key=lambda item: -item.file_size)
    with ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
        list(pool.map(one, packed))


def pack_tar(folder: str, tar: str) -> None:
    """Pack a folder as an uncompressed tar that is the same byte for byte every time."""

    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.mtime = 0
        member.uid = member.gid = 0
        member.uname = member.gname = "root"
        return member

    with tarfile.open(tar, "w", format=tarfile.USTAR_FORMAT) as archive:
        for root, folders, files in os.walk(folder):
            folders.sort()
            for name in sorted(files):
                path = os.path.join(root, name)
                archive.add(path, os.path.relpath(path, folder), filter=plain)
