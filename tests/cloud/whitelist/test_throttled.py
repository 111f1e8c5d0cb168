"""EC2's request limits are met by waiting; nobody above the session sees a throttled call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from kite.buckets import Buckets
from kite.clock import SystemClock
from kite.errors import CloudThrottled, Unavailable
from localcloud.strict.faults import Fault, Kind
from localcloud.strict.knobs import Knobs
from tests.worlds.strict import NoLimits
from whitelist_svc.session import Session

CREATE = "CreateSecurityGroup"


class Time(SystemClock):
    """Ours and EC2's; waiting moves both."""

    def __init__(self, ec2_clock) -> None:
        self.ec2_clock = ec2_clock
        self.waited: list[float] = []

    def monotonic(self) -> float:
        return self.ec2_clock.now

    async def __call__(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.ec2_clock.advance(seconds)


@pytest.fixture
def time(strict_ec2):
    return Time(strict_ec2.clock)


@contextmanager
def session_of(strict_ec2, monkeypatch, **how) -> Iterator[Session]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "kite")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "kite")
    made = Session(region="us-east-1", endpoint=strict_ec2.api.endpoint, **how)
    yield made
    made._pool.shutdown()


async def make(session: Session, *, groups: int) -> None:
    """One after the other: time here jumps, so calls on their way would arrive late."""
    for number in range(groups):
        await session.call("create_security_group", GroupName=f"g{number}", Description="a test")


async def test_our_bucket_is_never_larger_than_theirs(strict_ec2, time, monkeypatch):
    strict_ec2.api.knobs = Knobs(throttled=True)
    with session_of(strict_ec2, monkeypatch, buckets=Buckets(time, time), pause=time) as session:
        await make(session, groups=80)
    assert strict_ec2.api.calls.by_code() == {"OK": 80}
    assert sum(time.waited) == pytest.approx((80 - 50) / 5, abs=0.01)


async def test_without_a_bucket_ec2_would_have_said_no(strict_ec2, time, monkeypatch):
    strict_ec2.api.knobs = Knobs(throttled=True)
    with session_of(strict_ec2, monkeypatch, buckets=NoLimits(), pause=time) as session:
        await make(session, groups=80)
    assert strict_ec2.api.calls.by_code()["RequestLimitExceeded"] >= 1
    assert strict_ec2.api.calls.by_code()["OK"] == 80  # waited, and made all the same


async def test_a_refusal_for_the_rate_is_waited_out(strict_ec2, time, monkeypatch):
    strict_ec2.api.faults.add(Fault(Kind.THROTTLE, action=CREATE, times=3))
    with session_of(strict_ec2, monkeypatch, buckets=Buckets(time, time), pause=time) as session:
        await make(session, groups=1)
    backoff = [seconds for seconds in time.waited if seconds >= 0.5]
    assert len(backoff) == 3
    assert 3.5 <= sum(backoff) <= 7
    # The bucket was believed to be empty after each refusal, so the wait also filled it again.
    assert session._buckets._of(CREATE)._left < 50


async def test_one_that_lasts_is_told_in_the_end(strict_ec2, time, monkeypatch):
    strict_ec2.api.faults.add(Fault(Kind.THROTTLE, action=CREATE, times=0))
    with (
        session_of(strict_ec2, monkeypatch, buckets=Buckets(time, time), pause=time) as session,
        pytest.raises(CloudThrottled),
    ):
        await make(session, groups=1)
    assert len([seconds for seconds in time.waited if seconds >= 0.5]) == 4


@pytest.mark.parametrize("kind", [Kind.RESET, Kind.LOST_REPLY])
@pytest.mark.parametrize("action", [CREATE, "DescribeSecurityGroups"])
async def test_a_call_is_tried_once(strict_ec2, time, monkeypatch, kind, action):
    """A repeat inside the client would pass by the bucket and by whoever looks first."""
    strict_ec2.api.faults.add(Fault(kind, action=action))
    with (
        session_of(strict_ec2, monkeypatch, buckets=Buckets(time, time), pause=time) as session,
        pytest.raises(Unavailable),
    ):
        if action == CREATE:
            await make(session, groups=1)
        else:
            await session.pages("describe_security_groups", "SecurityGroups")
    assert strict_ec2.api.calls.count(action) == 1
