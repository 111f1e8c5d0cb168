"""The Milvus server files unpacked once, as the tar that the role only has to lay down.

Decoding the wheel costs each host several seconds of CPU; here it is done once and kept in the
cache, by the same script that operators use (`playbooks/pack_tree.py`).
"""

from __future__ import annotations

import sys
from pathlib import Path

from localcloud.artifact import Artifact, digest
from localcloud.root import Say, alone
from localcloud.tool import run

PACK = Path(__file__).parents[1] / "playbooks" / "pack_tree.py"


def ensure(wheel: Artifact, say: Say) -> Artifact:
    """The tree of `wheel`, packed now if it is not in the cache. Raises ToolFailed."""
    path = wheel.path.with_suffix(".tar")
    mark = path.with_suffix(".tar.sha256")
    with alone(path.with_suffix(".lock")):
        if not (path.is_file() and mark.is_file()):
            say(f"Unpacking {wheel.path.name} (once)")
            run(sys.executable, PACK, wheel.path, path, seconds=600)
            mark.write_text(digest(path))
    return Artifact(path, mark.read_text().strip())
