"""Fetch an archive, check it, and put its files in place in one step."""

from __future__ import annotations

import hashlib
import lzma
import os
import shutil
import tarfile
import tempfile
import time
import typing as t
import urllib.error
import urllib.request
import zipfile
import zlib
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.kite_host import Refused, answer, text_of
from ansible.module_utils.kite_unpack import BadArchive, unpack_milvus_wheel, unpack_tar

DOCUMENTATION = """
module: kite_tree
short_description: Fetch an archive, check it, and put its files in place in one step
description:
  - The folder appears whole or not at all; a wrong checksum never leaves a file behind.
options:
  url: {type: str, required: true, description: Where the archive is (http or https).}
  sha256: {type: str, required: true, description: Checksum of the archive.}
  dest: {type: path, required: true, description: Folder to make.}
  kind: {type: str, choices: [tree, wheel], default: tree, description: A tar or the wheel.}
  strip: {type: int, default: 0, description: Leading folders to drop from names in a tar.}
  free_mib: {type: int, default: 0, description: Free space that must be there.}
  timeout: {type: int, default: 30, description: Seconds without a byte before trying again.}
  tries: {type: int, default: 5, description: How often an unreachable address is tried.}
author: [Kite]
"""

MARK = ".sha256"
CHUNK = 1 << 20
WORTH_TRYING_AGAIN = {429, 500, 502, 503, 504}


class Hashing:
    """A stream that keeps the digest of all that went through it.

    Digests in a thread, one piece behind: sha256 leaves Python's lock, and takes half as long as
    unpacking does.
    """

    def __init__(self, stream: t.IO[bytes], length: int) -> None:
        self._stream = stream
        self._digest = hashlib.sha256()
        self._thread = ThreadPoolExecutor(1)
        self._behind: Future[None] | None = None
        self._left = length

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        if self._behind:
            self._behind.result()
        self._behind = self._thread.submit(self._digest.update, data)
        self._left -= len(data)
        if not data and self._left > 0:
            raise ConnectionError(f"the connection ended {self._left} bytes too early")
        return data

    def finish(self) -> str:
        """Read what the unpacker left and answer the digest of the whole."""
        while self.read(CHUNK):
            pass
        self._thread.shutdown()
        return self._digest.hexdigest()


def fetch(params: dict[str, t.Any]) -> t.IO[bytes]:
    """Open the address, trying again with growing pauses while nobody answers."""
    url = params["url"]
    if not url.startswith(("http://", "https://")):
        raise Refused("PACKAGE_UNAVAILABLE", f"{url!r} is not an http(s) address")
    for left in reversed(range(params["tries"])):
        try:
            return urllib.request.urlopen(url, timeout=params["timeout"])  # noqa: S310
        except urllib.error.HTTPError as error:
            final = error.code not in WORTH_TRYING_AGAIN
            words = f"{error.code} {error.reason}"
        except OSError as error:
            final, words = False, str(error)
        if final or not left:
            raise Refused("PACKAGE_UNAVAILABLE", f"{url}: {words}")
        time.sleep(0.25 * 2 ** (params["tries"] - left))
    raise Refused("PACKAGE_UNAVAILABLE", f"{url}: never tried")


def unpack(params: dict[str, t.Any], folder: Path) -> str:
    """Fill the folder and answer the digest of what came."""
    with fetch(params) as answer_stream:
        stream = Hashing(answer_stream, getattr(answer_stream, "length", None) or 0)
        if params["kind"] == "tree":
            unpack_tar(t.cast("t.IO[bytes]", stream), folder, params["strip"])
            return stream.finish()
        wheel = folder / ".wheel"
        with wheel.open("wb") as file:
            shutil.copyfileobj(t.cast("t.IO[bytes]", stream), file, CHUNK)
    digest = stream.finish()
    if digest == params["sha256"]:
        unpack_milvus_wheel(wheel, folder, os.cpu_count() or 1)
    wheel.unlink()
    return digest


def build(params: dict[str, t.Any], part: Path) -> None:
    """Make the folder complete, or say in one word what is wrong with the archive."""
    broken: Exception | None = None
    digest = ""
    try:
        digest = unpack(params, part)
    except (BadArchive, tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error) as error:
        broken = error
    except (EOFError, TimeoutError, ConnectionError) as error:
        raise Refused("PACKAGE_UNAVAILABLE", "{}: {}".format(params["url"], error)) from error
    if broken is not None or digest != params["sha256"]:
        what = str(broken) if broken else "sha256 is {}, not {}".format(digest, params["sha256"])
        raise Refused("CHECKSUM_MISMATCH", "{}: {}".format(params["url"], what)) from broken
    (part / MARK).write_text(digest, encoding="ascii")
    part.chmod(0o755)


def place(params: dict[str, t.Any]) -> None:
    """Build beside the place and rename; remove what killed runs left there."""
    dest = Path(params["dest"])
    parent = dest.parent
    parent.mkdir(parents=True, exist_ok=True)
    for old in parent.glob(".part-*"):
        shutil.rmtree(old, ignore_errors=True)
    free = shutil.disk_usage(parent).free >> 20
    if free < params["free_mib"]:
        words = "{} has {} MiB free, {} are needed".format(parent, free, params["free_mib"])
        raise Refused("DISK_FULL", words)
    part = Path(tempfile.mkdtemp(dir=parent, prefix=".part-"))
    try:
        build(params, part)
        shutil.rmtree(dest, ignore_errors=True)
        part.rename(dest)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def main() -> None:
    """Entry point of the module."""
    spec = {
        "url": {"type": "str", "required": True},
        "sha256": {"type": "str", "required": True},
        "dest": {"type": "path", "required": True},
        "kind": {"type": "str", "choices": ["tree", "wheel"], "default": "tree"},
        "strip": {"type": "int", "default": 0},
        "free_mib": {"type": "int", "default": 0},
        "timeout": {"type": "int", "default": 30},
        "tries": {"type": "int", "default": 5},
    }
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)

    def work() -> dict[str, t.Any]:
        mark = text_of(str(Path(module.params["dest"], MARK)))
        missing = mark != module.params["sha256"]
        if missing and not module.check_mode:
            place(module.params)
        return {"changed": missing}

    answer(module, work)


if __name__ == "__main__":
    main()
