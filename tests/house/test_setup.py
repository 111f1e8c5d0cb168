"""`deploy/setup.sh` without a package index: a sentence, exit 1, nothing half made."""

import os
import shutil
import subprocess
import sys

import pytest

from tests.house import tree

DEAD = "http://127.0.0.1:9/simple"
NEEDS = ("deploy/setup.sh", "deploy/constraints.txt", "pyproject.toml", "README.md")


@pytest.fixture
def checkout(tmp_path):
    for name in (*NEEDS, "kite/__init__.py"):
        place = tmp_path / name
        place.parent.mkdir(exist_ok=True)
        shutil.copy(tree.ROOT / name, place)
    return tmp_path


def base(folder):
    own = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "UV_"))}
    index = {"UV_DEFAULT_INDEX": DEAD, "UV_INDEX_URL": DEAD, "PIP_INDEX_URL": DEAD}
    once = {"UV_NO_CACHE": "1", "UV_HTTP_RETRIES": "0", "PIP_NO_CACHE_DIR": "1", "PIP_RETRIES": "0"}
    return subprocess.run(
        [folder / "deploy" / "setup.sh", "base"],
        env=own | index | once | {"PIP_CONFIG_FILE": os.devnull, "UV_NO_CONFIG": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("before", [False, True], ids=["new", "there before"])
def test_a_dead_index_is_a_sentence_and_leaves_things_as_they_were(checkout, before):
    if before:
        subprocess.run(
            [sys.executable, "-m", "venv", "--without-pip", checkout / ".venv"], check=True
        )
    done = base(checkout)
    assert (done.returncode, done.stdout) == (1, "")
    *steps, last = done.stderr.splitlines()
    assert all(line.startswith("setup: ") for line in steps)
    assert last.startswith("setup: the wheels for .venv could not be installed (")
    assert "check the network or the package index (UV_INDEX_URL, PIP_INDEX_URL)" in last
    assert (checkout / ".run" / "setup.log").read_text()
    assert (checkout / ".venv").exists() is before
