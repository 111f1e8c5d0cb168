"""Before anything is changed, everything missing is said; what ends a start leaves nothing."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from localcloud import leftovers, root
from localcloud.ground import Ground
from localcloud.recipe import Recipe
from tests.localcloud.world import PATIENCE, ROOT, command, until

GROUND = Ground("ky", 184)


def check(*argv, **environment):
    return subprocess.run(
        [*argv, sys.executable, "-m", "localcloud", "check", "--port=0"],
        cwd=ROOT,
        env={**os.environ, "KITE_LOCALCLOUD_GROUND": "ky:184", **environment},
        text=True,
        capture_output=True,
        check=False,
        timeout=PATIENCE,
    )


def test_this_machine_is_fit():
    done = check()

    assert (done.returncode, done.stderr) == (0, "")


def test_without_root_it_says_so():
    done = check("setpriv", "--reuid=65534", "--clear-groups")

    assert done.returncode == 1
    assert "run it with sudo" in done.stderr


def test_missing_tools_are_named_with_their_packages(tmp_path):
    done = check(PATH=str(tmp_path))

    assert done.returncode == 1
    assert "nftables" in done.stderr
    assert "xfsprogs" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_taken_port_is_named():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = command(GROUND, "check", f"--port={port}")

    assert done.returncode == 1
    assert f"TCP port {port}" in done.stderr


def test_a_range_in_use_is_named(cloud):
    done = subprocess.run(
        [sys.executable, "-m", "localcloud", "check", "--port=0"],
        cwd=ROOT,
        env={**os.environ, "KITE_LOCALCLOUD_GROUND": f"zz:{cloud.ground.number}"},
        text=True,
        capture_output=True,
        check=False,
    )

    assert done.returncode == 1
    assert f"{cloud.ground.vpc} by {cloud.ground.uplink}" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_it_comes_up_leaves_nothing(tmp_path, number):
    process = subprocess.Popen(
        [sys.executable, "-m", "localcloud", "serve", "--state", tmp_path / "s", "--port=0"],
        cwd=ROOT,
        env={**os.environ, "KITE_LOCALCLOUD_GROUND": "ky:184"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        until(lambda: leftovers.find(GROUND), "the first of it")
        process.send_signal(number)
        said, _ = process.communicate(timeout=PATIENCE)

    assert (process.returncode, said) == (130, "")
    assert not leftovers.find(GROUND)


def test_a_half_built_root_is_never_used(tmp_path):
    broken = Recipe("bookworm", "Types: deb\nURIs: file:/nowhere\nSuites: bookworm\n")

    with pytest.raises(root.NoRoot, match="mirrors"):
        root.ensure(broken, tmp_path, lambda _: None)

    assert [path.suffix for path in (tmp_path / "roots").iterdir()] == [".lock"]


def test_what_a_killed_builder_left_is_removed_by_the_next(tmp_path, monkeypatch):
    recipe = Recipe("bookworm", "")
    old = root.place(recipe, tmp_path).with_name(f"{recipe.key}.new-killed")
    (old / "root").mkdir(parents=True)

    def build(*words):
        (Path(words[-2])).mkdir()

    monkeypatch.setattr(root, "_bootstrap", build)
    made = root.ensure(recipe, tmp_path, lambda _: None)

    assert made.is_dir()
    assert not old.exists()
