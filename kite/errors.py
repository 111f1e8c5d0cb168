"""Every failure Kite can name, and nothing about how it travels.

KiteError
├── InvalidRequest    the caller must change the request
│   └── Malformed     not even well-formed (HTTP 400 instead of 422)
├── Unauthenticated   no trustworthy identity
├── Forbidden         identity known, not allowed
├── NotFound          no such cluster, operation, rule … (or not yours)
├── AlreadyExists     the name is taken by something else
├── Conflict          somebody changed it first; read again
├── WrongState        not possible in the present state
├── LeaseLost         our claim is over; stop touching it
├── OverLimit         a quota or budget would be passed
├── RateLimited       too many requests; later
├── NoCapacity        the cloud has none right now; elsewhere or later
├── CloudRefused      the cloud said no for good (permission, account quota, parameters)
├── CloudThrottled    the cloud asks us to slow down
├── Unavailable       a dependency did not answer; try again
├── DeadlinePassed    it took too long
└── Internal          a defect of ours; the cause is in the log, never in the answer
"""

from collections.abc import Mapping
from typing import ClassVar


class KiteError(Exception):
    """A named failure.

    Attributes:
        reason: stable UPPER_SNAKE word, the same from EC2 to the browser.
        description: one sentence for people: what was wrong, where, what to do.
        field: JSON pointer of the offending request field, or empty.
        retry_after: seconds to wait before another try, 0 = no advice.
        context: short extra facts, strings only.
    """

    default_reason: ClassVar[str] = "INTERNAL"
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        description: str = "",
        *,
        reason: str = "",
        field: str = "",
        retry_after: int = 0,
        context: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(description)
        self.reason = reason or self.default_reason
        self.description = description
        self.field = field
        self.retry_after = retry_after
        self.context = dict(context or {})

    def __str__(self) -> str:
        return f"{self.reason}: {self.description}" if self.description else self.reason


class InvalidRequest(KiteError):
    default_reason = "INVALID_REQUEST"


class Malformed(InvalidRequest):
    default_reason = "MALFORMED"


class Unauthenticated(KiteError):
    default_reason = "IDENTITY_MISSING"


class Forbidden(KiteError):
    default_reason = "FORBIDDEN"


class NotFound(KiteError):
    default_reason = "NOT_FOUND"


class AlreadyExists(KiteError):
    default_reason = "NAME_TAKEN"


class Conflict(KiteError):
    default_reason = "CONFLICT"


class WrongState(KiteError):
    default_reason = "WRONG_STATE"


class LeaseLost(KiteError):
    default_reason = "LEASE_LOST"


class OverLimit(KiteError):
    default_reason = "QUOTA_EXCEEDED"


class RateLimited(KiteError):
    default_reason = "RATE_LIMITED"
    retryable = True


class NoCapacity(KiteError):
    default_reason = "INSUFFICIENT_CAPACITY"
    retryable = True


class CloudRefused(KiteError):
    default_reason = "CLOUD_REFUSED"


class CloudThrottled(KiteError):
    default_reason = "CLOUD_THROTTLED"
    retryable = True


class Unavailable(KiteError):
    default_reason = "UNAVAILABLE"
    retryable = True


class DeadlinePassed(KiteError):
    default_reason = "DEADLINE_PASSED"
    retryable = True


class Internal(KiteError):
    default_reason = "INTERNAL"


def _tree(root: type[KiteError]) -> dict[str, type[KiteError]]:
    found = {root.__name__: root}
    for child in root.__subclasses__():
        found |= _tree(child)
    return found


KINDS: dict[str, type[KiteError]] = _tree(KiteError)
