"""EC2's published request and resource limits, as token buckets. Pure: the time comes in.

Figures: Amazon EC2 developer guide, "Request throttling for the Amazon EC2 API". They hold for
one account in one region; each action has buckets of its own.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

from localcloud.strict.call import Call

DOCUMENT = "https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html"


@dataclass(frozen=True, slots=True)
class Rate:
    """`size` tokens at most; `refill` tokens a second."""

    size: float
    refill: float


_HEAVY = Rate(100, 5)
_MUTATING = Rate(50, 5)
_DESCRIBING = Rate(100, 20)
_UNFILTERED = Rate(50, 10)
REQUESTS: Mapping[str, Rate] = {
    "RunInstances": Rate(5, 2),
    "StartInstances": Rate(5, 2),
    "TerminateInstances": _HEAVY,
    "CreateTags": Rate(100, 10),
    "DeleteTags": Rate(100, 10),
    "CreateVolume": _HEAVY,
    "CreateNetworkInterface": _HEAVY,
    "ModifyInstanceMetadataOptions": _HEAVY,
}
"""Request buckets that differ from those of their kind (mutating 50/5, describing 100/20)."""

RESOURCES: Mapping[str, Rate] = {
    "RunInstances": Rate(1000, 2),
    "StartInstances": Rate(1000, 2),
    "TerminateInstances": Rate(1000, 20),
    "StopInstances": Rate(1000, 20),
}
"""Buckets of instances, beside those of requests."""

_COSTLY = frozenset(
    {"DescribeInstances", "DescribeInstanceStatus", "DescribeSecurityGroups", "DescribeVolumes"}
)


def bucket_of(call: Call) -> str:
    """The bucket a request draws from: its action, with `:all` when nothing narrows it.

    Ids are neither a filter nor pagination.
    """
    narrowed = {"Filters", "MaxResults", "NextToken"} & set(call.params.values)
    return f"{call.action}:all" if call.action in _COSTLY and not narrowed else call.action


def request_rate(bucket: str) -> Rate:
    """The published rate of a request bucket."""
    if bucket.endswith(":all"):
        return _UNFILTERED
    if bucket in REQUESTS:
        return REQUESTS[bucket]
    reading = bucket.startswith(("Describe", "Get", "List", "Search"))
    return _DESCRIBING if reading else _MUTATING


class TokenBuckets:
    """Buckets by key, full when first used."""

    def __init__(self) -> None:
        self._left: dict[Hashable, tuple[float, float]] = {}

    def take(self, key: Hashable, rate: Rate, now: float, tokens: float = 1) -> bool:
        """Take so many tokens at `now` (seconds), or none at all and answer False."""
        left, at = self._left.get(key, (rate.size, now))
        left = min(rate.size, left + max(0.0, now - at) * rate.refill)
        enough = left >= tokens - 1e-9
        self._left[key] = (left - tokens if enough else left, max(at, now))
        return enough

    def clear(self) -> None:
        self._left.clear()
