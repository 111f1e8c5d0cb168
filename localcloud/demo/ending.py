"""How a demo ends early: the first Ctrl-C ends the story, no later one disturbs its end."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Any, Self

ENDS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Ctrl-C, a polite kill, and the terminal or connection going away."""


class Ended(BaseException):
    """A signal of ENDS: take everything down and go."""


class Ends:
    """While it lasts, the first signal of ENDS raises Ended, once; after `deafen` none does.

    What is started by a deaf process is deaf, too: a terminal sends its Ctrl-C to all of a group,
    so also to the tools that take the network down.
    """

    def __enter__(self) -> Self:
        self._before: dict[signal.Signals, Any] = {
            kind: signal.signal(kind, self._end) for kind in ENDS
        }
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for sign, handler in self._before.items():
            signal.signal(sign, handler)

    def deafen(self) -> None:
        for kind in ENDS:
            signal.signal(kind, signal.SIG_IGN)

    def _end(self, _number: int, _frame: FrameType | None) -> None:
        self.deafen()
        raise Ended
