"""EC2's words mean something, and always the same."""

import pytest
from botocore.retries import standard
from hypothesis import given
from hypothesis import strategies as st

from kite import refusals
from kite.errors import CloudRefused, CloudThrottled, NoCapacity, OverLimit, Unavailable
from provisioner.launch_refusals import for_good

CODES = [
    *((code, NoCapacity, "INSUFFICIENT_CAPACITY") for code in refusals.CAPACITY),
    *((code, CloudRefused, "QUOTA_EXCEEDED") for code in refusals.QUOTA),
    *((code, CloudRefused, "CLOUD_PERMISSION") for code in refusals.PERMISSION),
    *((code, CloudThrottled, "CLOUD_THROTTLED") for code in refusals.THROTTLE),
    *((code, Unavailable, "CLOUD_AWAY") for code in refusals.AWAY),
    *((code, CloudRefused, "LAUNCH_PARAMETERS_CHANGED") for code in refusals.TOKEN_MISMATCH),
    *((code, OverLimit, "TOO_MANY_RULES") for code in refusals.RULES_FULL),
    ("SomethingNew", CloudRefused, "CLOUD_REFUSED"),
]
KNOWN = frozenset().union(*(codes for codes, *_ in refusals._MEANINGS))
SEEN = [  # what AWS services and proxies have been seen to say with 5xx
    "ServerInternal", "InternalError", "EC2ThrottledException", "RequestThrottled",
    "RequestThrottledException", "Throttling", "ThrottlingException", "RequestTimeout",
    "InsufficientVolumeCapacity", "InsufficientAddressCapacity", "InvalidGroup.NotFound",
    "InvalidParameterValue", "", "500", "502", "Bad Gateway",
]  # fmt: skip


@pytest.mark.parametrize(("code", "kind", "reason"), CODES)
def test_each_code_becomes_one_failure_with_ec2s_own_words(code, kind, reason):
    failure = refusals.failure(code, "what EC2 said")
    assert type(failure) is kind
    assert failure.reason == reason
    assert "what EC2 said" in failure.description
    assert failure.context == {"aws-code": code}


@given(
    st.sampled_from(SEEN) | st.sampled_from(sorted(KNOWN)) | st.text(max_size=40),
    st.integers(500, 599),
)
def test_no_5xx_is_a_refusal_for_good_unless_ec2_is_known_to_say_it(code, status):
    error = refusals.failure(code, "said EC2", status=status)
    if code in KNOWN:
        known = refusals.failure(code, "said EC2", status=400)
        assert (type(error), error.reason) == (type(known), known.reason)
    else:
        assert type(error) is Unavailable
        assert not for_good(error)
        assert "aws-code" not in error.context  # nobody takes its word for an answer


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("ServerInternal", 400, Unavailable),
        ("NobodyKnows", 500, Unavailable),
        ("NobodyKnows", 408, Unavailable),
        ("NobodyKnows", 429, CloudThrottled),
        ("NobodyKnows", 400, CloudRefused),
        ("403", 403, Unavailable),
        ("", 400, Unavailable),
        ("NobodyKnows", 302, Unavailable),
        ("InsufficientInstanceCapacity", 500, NoCapacity),
        ("InsufficientVolumeCapacity", 500, NoCapacity),
        ("InsufficientAddressCapacity", 500, NoCapacity),
        ("RequestLimitExceeded", 503, CloudThrottled),
        ("VcpuLimitExceeded", 500, CloudRefused),
    ],
)
def test_the_status_decides_where_the_word_does_not(code, status, kind):
    assert type(refusals.failure(code, "", status=status)) is kind


def test_what_botocore_takes_for_throttling_and_for_passing_trouble_is_known():
    throttled = set(standard.ThrottledRetryableChecker._THROTTLED_ERROR_CODES)
    passing = set(standard.TransientRetryableChecker._TRANSIENT_ERROR_CODES)
    assert throttled <= refusals.THROTTLE
    assert passing - throttled <= refusals.AWAY


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
    assert sum(len(codes) for codes, *_ in refusals._MEANINGS) == len(KNOWN)


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
