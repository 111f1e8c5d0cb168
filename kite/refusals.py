"""EC2 error codes by meaning; strings only.

A refusal is what EC2 is known to say, or a 4xx with a word of its own. Everything else is silence:
the call may have been carried out.

Source: Amazon EC2 API reference, "Error codes for the Amazon EC2 API"; for THROTTLE and AWAY also
what botocore itself takes for such (`botocore/retries/standard.py`).
"""

from kite.errors import (
    CloudRefused,
    CloudThrottled,
    KiteError,
    NoCapacity,
    OverLimit,
    Unavailable,
)

CAPACITY = frozenset(
    {
        "InsufficientFreeAddressesInSubnet",
        "InsufficientInstanceCapacity",
        "InsufficientHostCapacity",
        "InsufficientReservedInstanceCapacity",
        "InsufficientCapacityOnHost",
        "InsufficientCapacity",
        "InsufficientVolumeCapacity",
        "InsufficientAddressCapacity",
        "SpotMaxPriceTooLow",
        "Unsupported",
    }
)
QUOTA = frozenset(
    {
        "InstanceLimitExceeded",
        "VcpuLimitExceeded",
        "MaxSpotInstanceCountExceeded",
        "AddressLimitExceeded",
        "SecurityGroupLimitExceeded",
        "SecurityGroupsPerInterfaceLimitExceeded",
        "VolumeLimitExceeded",
        "ResourceLimitExceeded",
    }
)
PERMISSION = frozenset(
    {
        "UnauthorizedOperation",
        "AuthFailure",
        "OptInRequired",
        "ExpiredToken",
        "RequestExpired",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "MissingAuthenticationToken",
        "AccessDenied",
        "AccessDeniedException",
        "SignatureDoesNotMatch",
    }
)
THROTTLE = frozenset(
    {
        "RequestLimitExceeded",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "EC2ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "TooManyRequestsException",
        "BandwidthLimitExceeded",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "TransactionInProgressException",
        "PriorRequestNotComplete",
        "SlowDown",
    }
)
AWAY = frozenset(
    {
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "InternalServiceError",
        "InternalServiceException",
        "ServerInternal",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "Unavailable",
        "RequestTimeout",
        "RequestTimeoutException",
    }
)
TOKEN_MISMATCH = frozenset({"IdempotentParameterMismatch"})
TOKEN_OVER = frozenset({"IdempotentInstanceTerminated"})
RULES_FULL = frozenset({"RulesPerSecurityGroupLimitExceeded"})


def gone(code: str) -> bool:
    """The named thing does not exist (any more, or not visible yet)."""
    return code.endswith((".NotFound", ".Unknown")) or code == "InvalidInstanceID.Malformed"


def duplicate(code: str) -> bool:
    return code.endswith(".Duplicate")


def in_use(code: str) -> bool:
    return code in {"DependencyViolation", "InvalidGroup.InUse", "VolumeInUse", "ResourceInUse"}


# The client found the call malformed and did not send it: a defect of ours, for good.
MALFORMED_CALL = "MALFORMED_CLOUD_CALL"

_MEANINGS: tuple[tuple[frozenset[str], type[KiteError], str, str], ...] = (
    (CAPACITY, NoCapacity, "", "EC2 has no capacity for this request"),
    (QUOTA, CloudRefused, "QUOTA_EXCEEDED", "an AWS quota is used up"),
    (PERMISSION, CloudRefused, "CLOUD_PERMISSION", "AWS refuses our credentials"),
    (THROTTLE, CloudThrottled, "", "EC2 asks to slow down"),
    (AWAY, Unavailable, "CLOUD_AWAY", "EC2 did not answer"),
    (TOKEN_MISMATCH, CloudRefused, "LAUNCH_PARAMETERS_CHANGED", "a launch came twice, differently"),
    (
        RULES_FULL,
        OverLimit,
        "TOO_MANY_RULES",
        "the AWS quota of rules per group is below KITE_WHITELIST_RULES_PER_FAMILY",
    ),
)
_CLIENT_ERRORS = range(400, 500)
_TIMEOUT, _TOO_MANY = 408, 429


def failure(code: str, text: str, *, status: int = 400) -> KiteError:
    """The failure that an error answer means.

    Args:
        code: EC2's word; empty or a number when the answer was not EC2's (a proxy, a broken reply).
        text: EC2's own message.
        status: of HTTP. EC2 says some refusals with 5xx (no capacity, limits): a known word means
            the same with every status. A word we do not know is a refusal with 4xx only.

    Returns:
        The failure, with the code in `context["aws-code"]` where it is EC2's answer about the
        request. An answer that tells nothing about the request has its word in `aws-said`, so
        that nobody decides by it.
    """
    for codes, kind, reason, meaning in _MEANINGS:
        if code in codes:
            return kind(f"{meaning}: {text}", reason=reason, context={"aws-code": code})
    if status == _TOO_MANY:
        return CloudThrottled(f"EC2 asks to slow down: {text}", context={"aws-code": code})
    if not code or code.isdigit() or status not in _CLIENT_ERRORS or status == _TIMEOUT:
        return _unclear(code, text, status)
    return CloudRefused(f"EC2 refused: {text}", context={"aws-code": code})


def _unclear(code: str, text: str, status: int) -> KiteError:
    said = {"aws-said": code, "http-status": str(status)}
    return Unavailable(f"EC2 did not answer clearly: {text}", reason="CLOUD_AWAY", context=said)
