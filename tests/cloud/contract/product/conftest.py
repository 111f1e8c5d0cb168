"""Kite's own cloud tests with the fake in the strict EC2's place."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from localcloud.fake.server import running
from tests.cloud.conftest import StrictEc2
from tests.cloud.provisioner.conftest import (  # noqa: F401 - fixtures
    _image,
    clients_and_session,
    ec2,
    ground,
    house,
    tuned,
)
from tests.worlds.strict import START, Clock


@pytest.fixture(scope="session")
def _strict_session() -> Iterator[StrictEc2]:
    clock = Clock()
    with running(clock=clock) as api:
        yield StrictEc2(api, clock)


@pytest.fixture
def strict_ec2(_strict_session: StrictEc2) -> StrictEc2:
    _strict_session.clock.now = START
    _strict_session.api.reset()
    return _strict_session
