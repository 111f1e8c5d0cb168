"""What EC2 offers where we have subnets, asked once in five minutes."""

from __future__ import annotations

import pytest

from kite.clock import SystemClock
from kite.errors import InvalidRequest
from kite.v1 import provisioner_pb2
from localcloud.strict.faults import Fault, Kind
from provisioner.ec2.offerings import KEPT_SECONDS, MOST, Offerings
from provisioner.facts import Place, Site

ASKED = "DescribeInstanceTypeOfferings"


class Clock(SystemClock):
    now = 0.0

    def monotonic(self):
        return self.now


def offerings(ec2, *zones, clock=None):
    async def site():
        places = tuple(Place(f"subnet-{zone}", zone) for zone in zones)
        return Site("test", "ami-1", "vpc-1", places, "kite-test")

    return Offerings(ec2, site, clock or Clock())


async def test_zones_without_a_subnet_or_without_the_type_do_not_count(ec2):
    # moto's list, as EC2's own: us-east-1e has no m5
    asked = offerings(ec2, "us-east-1b", "us-east-1a", "us-east-1e")
    found = await asked.zones(["m5.large", "q1.unheard"])
    assert found == {"m5.large": ("us-east-1a", "us-east-1b"), "q1.unheard": ()}


async def test_known_answers_cost_no_call_until_they_are_old(strict_ec2, ec2):
    clock = Clock()
    asked = offerings(ec2, "us-east-1a", clock=clock)
    for types in (["m5.large", "r5.large"], ["r5.large"], ["m5.large"]):
        await asked.zones(types)
    assert strict_ec2.api.calls.count(ASKED) == 1
    clock.now = KEPT_SECONDS
    await asked.zones(["m5.large"])
    assert strict_ec2.api.calls.count(ASKED) == 2


@pytest.mark.parametrize("types", [[], ["m5.large"] * (MOST + 1), ["m5.*"], [""], ["M5"], ["a b"]])
async def test_what_cannot_be_a_type_never_reaches_ec2(strict_ec2, ec2, types):
    with pytest.raises(InvalidRequest):
        await offerings(ec2, "us-east-1a").zones(types)
    assert strict_ec2.api.calls.count(ASKED) == 0


async def test_the_running_service_answers_for_its_own_subnets(house):
    request = provisioner_pb2.CheckOffersRequest(instance_types=["m5.large"])
    answer = await house.provisioner.rpc.CheckOffers(request, None)
    assert list(answer.offers[0].zones) == ["us-east-1a", "us-east-1b"]
    house.strict.api.faults.add(Fault(Kind.ERROR, action=ASKED, code="UnauthorizedOperation"))
    await house.provisioner.rpc.CheckOffers(request, None)  # remembered
