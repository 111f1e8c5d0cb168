"""The one door to EC2: what failures mean, how many clients there are, how fast we may ask."""

from __future__ import annotations

import asyncio

import boto3
import botocore.exceptions as aws
import pytest

from kite.buckets import DESCRIBING, MUTATING, UNFILTERED, Buckets, Rate, rate_of
from kite.clock import SystemClock
from kite.errors import (
    CloudThrottled,
    Unavailable,
)
from localcloud.strict.faults import Fault, Kind
from provisioner.ec2 import client
from provisioner.ec2.client import Ec2


async def test_one_session_and_one_client_serve_everything(strict_ec2, monkeypatch):
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
    await ec2.call("AllocateAddress", {"Domain": "vpc"})
    ec2.close()
    assert made == ["session", "client"]


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


@pytest.mark.parametrize(("kind", "failure"), [
    (Kind.THROTTLE, CloudThrottled), (Kind.RESET, Unavailable), (Kind.LOST_REPLY, Unavailable),
])  # fmt: skip
async def test_a_call_is_tried_once(strict_ec2, ec2, kind, failure):
    """Whoever calls looks again and asks again: the lease runs meanwhile, and is looked at."""
    for action in ("DescribeAddresses", "AllocateAddress"):
        strict_ec2.api.faults.add(Fault(kind, action=action))
        with pytest.raises(failure):
            await ec2.call(action, {})
        assert strict_ec2.api.calls.count(action) == 1


async def test_a_throttled_call_empties_its_bucket(strict_ec2, clients_and_session):
    """EC2 counts for the whole account; who is told to slow down does."""
    emptied = []

    class Noting(Buckets):
        def empty(self, action):
            emptied.append(action)

    door = Ec2(lambda: clients_and_session[0], SystemClock(), buckets=Noting(SystemClock()))
    strict_ec2.api.faults.add(Fault(Kind.THROTTLE, action="DescribeAddresses"))
    with pytest.raises(CloudThrottled):
        await door.call("DescribeAddresses", {})
    await door.call("DescribeAddresses", {})
    door.close()
    assert emptied == ["DescribeAddresses"]


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
    assert clock.now - 100 == pytest.approx((100 - 5) / 2, abs=0.01)
