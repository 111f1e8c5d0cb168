"""Thousands of machines: how many calls it takes to see them all, and to see some.

Ten thousand are counted and timed by the bench (P15, P16).
"""

from __future__ import annotations

import asyncio
import math

import pytest

from kite.clock import SystemClock
from localcloud.fake.people import populate
from localcloud.fake.server import running
from provisioner.ec2 import client as ec2_client
from provisioner.ec2.client import Ec2
from provisioner.ec2.describer import Describer
from provisioner.facts import Machine
from provisioner.sweep.cloud import SweepCloud

NODES = 2_500


@pytest.fixture(scope="module")
def crowded():
    with running() as api:
        yield api, populate(api, NODES, disks=False)


@pytest.fixture
async def ec2(crowded, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "kite")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "kite")
    api, _ = crowded
    api.calls.clear()
    door = Ec2(lambda: ec2_client.build("us-east-1", api.endpoint), SystemClock())
    yield door
    door.close()


async def test_a_sweep_sees_everything_in_a_call_per_thousand(crowded, ec2):
    api, crowd = crowded
    look = await SweepCloud(ec2, "test").look()
    assert [thing.id for thing in look.things] == list(crowd.instance_ids)
    assert {thing.cluster_id for thing in look.things} == set(crowd.clusters)
    assert api.calls.by_action() == {
        "DescribeInstances": math.ceil(NODES / 1000),
        "DescribeVolumes": 1,
        "DescribeAddresses": 1,
    }


async def test_five_hundred_clusters_in_transition_cost_one_call(crowded, ec2):
    api, crowd = crowded
    describer = Describer(ec2)
    waiting = crowd.instance_ids[: 2 * 500 : 2]
    found = await asyncio.gather(*(describer.instances([one]) for one in waiting))
    assert [fact[one].machine for one, fact in zip(waiting, found, strict=True)] == [
        Machine.RUNNING
    ] * 500
    assert api.calls.by_action() == {"DescribeInstances": 1}


async def test_a_thousand_cost_two(crowded, ec2):
    api, crowd = crowded
    describer = Describer(ec2)
    found = await describer.instances(crowd.instance_ids[:1000])
    assert len(found) == 1000
    assert api.calls.by_action() == {"DescribeInstances": 2}


def test_a_list_without_pagination_still_ends_at_a_thousand(crowded):
    api, _ = crowded
    reply = api.ask("DescribeInstances")
    assert reply.body.count(b"<reservationId>") == 1000
    assert b"<nextToken>" in reply.body
