"""Ordered faults happen to the next launch, and to that one only."""

from __future__ import annotations

import pytest

from tests.localcloud.world import command, until


@pytest.fixture
def order(cloud):
    def order(*words):
        done = command(cloud.ground, "fault", "set", *words)
        assert done.returncode == 0, done.stderr

    yield order
    command(cloud.ground, "fault", "clear")


def test_a_machine_that_never_boots_ends_with_a_reason(cloud, order):
    order("--next", "boot-never")

    seen = cloud.wait(cloud.launch(), "terminated")

    assert seen["StateReason"]["Code"] == "Server.InternalError"


def test_a_machine_that_hangs_stays_pending(cloud, order):
    order("--next", "boot-hangs")

    instance_id = cloud.launch()

    until(lambda: cloud.status().get(instance_id, {}).get("stage") == "broken")
    assert cloud.see(instance_id)["State"]["Name"] == "pending"
    cloud.end(instance_id)


def test_ssh_refuses_on_a_running_machine(cloud, order):
    order("--next", "ssh-refuses")
    instance_id = cloud.launch()

    cloud.wait(instance_id)

    def refused():
        return "refused" in cloud.login(instance_id, "true", check=False).stderr

    until(refused)
    cloud.end(instance_id)


def test_ssh_denies_every_key(cloud, order):
    order("--next", "ssh-denies")
    instance_id = cloud.launch()
    cloud.wait(instance_id)

    assert "Permission denied" in cloud.login(instance_id, "true", check=False).stderr
    cloud.end(instance_id)


def test_a_full_disk_takes_no_more(cloud, order):
    order("--next", "disk-full", "--tag", "node-type=worker")
    tags = [
        {"ResourceType": "instance", "Tags": [{"Key": "node-type", "Value": kind}]}
        for kind in ("master", "worker")
    ]
    fine, full = (cloud.launch(TagSpecifications=[tag]) for tag in tags)
    write = "dd if=/dev/zero of=~/big bs=1M count=16"
    for one in (fine, full):
        cloud.wait(one)

    assert cloud.login(fine, write, check=False).returncode == 0
    assert "No space left on device" in cloud.login(full, write, check=False).stderr
    cloud.end(fine)
    cloud.end(full)


def test_user_data_that_is_not_understood_ends_the_launch(cloud):
    seen = cloud.wait(cloud.launch(user_data="#cloud-config\nruncmd: [ls]\n"), "terminated")

    assert seen["StateReason"]["Code"] == "Client.UserDataRefused"
