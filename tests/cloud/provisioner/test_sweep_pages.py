"""A look of the sweep takes every page that EC2 has, or is none."""

from __future__ import annotations

import pytest

from kite.errors import Unavailable
from provisioner.ec2 import pages
from provisioner.sweep.cloud import SweepCloud
from tests.cloud.provisioner.test_sweep import launch


class Paged:
    """EC2's door, with answers in `pages`; 0 = pages without end."""

    def __init__(self, ec2, pages):
        self.ec2, self.pages, self.asked = ec2, pages, 0

    async def call(self, action, parameters, **more):
        kept = {k: v for k, v in parameters.items() if k != "NextToken"}
        answer = await self.ec2.call(action, kept, **more)
        if action != "DescribeInstances":
            return answer
        self.asked += 1
        assert ("NextToken" in parameters) is (self.asked > 1)
        return answer | {"NextToken": "" if self.asked == self.pages else "more"}


async def test_a_look_is_read_to_the_last_page(house, monkeypatch):
    launch(house, "cany")
    assert len((await SweepCloud(Paged(house.provisioner.ec2, 1), "test").look()).things) == 1
    assert len((await SweepCloud(Paged(house.provisioner.ec2, 3), "test").look()).things) == 3
    monkeypatch.setattr(pages, "MOST_PAGES", 3)
    with pytest.raises(Unavailable):
        await SweepCloud(Paged(house.provisioner.ec2, 0), "test").look()
