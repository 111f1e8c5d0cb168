"""One JSON line per event on standard output; a readable form on a terminal.

Control characters in values are escaped, so a value can never forge a line. A line that cannot be
written is dropped: no request fails because its log does.
"""

import asyncio
import json
import logging
import sys
import time
import traceback
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "silent": 50}
_NOTHING: Mapping[str, object] = {}
_bound: ContextVar[Mapping[str, object]] = ContextVar("kite_log_facts", default=_NOTHING)


@dataclass(slots=True)
class _How:
    """How this process logs; until it says so, readable lines from info on."""

    least: int = LEVELS["info"]
    readable: bool = True
    service: str = ""


_how = _How()


def start(service: str, *, level: str = "info", form: str = "auto") -> None:
    """Configure logging of this process; `form` is auto, json or console."""
    _how.least = LEVELS[level]
    _how.readable = form == "console" or (form == "auto" and sys.stdout.isatty())
    _how.service = service
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, force=True)
    logging.getLogger("grpc._cython.cygrpc").addFilter(_not_cancelled)


def _not_cancelled(record: logging.LogRecord) -> bool:
    """False for calls that a drain cancelled before they began: grpc calls that an error."""
    return not (record.exc_info and record.exc_info[0] is asyncio.CancelledError)


def bind(**facts: object) -> None:
    """Put `facts` on every line of the present task and of the tasks it starts."""
    _bound.set({**_bound.get(), **facts})


class Log:
    """Logger of one module. An event is a constant sentence; what varies goes into facts.

    The fact `exc_info` takes an exception, whose trace is then told.
    """

    def __init__(self, module: str) -> None:
        self._module = module

    def debug(self, event: str, **facts: object) -> None:
        self._tell("debug", event, facts)

    def info(self, event: str, **facts: object) -> None:
        self._tell("info", event, facts)

    def warning(self, event: str, **facts: object) -> None:
        self._tell("warning", event, facts)

    def error(self, event: str, **facts: object) -> None:
        self._tell("error", event, facts)

    def exception(self, event: str, **facts: object) -> None:
        """An error, with the trace of the exception that is being handled."""
        self._tell("error", event, {**facts, "exc_info": sys.exc_info()[1]})

    def _tell(self, level: str, event: str, facts: Mapping[str, object]) -> None:
        if LEVELS[level] < _how.least:
            return
        who = {"service": _how.service} if _how.service else {}
        every = {**who, **_bound.get(), "module": self._module, **facts}
        failed = every.pop("exc_info", None)
        if isinstance(failed, BaseException):
            every["exception"] = "".join(traceback.format_exception(failed)).rstrip()
        write = _readable if _how.readable else _json
        try:
            sys.stdout.write(write(level, event, every) + "\n")
            sys.stdout.flush()
        except (OSError, ValueError):  # nobody listens any more
            return


def get(name: str) -> Log:
    """Logger that names the module it speaks for."""
    return Log(name)


def _now() -> str:
    return datetime.fromtimestamp(time.time(), UTC).isoformat().replace("+00:00", "Z")


def _json(level: str, event: str, facts: Mapping[str, object]) -> str:
    line = {**facts, "level": level, "timestamp": _now(), "event": event}
    return json.dumps(line, default=str)


def _readable(level: str, event: str, facts: Mapping[str, object]) -> str:
    """Time, level, event, facts; a trace keeps its lines, each set in."""
    told = {name: value for name, value in facts.items() if name != "exception"}
    words = " ".join(f"{name}={_plain(value)}" for name, value in told.items())
    trace = str(facts.get("exception", "")).splitlines()
    head = f"{_now()} {level:7} {_plain(event, spaces=True):40} {words}"
    return "\n".join([head, *(f"    {_plain(line, spaces=True)}" for line in trace)])


def _plain(value: object, *, spaces: bool = False) -> str:
    """The value as it is when it is plain text, else quoted with its control characters escaped."""
    text = str(value)
    if text.isprintable() and text and (spaces or not set(' "=') & set(text)):
        return text
    return json.dumps(text)
