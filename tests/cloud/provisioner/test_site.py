"""Where machines go: found from the settings, and again when it lacks something or is doubted."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace

import pytest

from kite.errors import CloudRefused, KiteError, Unavailable
from localcloud.strict.faults import Fault, Kind
from provisioner.ec2 import network
from provisioner.ec2.finding import SiteFinder
from provisioner.facts import Place, Reach
from tests.store.world import HandClock


def wanted(ground, **more):
    plain = network.Wanted(
        install="test",
        region="us-east-1",
        image_id=ground.image,
        image_name="",
        subnet_ids=tuple(reversed(ground.subnets)),
        root_gib=20,
        reach=Reach.PUBLIC,
    )
    return replace(plain, **more)


async def test_the_site_is_what_the_settings_name(strict_ec2, ec2, ground):
    found = await network.find(ec2, wanted(ground))
    assert found.vpc_id == ground.vpc
    assert found.places == (
        Place(ground.subnets[1], "us-east-1b"),
        Place(ground.subnets[0], "us-east-1a"),
    )
    assert found.key_pair == "kite-test"
    assert found.root_device.startswith("/dev/")


async def test_default_subnets_when_none_are_named(strict_ec2, ec2, ground):
    found = await network.find(ec2, wanted(ground, subnet_ids=()))
    assert found.vpc_id != ground.vpc
    assert len(found.places) > 1


async def test_an_image_found_by_name(strict_ec2, ec2, ground):
    name = "ubuntu/images/hvm-ssd/ubuntu-*-amd64-server-*"
    found = await network.find(ec2, wanted(ground, image_id="", image_name=name))
    assert found.image_id.startswith("ami-")


@pytest.mark.parametrize(("region", "owner"), [
    ("us-east-1", "099720109477"), ("cn-northwest-1", "837727238323"),
    ("us-gov-west-1", "513442679011"),
])  # fmt: skip
async def test_images_of_another_partition_have_another_owner(ground, region, owner):
    asked = []

    class Noting:
        async def call(self, action, parameters):
            asked.append(parameters.get("Owners"))
            return {"Images": [], "Subnets": []}

    with pytest.raises(CloudRefused, match="KITE_PROVISIONER_IMAGE_NAME"):
        await network._image(Noting(), wanted(ground, image_id="", region=region))
    assert asked == [[owner]]


@pytest.mark.parametrize(("more", "name"), [
    ({"image_id": "", "image_name": "nothing-*"}, "KITE_PROVISIONER_IMAGE_NAME"),
    ({"image_id": "ami-0123456789abcdef0"}, "KITE_PROVISIONER_IMAGE_ID does not fit: .*ami-0123"),
    ({"subnet_ids": ("subnet-0123456789abcdef0",)}, "KITE_PROVISIONER_SUBNETS names no subnet"),
])  # fmt: skip
async def test_settings_that_name_nothing(strict_ec2, ec2, ground, more, name):
    found = await network.find(ec2, wanted(ground, **more))
    assert found.lack.reason == "BAD_SETTING"
    assert re.search(name, found.lack.description)
    # The rest of it is there: what was asked for already can go on.
    assert (found.image_id == "", found.places == ()) == (
        "IMAGE" in name,
        "SUBNETS" in name,
    )


async def test_a_subnet_that_is_gone_is_left_out_while_others_are_there(strict_ec2, ec2, ground):
    gone = "subnet-0123456789abcdef0"
    found = await network.find(ec2, wanted(ground, subnet_ids=(gone, ground.subnets[1])))
    assert (found.places, found.lack) == ((Place(ground.subnets[1], "us-east-1b"),), None)


async def test_silence_and_being_slowed_down_are_no_lack(strict_ec2, ec2, ground):
    strict_ec2.api.faults.add(
        Fault(Kind.ERROR, action="DescribeImages", code="InternalError", status=500)
    )
    with pytest.raises(Unavailable):
        await network.find(ec2, wanted(ground))


async def test_subnets_of_two_networks(strict_ec2, ec2, ground):
    plain = strict_ec2.plain()
    other = plain.create_vpc(CidrBlock="10.89.0.0/16")["Vpc"]["VpcId"]
    subnet = plain.create_subnet(VpcId=other, CidrBlock="10.89.1.0/24")["Subnet"]["SubnetId"]
    found = await network.find(ec2, wanted(ground, subnet_ids=(ground.subnets[0], subnet)))
    assert "must lie in one VPC, not in 2" in found.lack.description


class Door:
    """Answers what it is told to, and counts."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), 0

    async def call(self, action, parameters):
        if action == "DescribeSubnets":
            return {"Subnets": [{"SubnetId": "s", "VpcId": "v", "AvailabilityZone": "z"}]}
        self.asked += 1
        answer = self.answers.pop(0)
        if isinstance(answer, KiteError):
            raise answer
        return {"Images": [{"ImageId": answer}] if answer else []}


class Slow(Door):
    """Answers when it is told to."""

    def __init__(self, *answers):
        super().__init__(*answers)
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()

    async def call(self, action, parameters):
        self.begun.set()
        await self.go_on.wait()
        return await super().call(action, parameters)


async def test_all_that_wait_for_the_site_wait_for_one_look(ground):
    """Of a silent EC2: one by one, the last of many clusters would wait for minutes."""
    door = Slow(Unavailable("no reply"))
    sites = SiteFinder(door, wanted(ground, subnet_ids=()), HandClock(0))
    many = [asyncio.create_task(sites.site()) for _ in range(20)]
    await door.begun.wait()
    many[0].cancel()  # the look is not its own
    door.go_on.set()
    found = await asyncio.gather(*many, return_exceptions=True)
    assert [type(one) for one in found] == [asyncio.CancelledError] + [Unavailable] * 19
    assert door.asked == 1


async def test_a_doubt_outlives_a_look_that_breaks(ground, monkeypatch):
    sites = SiteFinder(Door("ami-1", "ami-2"), wanted(ground, subnet_ids=()), HandClock(0))
    await sites.site()
    sites.doubt()
    with monkeypatch.context() as broken:
        broken.setattr(network, "find", None)
        with pytest.raises(TypeError):
            await sites.site()
    assert (await sites.site()).image_id == "ami-2"


async def test_a_doubt_during_a_look_is_kept(ground):
    door = Slow("ami-1", "ami-2")
    sites = SiteFinder(door, wanted(ground, subnet_ids=()), HandClock(0))
    looking = asyncio.create_task(sites.site())
    await door.begun.wait()
    sites.doubt()
    door.go_on.set()
    await looking
    assert (await sites.site()).image_id == "ami-2"


async def test_the_site_is_looked_for_once_and_again_when_doubted_or_lacking(ground):
    clock, silent = HandClock(0), Unavailable("no reply")
    door = Door(silent, "", "ami-1", silent, "ami-2")
    sites = SiteFinder(door, wanted(ground, subnet_ids=()), clock)
    with pytest.raises(Unavailable):  # nothing is known yet
        await sites.site()
    assert (await sites.site()).lack
    assert (await sites.site()).lack
    assert door.asked == 2
    clock.forward(seconds=10)
    assert ((await sites.site()).image_id, (await sites.site()).lack) == ("ami-1", None)
    assert door.asked == 3
    sites.doubt()
    assert (await sites.site()).image_id == "ami-1"  # EC2 is silent: it goes on as it was
    assert (await sites.site()).image_id == "ami-2"
    assert (await sites.site()).image_id == "ami-2"
    assert door.asked == 5
