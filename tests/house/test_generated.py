"""The committed wire code is what the protos generate, byte for byte."""

import subprocess

from tests.house import tree


def test_generated_code_equals_its_source(tmp_path):
    subprocess.run(
        ["bash", str(tree.ROOT / "deploy/generate.sh"), str(tmp_path)], check=True, timeout=120
    )
    fresh = {
        path.relative_to(tmp_path).as_posix(): path.read_bytes()
        for path in tmp_path.rglob("*")
        if path.is_file()
    }
    committed = {
        name: (tree.ROOT / name).read_bytes()
        for name in tree.files()
        if name.startswith("kite/v1/") and not name.endswith("__init__.py")
    }
    assert sorted(fresh) == sorted(committed)
    changed = [name for name in fresh if fresh[name] != committed[name]]
    assert changed == [], "run `make proto`"
