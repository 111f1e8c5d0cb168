"""From a wish to a running cluster and back to nothing, on the real services."""

from __future__ import annotations

import asyncio

import pytest

from kite.errors import NotFound
from kite.secrets import password

WRITES = ["CreateSecurityGroup", "RunInstances"]
NOTHING = {kind: [] for kind in ("instances", "addresses", "groups", "keys", "volumes")}
ADDRESS = ["AllocateAddress", "AssociateAddress"]


async def test_a_cluster_is_made_and_leaves_nothing(house):
    await house.create()
    cluster = await house.until("RUNNING")
    (machine,) = house.machines()
    (node,) = cluster.status.nodes
    assert node.instance_id == machine["InstanceId"]
    assert node.public_ip == cluster.status.address.public_ip == machine["PublicIpAddress"]
    assert cluster.status.milvus_url == machine["PublicDnsName"]
    assert cluster.status.milvus_port == "19530"
    assert [g.logical_name for g in cluster.status.security_groups] == ["sg-base", "sg-cats"]
    operation = await house.operation(cluster.operation_id)
    assert operation.progress == 100
    assert all(step.state == operation.state for step in operation.steps)

    await house.allow("10.88.9.9/32")
    deletion = await house.delete()
    await house.until("DELETED")
    assert house.left() == NOTHING
    assert (await house.operation(deletion.operation_id)).progress == 100


async def test_twenty_creates_at_once_launch_one_machine(house):
    """S0-02, down to EC2."""
    found = await asyncio.gather(*(house.create() for _ in range(20)))
    assert len({cluster.cluster_id for cluster in found}) == 1
    await house.until("RUNNING")
    assert house.writes().count("RunInstances") == 1
    assert len(house.machines()) == 1


async def test_two_users_may_choose_one_name_and_share_nothing(house):
    """S0-03: the machines, the whitelist groups, and what becomes of them."""
    alice, bob = await asyncio.gather(house.create(user="alice"), house.create(user="bob"))
    assert alice.cluster_id != bob.cluster_id
    alice, bob = [await house.until("RUNNING", user=user) for user in ("alice", "bob")]
    assert _machine(alice) != _machine(bob)
    assert {m["InstanceId"] for m in house.machines()} == {_machine(alice), _machine(bob)}
    assert _whitelist(alice) != _whitelist(bob)
    assert {
        m["InstanceId"]: {t["Value"] for t in m["Tags"] if t["Key"] == "username"}
        for m in house.machines()
    } == {_machine(alice): {"alice"}, _machine(bob): {"bob"}}

    await house.delete(user="alice")
    await house.until("DELETED", user="alice")
    assert [m["InstanceId"] for m in house.machines()] == [_machine(bob)]
    assert _whitelist(bob) in {g["GroupId"] for g in house.machines()[0]["SecurityGroups"]}
    with pytest.raises(NotFound):
        await house.get(user="carol")


def _machine(cluster):
    (node,) = cluster.status.nodes
    return node.instance_id


def _whitelist(cluster):
    (group,) = (g for g in cluster.status.security_groups if g.kind == "whitelist")
    return group.group_id


async def test_the_first_cluster_of_an_empty_install_costs_four_calls_and_its_address(house):
    """The base group with its rule is made but once; the login key needs no call at all."""
    await house.create()
    await house.until("RUNNING")
    base = ["CreateSecurityGroup", "AuthorizeSecurityGroupIngress"]
    assert sorted(house.writes()) == sorted(WRITES + base + ADDRESS)


async def test_the_second_cluster_costs_two_calls_and_its_address(house):
    await house.create("first")
    await house.until("RUNNING", "first")
    before = len(house.writes())
    await house.create("second")
    await house.until("RUNNING", "second")
    assert sorted(house.writes()[before:]) == sorted(WRITES + ADDRESS)

    before = len(house.writes())
    await house.delete("second")
    await house.until("DELETED", "second")
    assert sorted(house.writes()[before:]) == sorted(
        ["TerminateInstances", "ReleaseAddress", "DeleteSecurityGroup"]
    )
    assert house.left()["groups"] != []
    await house.delete("first")
    await house.until("DELETED", "first")
    assert house.left() == NOTHING


async def test_a_create_looks_at_nothing_before_its_first_attempt(house):
    """P12: with the whitelist set five calls, the address among them, and looks that are shared."""
    await house.create("first")
    await house.until("RUNNING", "first")
    since = house.strict.api.calls.last
    await house.create("second")
    await house.until("RUNNING", "second")
    await house.allow("10.88.9.9/32", "10.88.9.10/32", name="second")
    seen = {one.action for one in house.strict.api.calls.all(since=since)} - {"AssociateAddress"}
    assert seen == {
        "AllocateAddress",
        "CreateSecurityGroup",
        "RunInstances",
        "DescribeInstances",
        "AuthorizeSecurityGroupIngress",
    }


async def test_deleting_both_at_once_leaves_no_base(house):
    for name in ("first", "second"):
        await house.create(name)
    for name in ("first", "second"):
        await house.until("RUNNING", name)
    for name in ("first", "second"):
        await house.delete(name)
    for name in ("first", "second"):
        await house.until("DELETED", name)
    assert house.left() == NOTHING


async def test_the_install_gets_ids_and_secrets_only(house):
    cluster = await house.create()
    await house.until("RUNNING")
    (job,) = house.installer.jobs
    (host,) = job.hosts
    secret = house.settings.secret.get_secret_value()
    (data,) = [v for v in house.ec2.describe_volumes()["Volumes"] if v["Size"] == 50]
    assert job.variables == {
        "disk_size_gib": 50,
        "disk_volume_id": data["VolumeId"],
        "node_exporter_enabled": True,
    }
    assert job.secrets == {"milvus_root_password": password(secret, cluster.cluster_id)}
    assert host.host_key.startswith("ssh-ed25519 ")
    assert "cats" not in repr(job)
    assert "alice" not in repr(job)
    assert house.milvus.passwords == [password(secret, cluster.cluster_id)]


async def test_a_failed_install_keeps_its_reason_and_no_machine(house):
    house.installer.ok, house.installer.reason = False, "DISK_FULL"
    cluster = await house.create()
    await house.until("FAILED")
    await house.eventually(lambda: not house.machines())
    failed = await house.get()
    assert failed.status.reason == "DISK_FULL"
    assert "told so" in failed.status.why
    operation = await house.operation(cluster.operation_id)
    assert operation.reason == "DISK_FULL"
    assert operation.progress < 100

    await house.delete()
    await house.until("DELETED")
    assert house.left() == NOTHING


async def test_deleting_while_it_starts(house):
    house.ssh = False
    await house.create()
    await house.eventually(house.machines)
    await house.delete()
    await house.until("DELETED")
    assert house.left() == NOTHING


async def test_a_machine_ended_by_hand_is_told_and_not_replaced(house):
    await house.create()
    await house.until("RUNNING")
    (machine,) = house.machines()
    house.ec2.terminate_instances(InstanceIds=[machine["InstanceId"]])
    failed = await house.until("FAILED")
    assert failed.status.reason == "INSTANCE_LOST"
    assert house.machines() == []


async def test_a_machine_stopped_by_hand_is_left_alone(house):
    await house.create()
    await house.until("RUNNING")
    (machine,) = house.machines()
    house.ec2.stop_instances(InstanceIds=[machine["InstanceId"]])
    degraded = await house.until("DEGRADED")
    assert degraded.status.reason == "INSTANCE_STOPPED"
    house.ec2.start_instances(InstanceIds=[machine["InstanceId"]])
    await house.until("RUNNING")
    assert [m["InstanceId"] for m in house.machines()] == [machine["InstanceId"]]


async def test_a_restart_goes_on_where_it_was(house):
    house.ssh = False
    await house.create()
    await house.eventually(house.machines)
    await house.halt()
    house.ssh = True
    house.run()
    await house.until("RUNNING", seconds=20)  # before the lease would have run out
    assert len(house.machines()) == 1


async def test_a_killed_process_is_followed_by_the_next_on_its_spot(house):
    """Its leases had half a minute to go."""
    await house.halt()
    house.holder, house.ssh = "test@here", False
    house.run()
    await house.create()
    await house.eventually(house.machines)
    await house.kill()
    house.ssh = True
    house.run()
    await house.until("RUNNING", seconds=20)
    assert len(house.machines()) == 1


async def test_leases_of_a_killed_process_elsewhere_are_left_alone(house):
    house.ssh = False
    await house.create()
    await house.eventually(house.machines)
    await house.kill()
    house.holder, house.ssh = "test@elsewhere", True
    house.run()
    with pytest.raises(AssertionError):
        await house.until("RUNNING", seconds=3)
