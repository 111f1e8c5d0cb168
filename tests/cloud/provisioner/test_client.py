"""The one door to EC2: what failures mean, how many clients there are, how fast we may ask."""

from __future__ import annotations

import asyncio

import boto3
import botocore.exceptions as aws
import pytest

from kite.clock import SystemClock
from kite.errors import (
    CloudRefused,
    CloudThrottled,
    DeadlinePassed,
    Internal,
    NoCapacity,
    NotFound,
    Unavailable,
)
from localcloud.strict.faults import Fault, Kind
from provisioner.ec2 import client
from provisioner.ec2.buckets import DESCRIBING, MUTATING, UNFILTERED, Buckets, Rate, rate_of
from provisioner.ec2.client import Ec2, meaning


def coded(code, text="said EC2"):
    return aws.ClientError({"Error": {"Code": code, "Message": text}}, "RunInstances")


@pytest.mark.parametrize(("failed", "kind", "reason"), [
    (coded("InsufficientInstanceCapacity"), NoCapacity, "INSUFFICIENT_CAPACITY"),
    (coded("VcpuLimitExceeded"), CloudRefused, "QUOTA_EXCEEDED"),
    (coded("RequestLimitExceeded"), CloudThrottled, "CLOUD_THROTTLED"),
    (coded("InternalError"), Unavailable, "CLOUD_AWAY"),
    (coded("502"), Unavailable, "CLOUD_AWAY"),
    (coded(""), Unavailable, "CLOUD_AWAY"),
    (aws.ReadTimeoutError(endpoint_url="x"), DeadlinePassed, "CLOUD_AWAY"),
    (aws.ConnectTimeoutError(endpoint_url="x"), DeadlinePassed, "CLOUD_AWAY"),
    (aws.EndpointConnectionError(endpoint_url="x"), Unavailable, "CLOUD_AWAY"),
    (aws.ConnectionClosedError(endpoint_url="x"), Unavailable, "CLOUD_AWAY"),
    (aws.NoCredentialsError(), Unavailable, "CLOUD_PERMISSION"),
    (NotFound("x"), NotFound, "NOT_FOUND"),
    (ZeroDivisionError("x"), Internal, "INTERNAL"),
])  # fmt: skip
def test_failures_by_meaning(failed, kind, reason):
    found = meaning(failed, "RunInstances")
    assert (type(found), found.reason) == (kind, reason)


@pytest.mark.parametrize(("action", "method"), [
    ("RunInstances", "run_instances"),
    ("DescribeInstances:ids", "describe_instances"),
    ("DescribeNetworkInterfaces", "describe_network_interfaces"),
])  # fmt: skip
def test_methods_are_named_as_actions(action, method):
    assert client._method(action) == method


async def test_one_session_and_two_clients_serve_everything(strict_ec2, monkeypatch):
    made = []
    real = boto3.Session

    class Counted(real):
        def __init__(self, *args, **more):
            super().__init__(*args, **more)
            made.append("session")

        def client(self, *args, **more):
            made.append("client")
            return super().client(*args, **more)

    monkeypatch.setattr(boto3, "Session", Counted)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "kite")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "kite")
    ec2 = Ec2(lambda: client.build("us-east-1", strict_ec2.api.endpoint), SystemClock())
    ec2.begin()
    await asyncio.gather(*(ec2.call("DescribeAddresses", {}) for _ in range(20)))
    await ec2.call("AllocateAddress", {"Domain": "vpc"}, once=True)
    ec2.close()
    assert made == ["session", "client", "client"]


async def test_broken_credentials_are_tried_again_at_the_next_call(strict_ec2, clients_and_session):
    answers = [aws.ProfileNotFound(profile="x"), clients_and_session[0]]

    def make():
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    ec2 = Ec2(make, SystemClock())
    with pytest.raises(Unavailable):
        await ec2.call("DescribeAddresses", {})
    assert (await ec2.call("DescribeAddresses", {}))["Addresses"] == []
    ec2.close()


async def test_only_what_may_be_repeated_is_retried(strict_ec2, ec2):
    strict_ec2.api.faults.add(Fault(Kind.THROTTLE, action="DescribeAddresses"))
    assert (await ec2.call("DescribeAddresses", {}))["Addresses"] == []
    strict_ec2.api.faults.add(Fault(Kind.THROTTLE, action="AllocateAddress"))
    with pytest.raises(CloudThrottled):
        await ec2.call("AllocateAddress", {"Domain": "vpc"}, once=True)
    assert strict_ec2.api.calls.count("AllocateAddress") == 1


@pytest.mark.parametrize(("action", "rate"), [
    ("RunInstances", Rate(5, 2)),
    ("TerminateInstances", Rate(100, 5)),
    ("DescribeInstances", DESCRIBING),
    ("DescribeInstances:ids", UNFILTERED),
    ("AssociateAddress", MUTATING),
])  # fmt: skip
def test_rates(action, rate):
    assert rate_of(action) == rate


async def test_a_hundred_launches_wait_for_their_turn():
    class Clock(SystemClock):
        now = 100.0

        def monotonic(self):
            return self.now

    clock = Clock()

    async def sleep(seconds):
        clock.now += seconds

    buckets = Buckets(clock, sleep)
    await asyncio.gather(*(buckets.take("RunInstances") for _ in range(100)))
    assert clock.now - 100 == pytest.approx((100 - 5) / 2)
