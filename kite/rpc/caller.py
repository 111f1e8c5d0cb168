"""Who asks and under which request id, carried in call metadata."""

import uuid
from contextvars import ContextVar

REQUEST_ID_KEY = "kite-request-id"

request_id: ContextVar[str] = ContextVar("request_id", default="")


def new_request_id() -> str:
    return f"req-{uuid.uuid4().hex[:20]}"
