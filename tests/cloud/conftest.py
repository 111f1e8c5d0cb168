"""The strict EC2 for tests: started once for these folders, empty before every test.

def test_x(strict_ec2):
    ec2 = strict_ec2.client()                  # boto3, us-east-1
    with strict_ec2.api.chain.without("client-token"): ...
    strict_ec2.clock.advance(60)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from localcloud.strict.inproc import REGION, client
from localcloud.strict.server import Ec2Api
from tests.worlds.strict import START, Clock


@dataclass
class StrictEc2:
    api: Ec2Api
    clock: Clock
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict)

    def client(self, *, region: str = REGION, **config: Any) -> Any:
        """boto3 on the strict endpoint; one try unless `retries` is given."""
        return self._client(self.api.endpoint, region, config)

    def plain(self, *, region: str = REGION) -> Any:
        """boto3 on moto itself: no rules, no faults."""
        return self._client(self.api.internal_endpoint, region, {})

    def _client(self, endpoint: str, region: str, config: dict[str, Any]) -> Any:
        if config:
            return client(endpoint, region=region, **config)
        key = (endpoint, region)
        if key not in self._clients:
            self._clients[key] = client(endpoint, region=region)
        return self._clients[key]


@pytest.fixture(scope="session")
def _strict_session(one_ec2: tuple[Ec2Api, Clock]) -> StrictEc2:
    return StrictEc2(*one_ec2)


@pytest.fixture
def strict_ec2(_strict_session: StrictEc2) -> StrictEc2:
    _strict_session.clock.now = START
    _strict_session.api.reset()
    return _strict_session
