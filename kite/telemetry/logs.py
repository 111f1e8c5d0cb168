"""One JSON line per event on standard output; a readable form on a terminal.

Control characters in values are escaped, so a value can never forge a line. A line that cannot be
written is dropped: no request fails because its log does.
"""

import asyncio
import contextlib
import io
import logging
import sys

# structlog loads rich where it is installed (3 MB and 60 ms in every service) to draw traces in
# colour, and does without it where it is not. Ours are plain.
_hidden = "rich" not in sys.modules
if _hidden:
    sys.modules["rich"] = None  # type: ignore[assignment]
import structlog  # noqa: E402

if _hidden:
    del sys.modules["rich"]

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "silent": 50}


class _Output(io.StringIO):
    """Standard output as it is at each line; nobody listening any more is no failure."""

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()


def _not_cancelled(record: logging.LogRecord) -> bool:
    """False for calls that a drain cancelled before they began: grpc calls that an error."""
    return not (record.exc_info and record.exc_info[0] is asyncio.CancelledError)


def _renderer(*, console: bool) -> structlog.typing.Processor:
    if console:
        # Strings are quoted: as they are, a value could speak to the terminal.
        return structlog.dev.ConsoleRenderer(
            colors=sys.stdout.isatty(),
            repr_native_str=True,
            exception_formatter=structlog.dev.plain_traceback,
        )
    return structlog.processors.JSONRenderer()


def start(service: str, *, level: str = "info", form: str = "auto") -> None:
    """Configure logging of this process; `form` is auto, json or console."""
    console = form == "console" or (form == "auto" and sys.stdout.isatty())
    steps: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if not console:
        steps.append(structlog.processors.format_exc_info)
    structlog.configure(
        processors=[*steps, _renderer(console=console)],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(_Output()),
    )
    bind(service=service)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, force=True)
    logging.getLogger("grpc._cython.cygrpc").addFilter(_not_cancelled)


def bind(**facts: object) -> None:
    """Put `facts` on every line of the present task and of the tasks it starts."""
    structlog.contextvars.bind_contextvars(**facts)


def get(name: str) -> structlog.typing.FilteringBoundLogger:
    """Logger that names the module it speaks for."""
    log: structlog.typing.FilteringBoundLogger = structlog.get_logger(module=name)
    return log
