"""A place kills or freezes the process only when told so; told by a file, once."""

import os
import signal
import subprocess
import sys

from kite import crash

PROGRAM = "from kite import crash; crash.point('af', 'ter'); print('alive', flush=True)"


def run(at, *, freeze=False):
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "KITE_CRASH_AT": at},
        stdout=subprocess.PIPE,
        text=True,
    )
    if freeze:
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        process.send_signal(signal.SIGCONT)
    out, _ = process.communicate(timeout=30)
    return process.returncode, out


def test_untold_it_goes_on():
    assert run("") == (0, "alive\n")
    assert run("before") == (0, "alive\n")


def test_told_by_name_it_dies():
    assert run("after") == (-signal.SIGKILL, "")


def test_told_by_a_file_it_dies_once(tmp_path):
    trap = tmp_path / "trap"
    assert run(f"@{trap}") == (0, "alive\n")
    trap.write_text("before")
    assert run(f"@{trap}") == (0, "alive\n")
    trap.write_text("after\n")
    assert run(f"@{trap}") == (-signal.SIGKILL, "")
    assert not trap.exists()
    assert run(f"@{trap}") == (0, "alive\n")


def test_told_to_stop_it_freezes_and_goes_on(tmp_path):
    trap = tmp_path / "trap"
    trap.write_text("after stop")
    assert run(f"@{trap}", freeze=True) == (0, "alive\n")
    assert not trap.exists()


def test_no_place_is_named_twice_in_a_service():
    for points in crash.POINTS.values():
        assert len(points) == len(set(points))
