"""KiteError to gRPC and back, whole.

Friends read the `kite-failure-bin` trailer and raise the same class again; strangers get a fitting
status code and `google.rpc` details (ErrorInfo, BadRequest, RetryInfo).
"""

from google.protobuf import any_pb2, duration_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc import StatusCode
from grpc.aio import AioRpcError

from kite import errors
from kite.errors import KiteError
from kite.v1 import failure_pb2

TRAILER = "kite-failure-bin"
PUSHBACK = "grpc-retry-pushback-ms"  # gRFC A6; negative = do not try again
DETAILS = "grpc-status-details-bin"
DOMAIN = "kite"

STATUS: dict[type[KiteError], StatusCode] = {
    errors.KiteError: StatusCode.INTERNAL,
    errors.InvalidRequest: StatusCode.INVALID_ARGUMENT,
    errors.Malformed: StatusCode.INVALID_ARGUMENT,
    errors.Unauthenticated: StatusCode.UNAUTHENTICATED,
    errors.Forbidden: StatusCode.PERMISSION_DENIED,
    errors.NotFound: StatusCode.NOT_FOUND,
    errors.AlreadyExists: StatusCode.ALREADY_EXISTS,
    errors.Conflict: StatusCode.ABORTED,
    errors.WrongState: StatusCode.FAILED_PRECONDITION,
    errors.LeaseLost: StatusCode.ABORTED,
    errors.OverLimit: StatusCode.RESOURCE_EXHAUSTED,
    errors.RateLimited: StatusCode.RESOURCE_EXHAUSTED,
    errors.NoCapacity: StatusCode.UNAVAILABLE,
    errors.CloudRefused: StatusCode.FAILED_PRECONDITION,
    errors.CloudThrottled: StatusCode.UNAVAILABLE,
    errors.Unavailable: StatusCode.UNAVAILABLE,
    errors.DeadlinePassed: StatusCode.DEADLINE_EXCEEDED,
    errors.Internal: StatusCode.INTERNAL,
}

# What a call that failed without our trailer means (server away, stranger's server).
BARE: dict[StatusCode, type[KiteError]] = {
    StatusCode.UNAVAILABLE: errors.Unavailable,
    StatusCode.DEADLINE_EXCEEDED: errors.DeadlinePassed,
    StatusCode.CANCELLED: errors.Unavailable,
    StatusCode.INVALID_ARGUMENT: errors.InvalidRequest,
    StatusCode.NOT_FOUND: errors.NotFound,
}


def to_message(error: KiteError) -> failure_pb2.Failure:
    return failure_pb2.Failure(
        kind=type(error).__name__,
        reason=error.reason,
        description=error.description,
        retry_after_seconds=error.retry_after,
        field=error.field,
        retryable=error.retryable,
        context=error.context,
    )


def from_message(message: failure_pb2.Failure) -> KiteError:
    """The same failure again; a kind this version does not know becomes Internal."""
    kind = errors.KINDS.get(message.kind, errors.Internal)
    return kind(
        message.description,
        reason=message.reason,
        field=message.field,
        retry_after=message.retry_after_seconds,
        context=dict(message.context),
    )


def _details(error: KiteError) -> status_pb2.Status:
    packed = []
    for detail in _detail_messages(error):
        box = any_pb2.Any()
        box.Pack(detail)
        packed.append(box)
    code = code_pb2.Code.Value(STATUS[type(error)].name)
    return status_pb2.Status(code=code, message=error.description, details=packed)


def _detail_messages(
    error: KiteError,
) -> list[error_details_pb2.ErrorInfo | error_details_pb2.BadRequest | error_details_pb2.RetryInfo]:
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=error.context)
    found: list[
        error_details_pb2.ErrorInfo | error_details_pb2.BadRequest | error_details_pb2.RetryInfo
    ] = [info]
    if error.field:
        violation = error_details_pb2.BadRequest.FieldViolation(
            field=error.field, description=error.description
        )
        found.append(error_details_pb2.BadRequest(field_violations=[violation]))
    if error.retry_after:
        delay = duration_pb2.Duration(seconds=error.retry_after)
        found.append(error_details_pb2.RetryInfo(retry_delay=delay))
    return found


def trailers(error: KiteError) -> tuple[tuple[str, str | bytes], ...]:
    """What rides behind the status; `abort` takes a plain tuple only.

    Only silence is tried again by the channel itself. A server that names what is wrong has looked
    already; the caller hears of it at once instead of after its deadline.
    """
    return (
        (TRAILER, to_message(error).SerializeToString()),
        (DETAILS, _details(error).SerializeToString()),
        (PUSHBACK, "-1"),
    )


def from_rpc(failed: AioRpcError, target: str) -> KiteError:
    """The failure behind a failed call; `target` is named when the server itself did not answer.

    A bare RESOURCE_EXHAUSTED is a server with too many calls at once, or a message too large: no
    one's rate is passed. Like all that is not silence it is not tried again by the channel.
    """
    for key, value in failed.trailing_metadata() or ():
        if key == TRAILER and isinstance(value, bytes):
            return from_message(failure_pb2.Failure.FromString(value))
    said = f"{target} did not do its part ({failed.code().name.lower()})"
    context = {"service": target}
    if failed.code() is StatusCode.RESOURCE_EXHAUSTED:
        return errors.Unavailable(said, reason="BUSY", retry_after=1, context=context)
    return BARE.get(failed.code(), errors.Internal)(said, context=context)
