"""Several processes are one: logs side by side, stopped together."""

import asyncio
import os
import signal
import sys

from kite.cli.supervise import End, supervise

READY_THEN_WAIT = "print('ready', flush=True); import signal; signal.pause()"


def python(text):
    return (sys.executable, "-c", text)


class Heard:
    """Lines as they come; acts on the line it waits for."""

    def __init__(self, wanted, act):
        self.lines, self.wanted, self.act = [], wanted, act

    def __call__(self, line):
        self.lines.append(line)
        if self.wanted and all(any(w in one for one in self.lines) for w in self.wanted):
            self.wanted = ()
            self.act()


def interrupt():
    os.kill(os.getpid(), signal.SIGTERM)


async def test_the_first_that_ends_is_named_and_the_others_stopped():
    heard = Heard((), None)
    ended = await supervise(
        {"quick": python("raise SystemExit(3)"), "slow": python(READY_THEN_WAIT)}, heard
    )
    assert ended == End("quick", 3)
    assert str(ended) == "quick ended with exit code 3"


async def test_a_signal_stops_all_and_is_no_failure():
    heard = Heard(("one | ready", "two | ready"), interrupt)
    commands = {"one": python(READY_THEN_WAIT), "two": python(READY_THEN_WAIT)}
    assert await supervise(commands, heard) is None


async def test_lines_carry_names_of_one_width():
    heard = Heard((), None)
    await supervise({"a": python("print('x')"), "long": python(READY_THEN_WAIT)}, heard)
    assert "a    | x" in heard.lines


async def test_one_killed_by_a_signal_is_told_so():
    text = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    ended = await supervise({"x": python(text)}, lambda _line: None)
    assert str(ended) == "x was killed by SIGKILL"


async def test_one_that_ignores_the_signal_is_killed():
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True)\n"
    heard = Heard(("deaf",), interrupt)
    ended = await supervise({"x": python(deaf + "while True: time.sleep(60)")}, heard, patience=0.2)
    assert ended is None


async def test_draining_is_waited_for():
    text = (
        "import signal\n"
        "def end(*_): print('drained', flush=True); raise SystemExit(0)\n"
        "signal.signal(15, end); print('ready', flush=True); signal.pause()"
    )
    heard = Heard(("ready",), interrupt)
    await supervise({"x": python(text)}, heard)
    assert "x | drained" in heard.lines


async def test_a_command_that_is_not_there_leaves_nothing_running():
    started = Heard((), None)
    try:
        await supervise({"a": python(READY_THEN_WAIT), "b": ("/no/such/program",)}, started)
    except FileNotFoundError:
        pass
    else:
        raise AssertionError("it should have been refused")
    await asyncio.sleep(0)


async def test_a_line_without_end_does_not_stop_the_others():
    text = "import sys; sys.stdout.write('x' * (1 << 21) + '\\n'); print('after')"
    heard = Heard((), None)
    await supervise({"x": python(text)}, heard)
    assert any("was left out" in line for line in heard.lines)
    assert "x | after" in heard.lines
