"""EC2's words mean something, and always the same."""

import pytest

from kite import refusals
from kite.errors import CloudRefused, CloudThrottled, NoCapacity, Unavailable

CODES = [
    *((code, NoCapacity, "INSUFFICIENT_CAPACITY") for code in refusals.CAPACITY),
    *((code, CloudRefused, "QUOTA_EXCEEDED") for code in refusals.QUOTA),
    *((code, CloudRefused, "CLOUD_PERMISSION") for code in refusals.PERMISSION),
    *((code, CloudThrottled, "CLOUD_THROTTLED") for code in refusals.THROTTLE),
    *((code, Unavailable, "CLOUD_AWAY") for code in refusals.AWAY),
    *((code, CloudRefused, "LAUNCH_PARAMETERS_CHANGED") for code in refusals.TOKEN_MISMATCH),
    ("SomethingNew", CloudRefused, "CLOUD_REFUSED"),
]


@pytest.mark.parametrize(("code", "kind", "reason"), CODES)
def test_each_code_becomes_one_failure_with_ec2s_own_words(code, kind, reason):
    failure = refusals.failure(code, "what EC2 said")
    assert type(failure) is kind
    assert failure.reason == reason
    assert "what EC2 said" in failure.description
    assert failure.context == {"aws-code": code}


@pytest.mark.parametrize(
    ("code", "retryable"),
    [
        ("InsufficientInstanceCapacity", True),
        ("RequestLimitExceeded", True),
        ("InternalError", True),
        ("UnauthorizedOperation", False),
        ("VcpuLimitExceeded", False),
    ],
)
def test_what_may_be_tried_again(code, retryable):
    assert refusals.failure(code, "").retryable is retryable


def test_no_code_has_two_meanings():
    sets = [codes for codes, *_ in refusals._MEANINGS]
    assert sum(map(len, sets)) == len(frozenset().union(*sets))


@pytest.mark.parametrize(
    ("code", "is_gone"),
    [
        ("InvalidInstanceID.NotFound", True),
        ("InvalidGroup.NotFound", True),
        ("InvalidAllocationID.NotFound", True),
        ("InvalidInstanceID.Malformed", True),
        ("InvalidID.Unknown", True),
        ("DependencyViolation", False),
        ("NotFound", False),
    ],
)
def test_gone(code, is_gone):
    assert refusals.gone(code) is is_gone


@pytest.mark.parametrize(
    ("code", "is_duplicate"),
    [("InvalidPermission.Duplicate", True), ("InvalidGroup.Duplicate", True), ("Duplicate", False)],
)
def test_duplicate(code, is_duplicate):
    assert refusals.duplicate(code) is is_duplicate


@pytest.mark.parametrize(
    ("code", "is_used"),
    [
        ("DependencyViolation", True),
        ("InvalidGroup.InUse", True),
        ("VolumeInUse", True),
        ("ResourceInUse", True),
        ("InvalidGroup.NotFound", False),
    ],
)
def test_in_use(code, is_used):
    assert refusals.in_use(code) is is_used
