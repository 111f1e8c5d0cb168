"""Turn the Milvus wheel into the tree the role unpacks fastest; prints its SHA-256.

    python pack_tree.py WHEEL TREE.tar

The result is the same byte for byte every time and appears whole or not at all. Decoding once
here instead of on every host takes the CPU-bound half out of an install.
"""

import hashlib
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "plugins" / "module_utils"))
from kite_unpack import pack_tar, unpack_milvus_wheel


def pack(wheel: Path, tree: Path) -> str:
    """Write the tree beside its place, move it there, and answer its digest."""
    with tempfile.TemporaryDirectory(dir=tree.parent, prefix=".pack-") as work:
        folder, part = Path(work) / "tree", Path(work) / "tree.tar"
        folder.mkdir()
        unpack_milvus_wheel(wheel, folder, os.cpu_count() or 1)
        pack_tar(folder, part)
        with part.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        part.rename(tree)
    return digest


if __name__ == "__main__":
    if len(sys.argv) != 3:  # noqa: PLR2004 - program, wheel, tree
        sys.exit(__doc__)
    print(pack(Path(sys.argv[1]), Path(sys.argv[2])))  # noqa: T201 - its answer
