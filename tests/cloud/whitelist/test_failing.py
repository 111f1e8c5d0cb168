"""Failures in the middle: the set before comes back, or the true set is told (S0-11)."""

from __future__ import annotations

import asyncio

import pytest

from kite import errors
from kite.v1 import cluster_pb2, operation_pb2, whitelist_pb2
from localcloud.strict.faults import Kind
from tests.cloud.whitelist.conftest import (
    AUTHORIZED,
    CLUSTER,
    GRANT,
    REVOKE,
    A,
    B,
    C,
    D,
    at,
    failing,
    wished,
)


@pytest.mark.parametrize("action", [GRANT, REVOKE])
@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("UnauthorizedOperation", errors.CloudRefused),
        ("InvalidParameterValue", errors.CloudRefused),
    ],
)
async def test_a_refused_call_restores_the_set_before(world, group, action, code, kind):
    await world.set(A, B)
    world.fault(Kind.ERROR, action, code=code, times=1)
    error = await failing(world, B, C)
    assert type(error) is kind
    assert error.context["restored"] == "true"
    assert set(world.in_force(group)) == at(A, B)
    assert wished(world) == [f"{A}/32", f"{B}/32"]
    assert [(e.state, e.reason) for e in world.registry.operations][1:] == [
        (operation_pb2.OPERATION_STATE_FAILED, error.reason)
    ]


async def test_a_refusal_that_lasts_tells_the_true_set(world, group):
    await world.set(A, B)
    world.fault(Kind.ERROR, REVOKE, code="UnauthorizedOperation", times=0)
    error = await failing(world, B, C)
    assert error.context["restored"] == "false"
    told = set(error.description.partition("In force now: ")[2].split(", "))
    assert told == {f"{cidr} port {port}" for cidr, port in world.in_force(group)}
    assert set(world.in_force(group)) == at(A, B, C)  # old and new, nothing else
    assert wished(world) == [f"{A}/32", f"{B}/32"]
    world.strict.api.faults.clear()
    await world.app.mender.turn()
    assert set(world.in_force(group)) == at(A, B)


async def test_the_longest_true_set_still_reaches_the_caller(world, group):
    """A failure travels in call metadata, and what does not fit there is lost as a whole."""
    long = [f"2001:db8:1111:2222:3333:4444:5555:{0x6000 + 2 * n:x}" for n in range(120)]
    await world.set(*long[:60])
    world.fault(Kind.ERROR, REVOKE, code="UnauthorizedOperation", times=0)
    error = await failing(world, *long[60:])
    assert (error.reason, error.context["restored"]) == ("CLOUD_PERMISSION", "true")
    assert "and 40 more" in error.description
    world.strict.api.faults.clear()
    await world.set(*long[:30])
    world.fault(Kind.ERROR, REVOKE, code="UnauthorizedOperation", times=0)
    error = await failing(world, *long[60:90])
    assert (error.reason, error.context["restored"]) == ("CLOUD_PERMISSION", "false")
    assert "and 40 more" in error.description


async def test_a_failure_before_anything_changed_restores_the_wish(world, group):
    await world.set(B)
    held = world.in_force(group)
    world.fault(Kind.ERROR, "DescribeSecurityGroupRules", code="UnauthorizedOperation", times=1)
    error = await failing(world, A)
    assert error.context["restored"] == "true"
    assert (wished(world), world.in_force(group)) == ([f"{B}/32"], held)


async def test_ec2_away_is_unavailable_and_says_that_it_does_not_know(world, group):
    await world.set(A)
    world.fault(Kind.RESET, "*", times=0)
    error = await failing(world, B)
    assert type(error) is errors.Unavailable
    assert "does not tell" in error.description
    assert wished(world) == [f"{A}/32"]
    got = await world.get()
    assert [one.state for one in got.rules] == [whitelist_pb2.RULE_STATE_UNSPECIFIED]


@pytest.mark.parametrize("action", [GRANT, REVOKE])
@pytest.mark.parametrize("kind", [Kind.LOST_REPLY, Kind.RESET, Kind.THROTTLE])
async def test_trouble_that_passes_is_not_seen_by_the_user(world, group, action, kind):
    await world.set(A, B)
    world.fault(kind, action, times=2)
    await world.set(B, C)
    assert set(world.in_force(group)) == at(B, C)


@pytest.mark.parametrize("action", [GRANT, REVOKE])
async def test_replies_that_are_all_lost_are_found_out_by_looking(world, group, action):
    await world.set(A, B)
    world.fault(Kind.LOST_REPLY, action, times=0)
    answer = await world.set(B, C)
    assert set(world.in_force(group)) == at(B, C)
    assert [one.state for one in answer.rules] == [AUTHORIZED] * 2


async def test_a_grant_without_any_answer_is_found_out_by_looking(world, group):
    """The first try is carried out and not answered, the others never arrive."""
    await world.set(A, B)
    world.fault(Kind.LOST_REPLY, GRANT, times=1)
    world.fault(Kind.RESET, GRANT, times=2, skip=1)
    await world.set(B, C)
    assert set(world.in_force(group)) == at(B, C)


async def test_a_newer_wish_is_not_undone_by_a_failure(world, group):
    await world.set(A)
    world.fault(Kind.ERROR, GRANT, code="UnauthorizedOperation", times=1)
    newer = cluster_pb2.Rule(source_ip=f"{D}/32", port_type=1)
    world.registry.after_get = lambda: world.registry.wish(CLUSTER, newer)
    error = await failing(world, B)
    assert "goes on applying" in error.description
    assert wished(world) == [f"{D}/32"]


async def test_the_list_of_a_later_cluster_of_that_name_is_not_taken_back(world, group):
    await world.set(A)
    world.fault(Kind.ERROR, GRANT, code="UnauthorizedOperation", times=1)

    def between_wish_and_undo():
        world.registry.before_set = lambda: world.registry.reborn(CLUSTER, "cbbbbbbbbbbbbbbbb")

    world.registry.before_set = between_wish_and_undo
    await failing(world, B)
    [later] = world.registry.clusters.values()
    assert (later.cluster_id, list(later.whitelist.rules)) == ("cbbbbbbbbbbbbbbbb", [])


async def test_a_repair_that_fails_leaves_the_wish(world, group):
    """The same list again, with a rule missing in EC2: there is nothing to take back."""
    await world.set(A)
    world.ec2.revoke_security_group_ingress(
        GroupId=group, SecurityGroupRuleIds=list(world.in_force(group).values())
    )
    world.fault(Kind.ERROR, GRANT, code="UnauthorizedOperation", times=1)
    await failing(world, A)
    assert wished(world) == [f"{A}/32"]
    await world.set(A)
    assert set(world.in_force(group)) == at(A)


async def test_a_change_ends_even_when_its_caller_goes_away(world, group):
    stored = asyncio.Event()
    world.registry.before_set = stored.set
    task = asyncio.create_task(world.set(A, B))
    await stored.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await world.app.rpc.settle()
    assert set(world.in_force(group)) == at(A, B)
    assert len(world.registry.operations) == 1
