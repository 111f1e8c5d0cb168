"""Who asks, under which request id and until when, carried in call metadata and deadlines."""

import time
import uuid
from contextvars import Context, ContextVar, copy_context

REQUEST_ID_KEY = "kite-request-id"

request_id: ContextVar[str] = ContextVar("request_id", default="")
# When whoever called us stops waiting, on time.monotonic().
_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


def new_request_id() -> str:
    return f"req-{uuid.uuid4().hex[:20]}"


def new_call_id() -> str:
    """For a call that a channel may repeat: its receiver knows the repetition by it."""
    return f"call-{uuid.uuid4().hex}"


def waits(seconds: float | None) -> None:
    """Our caller waits that long; calls made on its behalf get no more. None = for ever."""
    _deadline.set(None if seconds is None else time.monotonic() + seconds)


def remaining() -> float | None:
    """Seconds that our caller still waits, 0 at least; None = it waits for ever."""
    ends = _deadline.get()
    return None if ends is None else max(0.0, ends - time.monotonic())


def without_deadline() -> Context:
    """For work that goes on when its caller is gone: this context, but in no hurry."""
    context = copy_context()
    context.run(_deadline.set, None)
    return context
