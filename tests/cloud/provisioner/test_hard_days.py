"""EC2 is silent over and over, too late, or away: one machine in the end, and the user is told."""

from __future__ import annotations

import asyncio

import pytest

from kite.v1 import cluster_pb2, controller_pb2
from kite.v1.controller_pb2_grpc import ControllerServiceStub
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
    [(_, _, met)] = house.strict.api.faults.all()
    assert met == 1  # and then asked again under the same token, or found by it
    assert len(house.machines()) == 1
    await leaves_nothing(house)


@pytest.mark.parametrize("tuned", [{"provisioner_unseen_seconds": 1}])
async def test_a_token_that_stands_for_another_launch_is_told_and_leaves_nothing(house):
    """Cannot be of our own making: what a token stands for is frozen before its first use."""
    fault(house, Kind.ERROR, "RunInstances", code="IdempotentParameterMismatch", times=0)
    await house.create()
    await house.eventually(lambda: house.writes().count("RunInstances") >= 3)
    [node] = (await house.get()).status.nodes
    assert (node.attempt, node.reason) == (1, "LAUNCH_PARAMETERS_CHANGED")
    await leaves_nothing(house)


async def restored(house):
    """The registry has again what it knew of the cluster before its launch."""
    stub = ControllerServiceStub(house.channel("registry"))
    request = controller_pb2.ClaimRequest(holder="the-past", most=1, lease_seconds=30)
    while not (claimed := (await stub.Claim(request)).claimed):
        pass
    status = claimed[0].cluster.status
    status.state = cluster_pb2.CLUSTER_STATE_STARTING
    del status.nodes[:]
    await stub.Commit(
        controller_pb2.CommitRequest(
            holder="the-past",
            cluster_id=claimed[0].cluster.cluster_id,
            fence=claimed[0].fence,
            status=status,
            release=True,
        )
    )


@pytest.mark.parametrize("changed", [{}, {"provisioner_root_gib": 30}])
async def test_a_machine_that_an_old_copy_of_the_registry_does_not_know_is_taken_over(
    house, changed
):
    """Whether or not it would be launched in the same way now: it holds somebody's data."""
    await house.create()
    await house.until("RUNNING")
    [machine] = house.machines()
    await house.halt()
    await restored(house)
    house.settings = house.settings.model_copy(update=changed)
    house.run()
    again = await house.until("RUNNING")
    assert [node.instance_id for node in again.status.nodes] == [machine["InstanceId"]]
    assert "TerminateInstances" not in house.writes()
    await leaves_nothing(house)


@pytest.mark.parametrize(
    "tuned", [{"provisioner_ssh_seconds": 1, "provisioner_pending_seconds": 1}]
)
@pytest.mark.parametrize("stopped", [True, False])
async def test_a_machine_taken_over_from_an_old_copy_may_be_silent(house, stopped):
    """It may hold data, so what ends a machine that never ran is waited on and told."""
    await house.create()
    await house.until("RUNNING")
    [machine] = house.machines()
    await house.halt()
    await restored(house)
    house.settings = house.settings.model_copy(update={"provisioner_root_gib": 30})
    house.ssh = False
    if stopped:
        house.ec2.stop_instances(InstanceIds=[machine["InstanceId"]])
    house.run()
    reason = "PENDING_TOO_LONG" if stopped else "SSH_UNREACHABLE"
    while not ((nodes := (await house.get()).status.nodes) and nodes[0].reason == reason):
        pass
    await asyncio.sleep(1)
    assert (await house.get()).status.nodes[0].instance_id == machine["InstanceId"]
    assert "TerminateInstances" not in house.writes()
    if stopped:
        house.ec2.start_instances(InstanceIds=[machine["InstanceId"]])
    house.ssh = True
    await house.until("RUNNING")
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
