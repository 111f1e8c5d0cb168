"""Failures get their face here: status, headers and body; everywhere behind they are classes.

Unknown and foreign things give the same bytes: what is not found is told by the route alone.
"""

import json
from dataclasses import dataclass, field
from http import HTTPStatus

from aiohttp import web

from kite import errors
from kite.errors import KiteError

STATUS: dict[type[KiteError], int] = {
    errors.KiteError: 500,
    errors.InvalidRequest: 422,
    errors.Malformed: 400,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.AlreadyExists: 409,
    errors.Conflict: 409,
    errors.WrongState: 409,
    errors.LeaseLost: 409,
    errors.OverLimit: 403,
    errors.RateLimited: 429,
    errors.NoCapacity: 503,
    errors.CloudRefused: 502,
    errors.CloudThrottled: 503,
    errors.Unavailable: 503,
    errors.DeadlinePassed: 504,
    errors.Internal: 500,
}
# Reasons with a status of their own, whatever class carried them.
BY_REASON = {
    "BODY_TOO_LARGE": 413,
    "JSON_EXPECTED": 415,
    "ENCODING_NOT_SUPPORTED": 415,
    "TIMEOUT": 408,
    "METHOD_NOT_ALLOWED": 405,
    "HEADER_TOO_LARGE": 431,
    "EXPECTATION_FAILED": 417,
    "REVISION_MISMATCH": 412,
    "IDEMPOTENCY_KEY_REUSED": 422,
    "TOO_MANY_RULES": 422,
    "RANGE_TOO_WIDE": 403,
}
RETRY_SECONDS = 1
_CLOSING = frozenset({408, 413})
_INTERNAL = "an internal fault; the request id finds it in the log"


@dataclass(frozen=True, slots=True)
class Face:
    """A failure as HTTP shows it."""

    status: int
    body: dict[str, object]
    headers: dict[str, str] = field(default_factory=dict)

    def response(self) -> web.Response:
        made = web.json_response(self.body, status=self.status, headers=self.headers)
        if self.status in _CLOSING:
            made.force_close()
        return made

    def raw(self) -> bytes:
        """The whole answer, for a connection that never became a request."""
        body = json.dumps(self.body).encode()
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Content-Length": str(len(body)),
            "Connection": "close",
            **self.headers,
        }
        first = f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"
        lines = [first, *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        return "\r\n".join(lines).encode() + body


def face(failed: KiteError, *, request_id: str) -> Face:
    status = BY_REASON.get(failed.reason, STATUS[type(failed)])
    retryable = failed.retryable
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        failed = errors.Internal(_INTERNAL)
    body: dict[str, object] = {
        "reason": failed.reason,
        "description": failed.description,
        "field": failed.field,
        "retryable": retryable,
        "request-id": request_id,
    }
    if "operation-id" in failed.context:
        body["operation-id"] = failed.context["operation-id"]
    return Face(status, body, _headers(failed, status))


def _headers(failed: KiteError, status: int) -> dict[str, str]:
    match status:
        case (
            HTTPStatus.TOO_MANY_REQUESTS
            | HTTPStatus.SERVICE_UNAVAILABLE
            | HTTPStatus.GATEWAY_TIMEOUT
        ):
            return {"Retry-After": str(failed.retry_after or RETRY_SECONDS)}
        case HTTPStatus.UNAUTHORIZED:
            return {"WWW-Authenticate": 'Kite realm="kite"'}
        case HTTPStatus.METHOD_NOT_ALLOWED:
            return {"Allow": failed.context.get("allow", "")}
        case _:
            return {}


def of_http(raised: web.HTTPException) -> KiteError:
    """What aiohttp's own refusals mean."""
    match raised:
        case web.HTTPMethodNotAllowed():
            allow = ", ".join(sorted(raised.allowed_methods))
            return errors.InvalidRequest(
                f"this path takes {allow}",
                reason="METHOD_NOT_ALLOWED",
                context={"allow": allow},
            )
        case web.HTTPNotFound():
            return no_such_route()
        case _:
            # Nothing of ours raises another one.
            return errors.Internal()


def in_our_words(failed: KiteError) -> KiteError:
    """A refusal of something that has another name on the wire behind than in HTTP."""
    if failed.reason in {"INVALID_PAGE_TOKEN", "INVALID_PAGE_SIZE"}:
        return errors.InvalidRequest(
            "page-token is not one that this listing gave; start from the first page",
            reason="INVALID_PAGE",
            field="/page-token",
        )
    return failed


def no_such_route() -> errors.NotFound:
    return errors.NotFound("no such path; see /docs", reason="NO_SUCH_ROUTE")


def absent(noun: str) -> errors.NotFound:
    """The one answer for what does not exist and for what belongs to somebody else."""
    return errors.NotFound(
        f"no such {noun}", reason=f"NO_SUCH_{noun.upper()}", field="", retry_after=0
    )
