"""The same tests on both: `strict_ec2` is the fake here, `cloud` is each in turn."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from localcloud.fake.server import running
from localcloud.strict.inproc import POOL
from tests.cloud.conftest import StrictEc2
from tests.worlds.strict import START, Clock


@pytest.fixture(scope="session")
def _fake_session() -> Iterator[StrictEc2]:
    clock = Clock()
    with running(clock=clock, public_pool=POOL) as api:
        yield StrictEc2(api, clock)


@pytest.fixture
def fake_ec2(_fake_session: StrictEc2) -> StrictEc2:
    _fake_session.clock.now = START
    _fake_session.api.reset()
    return _fake_session


@pytest.fixture
def strict_ec2(fake_ec2: StrictEc2) -> StrictEc2:
    """The fake in the strict EC2's place, for tests borrowed from tests/cloud/strict."""
    return fake_ec2


@pytest.fixture
def moto_ec2(_strict_session: StrictEc2) -> StrictEc2:
    """The strict EC2 itself."""
    _strict_session.clock.now = START
    _strict_session.api.reset()
    return _strict_session


@pytest.fixture(params=["moto_ec2", "fake_ec2"])
def cloud(request: pytest.FixtureRequest) -> StrictEc2:
    """Both, one after the other."""
    return request.getfixturevalue(request.param)
