"""Run one of this machine's tools to its end, or say in one sentence what it said."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from time import sleep


class ToolFailed(Exception):
    """A tool of this machine refused: which one, and the last line it wrote."""

    def __init__(self, argv: Sequence[str], code: int, said: str) -> None:
        last = said.strip().splitlines()[-1] if said.strip() else "it said nothing"
        super().__init__(f"`{' '.join(argv)}` ended with {code}: {last}")
        self.argv, self.code, self.said = tuple(argv), code, said


def run(*argv: str | object, stdin: str | None = None, seconds: float = 60) -> str:
    """What the tool wrote to its output. Raises ToolFailed when it ends with an error."""
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(
            words, input=stdin, text=True, capture_output=True, check=False, timeout=seconds
        )
    except FileNotFoundError as error:
        raise ToolFailed(words, 127, f"{words[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise ToolFailed(words, 124, f"no end after {seconds:.0f} seconds") from error
    if done.returncode:
        raise ToolFailed(words, done.returncode, done.stderr or done.stdout)
    return done.stdout


def insist(act: Callable[[], object], *, tries: int = 600, pause: float = 0.05) -> None:
    """Repeat what the kernel may refuse for a moment (a busy mount) until it is done.

    By default for half a minute: a killed process may still be writing to a slow disk.

    Raises the last ToolFailed or OSError when it stays refused.
    """
    for left in reversed(range(tries)):
        try:
            act()
        except (ToolFailed, OSError):
            if not left:
                raise
            sleep(pause)
        else:
            return
