"""EC2 is silent over and over, too late, or away: one machine in the end, and the user is told."""

from __future__ import annotations

import pytest

from kite.v1 import cluster_pb2
from localcloud.strict.faults import Kind
from provisioner import loop
from provisioner.ec2 import client as ec2_client
from provisioner.status import CLOUD_ANSWERS
from tests.cloud.provisioner.test_trouble import fault, leaves_nothing


@pytest.fixture
def impatient(monkeypatch):
    """Failures are followed by the next try at once."""
    monkeypatch.setattr(loop, "after_failures", lambda failures, chance: 10)


def condition(cluster):
    return next((c for c in cluster.status.conditions if c.type == CLOUD_ANSWERS), None)


@pytest.mark.usefixtures("impatient")
async def test_a_launch_whose_answer_is_lost_over_and_over_is_one_machine(house):
    fault(house, Kind.LOST_REPLY, "RunInstances", times=9)
    await house.create()
    await house.until("RUNNING")
    assert len(house.machines()) == 1
    await leaves_nothing(house)


async def test_a_launch_answered_too_late_is_one_machine(house, monkeypatch):
    monkeypatch.setattr("kite.ec2_client.READ_SECONDS", 0.7)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "kite")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "kite")
    await house.halt()
    house.clients = ec2_client.build("us-east-1", house.strict.api.endpoint)
    house.run()
    fault(house, Kind.DELAY_REPLY, "RunInstances", seconds=1.5)
    await house.create()
    await house.until("RUNNING")
    assert house.writes().count("RunInstances") >= 2  # asked again, under the same token
    assert len(house.machines()) == 1
    await leaves_nothing(house)


@pytest.mark.parametrize("tuned", [{"provisioner_unseen_seconds": 1}])
async def test_a_mismatched_token_fails_with_its_reason_and_leaves_nothing(house):
    """Cannot be of our own making: what a token stands for is frozen before its first use."""
    fault(house, Kind.ERROR, "RunInstances", code="IdempotentParameterMismatch", times=0)
    await house.create()
    failed = await house.until("FAILED")
    assert failed.status.reason == "LAUNCH_PARAMETERS_CHANGED"
    assert house.machines() == []
    await leaves_nothing(house)


@pytest.mark.usefixtures("impatient")
async def test_ec2_away_concludes_nothing_and_is_told(house):
    await house.create()
    await house.until("RUNNING")
    house.ssh = False
    await house.create("dogs")
    await house.eventually(lambda: len(house.machines()) == 2)
    machines = {machine["InstanceId"] for machine in house.machines()}
    fault(house, Kind.RESET, "*", times=0)
    while (told := condition(await house.get("dogs"))) is None or told.ok:
        pass
    calls = len(house.strict.api.calls.all())
    await house.eventually(lambda: len(house.strict.api.calls.all()) > calls + 5)
    assert (await house.get()).status.state == cluster_pb2.CLUSTER_STATE_RUNNING
    house.strict.api.faults.clear()
    house.ssh = True
    dogs = await house.until("RUNNING", "dogs")
    assert condition(dogs).ok
    assert {machine["InstanceId"] for machine in house.machines()} == machines
