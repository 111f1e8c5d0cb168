"""A change that EC2 keeps waiting is answered as being applied, and carried out all the same."""

from __future__ import annotations

import asyncio

import pytest

from kite.v1 import operation_pb2
from localcloud.strict.faults import Kind
from tests.cloud.whitelist.conftest import AUTHORIZED, AUTHORIZING, GRANT, A, B, at, wished
from whitelist_svc import report


@pytest.fixture
def patience(world):
    world.app.whitelists._patience = 0.2


async def ended(world) -> operation_pb2.Operation:
    await asyncio.wait_for(world.app.whitelists.settle(), 20)
    return world.registry.operations[-1]


async def test_a_slow_change_is_answered_and_comes_into_force(world, group, patience):
    world.fault(Kind.DELAY, GRANT, seconds=1.0, times=1)
    answer = await world.set(A)
    assert [one.state for one in answer.rules] == [AUTHORIZING]
    assert report.BEING_APPLIED in answer.notices
    assert (answer.operation.operation_id, answer.granted) == ("", 0)
    assert wished(world) == [f"{A}/32"]
    assert (await ended(world)).state == operation_pb2.OPERATION_STATE_SUCCEEDED
    assert set(world.in_force(group)) == at(A)
    assert [one.state for one in (await world.get()).rules] == [AUTHORIZED]


async def test_a_slow_change_that_fails_is_recorded_and_undone(world, group, patience):
    await world.set(A)
    world.fault(Kind.DELAY, GRANT, seconds=1.0, times=1)
    world.fault(Kind.ERROR, GRANT, code="UnauthorizedOperation", times=1)
    answer = await world.set(B)
    assert report.BEING_APPLIED in answer.notices
    operation = await ended(world)
    assert operation.state == operation_pb2.OPERATION_STATE_FAILED
    assert operation.reason == "CLOUD_PERMISSION"
    assert set(world.in_force(group)) == at(A)
    assert wished(world) == [f"{A}/32"]
