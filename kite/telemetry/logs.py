"""One JSON line per event on standard output; a readable form on a terminal.

Control characters in values are escaped by the renderers, so a value can never forge a line.
"""

import asyncio
import logging
import sys

import structlog

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def _not_cancelled(record: logging.LogRecord) -> bool:
    """False for calls that a drain cancelled before they began: grpc calls that an error."""
    return not (record.exc_info and record.exc_info[0] is asyncio.CancelledError)


def start(service: str, *, level: str = "info", form: str = "auto") -> None:
    """Configure logging of this process once; `form` is auto, json or console."""
    console = form == "console" or (form == "auto" and sys.stdout.isatty())
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(),
    )
    structlog.contextvars.bind_contextvars(service=service)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, force=True)
    logging.getLogger("grpc._cython.cygrpc").addFilter(_not_cancelled)


def get(name: str) -> structlog.typing.FilteringBoundLogger:
    """Logger that names the module it speaks for."""
    log: structlog.typing.FilteringBoundLogger = structlog.get_logger(module=name)
    return log
