"""What launches stand on is not there, or not to be had: told, waited for, and in nobody's way."""

from __future__ import annotations

import asyncio

import pytest

from localcloud.strict.faults import Kind
from provisioner.ec2 import finding
from provisioner.settings import Settings
from tests.cloud.provisioner.test_story import NOTHING
from tests.cloud.provisioner.test_trouble import fault, leaves_nothing


async def told(house, reason, name="cats"):
    async with asyncio.timeout(50):
        while (found := await house.get(name)).status.reason != reason:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return found.status


async def test_an_image_that_is_gone_for_good_is_told(house):
    """Nothing is bought; as soon as the setting names one that exists it goes on by itself."""
    house.ec2.deregister_image(ImageId=house.settings.provisioner_image_id)
    await house.create()
    await told(house, "BAD_SETTING")
    cluster = await house.get()
    assert "KITE_PROVISIONER_IMAGE_ID" in cluster.status.why
    assert cluster.status.nodes[0].deadline_ms > 0
    assert house.writes() == []

    await house.halt()
    image = house.ec2.describe_images()["Images"][1]["ImageId"]
    house.settings = Settings(**(dict(vars(house.settings)) | {"provisioner_image_id": image}))
    house.run()
    assert (await house.until("RUNNING")).status.reason == ""


@pytest.mark.parametrize("tuned", [{"provisioner_capacity_seconds": 1}])
async def test_what_settings_name_nothing_for_fails_after_its_wait(house):
    house.ec2.deregister_image(ImageId=house.settings.provisioner_image_id)
    await house.create()
    cluster = await house.until("FAILED")
    assert cluster.status.reason == "BAD_SETTING"
    assert house.writes() == []


async def test_an_image_that_is_gone_holds_up_launches_alone(house, monkeypatch):
    """Clusters that live are looked after and deleted all the same."""
    monkeypatch.setattr(finding, "LACKING_SECONDS", 0.2)
    await house.create("old")
    await house.until("RUNNING", "old")
    house.ec2.deregister_image(ImageId=house.settings.provisioner_image_id)
    house.provisioner.world._sites.doubt()
    await house.create("new")
    await told(house, "BAD_SETTING", "new")
    (machine,) = house.machines()
    house.ec2.stop_instances(InstanceIds=[machine["InstanceId"]])
    await house.until("DEGRADED", "old")
    await house.delete("old")
    await house.until("DELETED", "old")
    assert house.machines() == []
    await house.delete("new")
    await house.until("DELETED", "new")
    assert house.left() == NOTHING


async def test_a_full_subnet_means_the_next_zone(house, ground):
    fault(
        house,
        Kind.NO_CAPACITY,
        "RunInstances",
        code="InsufficientFreeAddressesInSubnet",
        status=400,
        zone="us-east-1a",
        times=0,
    )
    await house.create()
    cluster = await house.until("RUNNING")
    assert cluster.status.nodes[0].intent.subnet_id == ground.subnets[1]


@pytest.mark.parametrize("tuned", [{"provisioner_capacity_seconds": 3}])
async def test_no_elastic_address_to_have_is_told_and_ends(house):
    fault(house, Kind.ERROR, "AllocateAddress", code="InsufficientAddressCapacity", times=0)
    await house.create()
    status = await told(house, "INSUFFICIENT_CAPACITY")
    (asked,) = (c for c in status.conditions if c.type == "AddressAsked")
    assert (asked.ok, asked.reason) == (False, "INSUFFICIENT_CAPACITY")
    cluster = await house.until("FAILED")
    assert "no elastic address" in cluster.status.why
    assert house.writes().count("AllocateAddress") < 10  # with pauses that grow
    assert "RunInstances" not in house.writes()
    await leaves_nothing(house)


async def test_an_elastic_address_that_is_there_after_a_while(house):
    fault(house, Kind.ERROR, "AllocateAddress", code="InsufficientAddressCapacity", times=2)
    await house.create()
    assert (await house.until("RUNNING")).status.reason == ""
