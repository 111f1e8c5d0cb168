"""A service as a process: settings read, serve until SIGTERM or SIGINT, drain; refusals are a line.

Exit codes: 0 after a drain, 1 when the service could not start, or when work that must go on beside
it ended.
"""

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias, TypeVar

from kite.settings import Common, SettingsRefused, load
from kite.telemetry import logs

T = TypeVar("T", bound=Common)
_log = logs.get(__name__)
Stop: TypeAlias = asyncio.Event


class CannotListen(Exception):
    """The address cannot be bound; the text names it."""

    def __init__(self, listen: str) -> None:
        super().__init__(f"cannot listen on {listen} (taken, or not an address of this machine)")


def run(
    service: str,
    settings: type[T],
    serve: Callable[[T, Stop], Coroutine[Any, Any, None]],
    *,
    refusals: tuple[type[Exception], ...] = (),
) -> int:
    """Be the process of `service`: `serve` returns some time after `stop` was set.

    `refusals` are the service's own ways to say, in a sentence, that it cannot start.
    """
    known: tuple[type[Exception], ...] = (SettingsRefused, *refusals)
    try:
        chosen = load(settings)
        logs.start(service, level=chosen.log_level, form=chosen.log_format)
        for text in chosen.lacking():
            _log.warning(text)
        asyncio.run(_until_told(serve, chosen))
    except CannotListen as taken:
        sys.stderr.write(f"{service}: {taken}; see KITE_{service.upper()}_LISTEN\n")
        return 1
    except known as refused:
        sys.stderr.write("".join(f"{service}: {line}\n" for line in str(refused).splitlines()))
        return 1
    return 0


async def _until_told(serve: Callable[[T, Stop], Coroutine[Any, Any, None]], settings: T) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await serve(settings, stop)
