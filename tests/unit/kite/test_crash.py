"""A place kills or freezes the process only when told so; told by a file, once."""

import os
import select
import signal
import subprocess
import sys

from kite import crash

PROGRAM = "from kite import crash; crash.point('af', 'ter'); print('alive', flush=True)"
IN_A_THREAD = """
import os, threading
from kite import crash
def work():
    crash.point("after")
    os.write(1, b"alive")
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""


def start(at, program=PROGRAM):
    return subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "KITE_CRASH_AT": at},
        stdout=subprocess.PIPE,
        text=True,
    )


def stopped(process):
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    return os.WIFSTOPPED(status)


def run(at, *, freeze=False):
    process = start(at)
    if freeze:
        assert stopped(process)
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


def test_a_thread_that_is_told_to_stop_does_nothing_more(tmp_path):
    """Calls to EC2 are sent by threads: none may leave behind a place that should freeze it."""
    trap = tmp_path / "trap"
    for _ in range(5):
        trap.write_text("after stop")
        process = start(f"@{trap}", IN_A_THREAD)
        assert stopped(process)
        ready, _, _ = select.select([process.stdout], [], [], 0.05)
        process.send_signal(signal.SIGCONT)
        assert process.communicate(timeout=30) == ("alive", None)
        assert not ready


def test_no_place_is_named_twice_in_a_service():
    for points in crash.POINTS.values():
        assert len(points) == len(set(points))
