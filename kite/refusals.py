"""EC2 error codes by meaning; strings only.

Source: Amazon EC2 API reference, "Error codes for the Amazon EC2 API".
"""

from kite.errors import (
    CloudRefused,
    CloudThrottled,
    KiteError,
    NoCapacity,
    Unavailable,
)

CAPACITY = frozenset(
    {
        "InsufficientInstanceCapacity",
        "InsufficientHostCapacity",
        "InsufficientReservedInstanceCapacity",
        "InsufficientCapacityOnHost",
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
        "InvalidClientTokenId",
        "SignatureDoesNotMatch",
    }
)
THROTTLE = frozenset({"RequestLimitExceeded", "Throttling", "ThrottlingException"})
AWAY = frozenset({"InternalError", "InternalFailure", "ServiceUnavailable", "Unavailable"})
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


_MEANINGS: tuple[tuple[frozenset[str], type[KiteError], str, str], ...] = (
    (CAPACITY, NoCapacity, "", "EC2 has no capacity for this request"),
    (QUOTA, CloudRefused, "QUOTA_EXCEEDED", "an AWS quota is used up"),
    (PERMISSION, CloudRefused, "CLOUD_PERMISSION", "AWS refuses our credentials"),
    (THROTTLE, CloudThrottled, "", "EC2 asks to slow down"),
    (AWAY, Unavailable, "CLOUD_AWAY", "EC2 did not answer"),
    (TOKEN_MISMATCH, CloudRefused, "LAUNCH_PARAMETERS_CHANGED", "a launch came twice, differently"),
)


def failure(code: str, text: str) -> KiteError:
    """The failure that an EC2 error code means; `text` is EC2's own message."""
    for codes, kind, reason, meaning in _MEANINGS:
        if code in codes:
            return kind(f"{meaning}: {text}", reason=reason, context={"aws-code": code})
    return CloudRefused(f"EC2 refused: {text}", context={"aws-code": code})
