"""Of two runs under one lock the second says who is at work, and changes nothing."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "deploy" / "alone.sh"


def command(lock, *words):
    return [SCRIPT, lock, "A demo", *words]


@pytest.fixture
def first(tmp_path):
    """One that works, until it is told to end."""
    process = subprocess.Popen(
        command(tmp_path / "new folder" / "lock", "sh", "-c", "echo here; read line; exit 7"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=tmp_path,
        text=True,
    )
    assert process.stdout.readline() == "here\n"
    yield process
    process.kill()
    process.communicate()


def test_the_second_says_so_and_does_nothing(first, tmp_path):
    made = tmp_path / "made"
    second = subprocess.run(
        command(tmp_path / "new folder" / "lock", "touch", made),
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    assert (second.returncode, second.stdout) == (1, "")
    assert second.stderr == (
        f"A demo is already at work on this machine (process {first.pid}, in {tmp_path}); "
        "wait for it, or end it first.\n"
    )
    assert not made.exists()


def test_its_end_frees_the_lock_and_its_code_is_passed_on(first, tmp_path):
    first.communicate("go\n", timeout=20)
    assert first.returncode == 7
    again = subprocess.run(
        command(tmp_path / "new folder" / "lock", "true"), check=False, timeout=20
    )
    assert again.returncode == 0


def test_python_programs_do_not_pass_the_lock_on(tmp_path):
    """What a kept demo leaves running must not hold it."""
    start = "from subprocess import *; print(Popen(['sleep', '60'], stdout=DEVNULL).pid)"
    first = subprocess.run(
        command(tmp_path / "lock", sys.executable, "-c", start),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=20,
    )
    try:
        again = subprocess.run(command(tmp_path / "lock", "true"), check=False, timeout=20)
        assert again.returncode == 0
    finally:
        os.kill(int(first.stdout), signal.SIGKILL)


def test_where_no_lock_can_be_the_command_tells_why_itself(tmp_path):
    (tmp_path / "file").touch()
    done = subprocess.run(
        command(tmp_path / "file" / "lock", "sh", "-c", "exit 3"), check=False, timeout=20
    )
    assert done.returncode == 3
