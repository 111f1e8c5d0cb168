"""Requests and resources by the token bucket; off until the knob `throttled` is set."""

from __future__ import annotations

from localcloud.strict.call import Call, Refusal, Reply
from localcloud.strict.cloud import Cloud
from localcloud.strict.knobs import Knobs
from localcloud.strict.rates import (
    DOCUMENT,
    RESOURCES,
    Rate,
    TokenBuckets,
    bucket_of,
    request_rate,
)
from localcloud.strict.rule import EVERY, Rule

_STATUS = 503


def throttled(call: Call, kind: str) -> Refusal:
    """EC2's word for too much at once. `kind` is `request` or `resource`."""
    text = (
        f"Request limit exceeded. Account {call.account} has been throttled on "
        f"ec2:{call.action} because it exceeded its {kind} rate limit."
    )
    return Refusal("RequestLimitExceeded", text, _STATUS)


def paced(rate: Rate, knobs: Knobs) -> Rate:
    """The rate in force: buckets fill `throttle_pace` times as fast as the published ones."""
    return Rate(rate.size, rate.refill * knobs.throttle_pace)


def instances_in(call: Call) -> int:
    """How many instances a call makes or changes at most."""
    if call.action == "RunInstances":
        return call.params.number("MaxCount") or 1
    return len(set(call.params.texts("InstanceIds")))


class RequestRates(Rule):
    """Every request takes a token of its action's bucket, refused ones and dry runs too."""

    name = "request-rates"
    document = DOCUMENT
    actions = EVERY

    def __init__(self) -> None:
        self._buckets = TokenBuckets()

    def reset(self) -> None:
        self._buckets.clear()

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:
        if not cloud.knobs.throttled:
            return call
        bucket = bucket_of(call)
        rate = paced(cloud.knobs.rates.get(bucket) or request_rate(bucket), cloud.knobs)
        key = (call.account, call.region, bucket)
        if not self._buckets.take(key, rate, cloud.clock()):
            raise throttled(call, "request")
        return call


class ResourceRates(Rule):
    """Launch, start, stop and terminate take a token per instance; all of a call, or none.

    A launch repeated with its token makes nothing and takes nothing.
    """

    name = "resource-rates"
    document = DOCUMENT
    actions = frozenset(RESOURCES)

    def __init__(self) -> None:
        self._buckets = TokenBuckets()

    def reset(self) -> None:
        self._buckets.clear()

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:
        if not cloud.knobs.throttled or call.dry:
            return call
        wanted = cloud.knobs.resource_rates.get(call.action) or RESOURCES[call.action]
        rate = paced(wanted, cloud.knobs)
        key = (call.account, call.region, call.action)
        if not self._buckets.take(key, rate, cloud.clock(), instances_in(call)):
            raise throttled(call, "resource")
        return call
