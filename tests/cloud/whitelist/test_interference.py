"""Others change the wish or the group at the same time."""

from __future__ import annotations

import asyncio

import pytest

from kite import errors
from kite.v1 import cluster_pb2
from localcloud.strict.faults import Kind
from tests.cloud.whitelist.conftest import (
    AUTHORIZED,
    AUTHORIZING,
    CLUSTER,
    GRANT,
    A,
    B,
    C,
    D,
    at,
    wished,
)

# -- two writers ------------------------------------------------------------------------------


async def test_a_cluster_gone_in_the_middle_is_not_found(world, group):
    world.registry.after_get = world.registry.clusters.clear
    with pytest.raises(errors.NotFound) as caught:
        await world.set(A)
    assert caught.value.description == "there is no such cluster"


async def test_a_stale_revision_is_refused(world, group):
    await world.set(A)
    with pytest.raises(errors.Conflict):
        await world.set(B, expected_revision=1)
    await world.set(B, expected_revision=2)
    assert set(world.in_force(group)) == at(B)


@pytest.mark.parametrize("revision", [0, 1])
async def test_of_two_lists_at_once_one_wins_whole(world, group, revision):
    world.registry.clusters[CLUSTER].whitelist.revision = revision
    world.registry.together(3)
    results = await asyncio.gather(
        *(world.set(A, one) for one in (B, C, D)), return_exceptions=True
    )
    won = [one for one in results if not isinstance(one, BaseException)]
    lost = [one for one in results if isinstance(one, errors.Conflict)]
    assert (len(won), len(lost)) == (1, 2)
    assert wished(world) == [one.rule.source_ip for one in won[0].rules]
    assert {cidr for cidr, _ in world.in_force(group)} == set(wished(world))


@pytest.mark.parametrize("revision", [0, 1])
async def test_the_same_list_twice_at_once_is_no_conflict(world, group, revision):
    world.registry.clusters[CLUSTER].whitelist.revision = revision
    world.registry.together(4)
    since = world.since()
    await asyncio.gather(*(world.set(A, B) for _ in range(4)))
    assert set(world.in_force(group)) == at(A, B)
    assert world.writes(since) == [GRANT]  # one after the other, not all at once


async def test_a_newer_wish_stored_while_applying_is_followed(world, group):
    """Another process stores a newer list when this one is just about to be applied."""
    newer = cluster_pb2.Rule(source_ip=f"{D}/32", port_type=1)
    world.registry.after_get = lambda: world.registry.wish(CLUSTER, newer)
    answer = await world.set(A)
    assert set(world.in_force(group)) == at(D)
    assert answer.revision == 3
    assert [one.rule.source_ip for one in answer.rules] == [f"{D}/32"]


async def test_what_another_process_just_opened_is_never_closed(world, group):
    """It stores and applies a newer list right before this one looks at EC2."""
    await world.set(B)
    look = world.app.keeper._ec2.held
    theirs = {}

    async def meanwhile(group_id):
        world.app.keeper._ec2.held = look
        world.registry.wish(CLUSTER, cluster_pb2.Rule(source_ip=f"{D}/32", port_type=1))
        world.ec2.authorize_security_group_ingress(
            GroupId=group_id,
            IpPermissions=[
                {
                    "IpProtocol": "tcp",
                    "FromPort": 19530,
                    "ToPort": 19530,
                    "IpRanges": [{"CidrIp": f"{D}/32"}],
                }
            ],
        )
        world.ec2.revoke_security_group_ingress(
            GroupId=group_id, SecurityGroupRuleIds=list(world.in_force(group_id).values())[:1]
        )
        theirs.update(world.in_force(group_id))
        return await look(group_id)

    world.app.keeper._ec2.held = meanwhile
    since = world.since()
    await world.set(A)
    assert world.in_force(group) == theirs
    assert world.writes(since) == []


# -- EC2 in other states than we think ---------------------------------------------------------


async def test_a_rule_that_is_there_already_does_not_stop_the_others(world, group):
    """One look is stale: it hides a rule, so the batch is refused whole as Duplicate."""
    hidden = world.app.keeper._ec2.held

    async def stale(group_id):
        world.ec2.authorize_security_group_ingress(
            GroupId=group_id,
            IpPermissions=[
                {
                    "IpProtocol": "tcp",
                    "FromPort": 19530,
                    "ToPort": 19530,
                    "IpRanges": [{"CidrIp": f"{A}/32"}],
                }
            ],
        )
        world.app.keeper._ec2.held = hidden
        return ()

    world.app.keeper._ec2.held = stale
    await world.set(A, B, C)
    assert set(world.in_force(group)) == at(A, B, C)


async def test_a_rule_that_is_gone_already_does_not_stop_the_others(world, group):
    await world.set(A, B, C)
    look = world.app.keeper._ec2.held

    async def stale(group_id):
        seen = await look(group_id)
        world.app.keeper._ec2.held = look
        world.ec2.revoke_security_group_ingress(
            GroupId=group_id,
            SecurityGroupRuleIds=[world.in_force(group_id)[(f"{B}/32", 19530)]],
        )
        return seen

    world.app.keeper._ec2.held = stale
    await world.set(A)
    assert set(world.in_force(group)) == at(A)


async def test_a_lower_quota_of_the_account_is_said(world, group):
    world.fault(Kind.ERROR, GRANT, code="RulesPerSecurityGroupLimitExceeded", times=0)
    with pytest.raises(errors.OverLimit) as caught:
        await world.set(A)
    assert caught.value.reason == "TOO_MANY_RULES"


async def test_a_change_shown_late_is_waited_for(world, group):
    world.registry.clusters[CLUSTER].whitelist.revision = 5  # not the first list
    look = world.app.keeper._ec2.held
    looks = 0

    async def late(group_id):
        nonlocal looks
        looks += 1
        return () if looks < 4 else await look(group_id)

    world.app.keeper._ec2.held = late
    answer = await world.set(A)
    assert [one.state for one in answer.rules] == [AUTHORIZED]
    assert world.pauses.waited == [0.25, 0.25]


async def test_a_change_never_shown_is_answered_as_being_applied(world, group):
    await world.set(B)

    async def never(group_id):
        return ()

    world.app.keeper._ec2.held = never
    answer = await world.set(A)
    assert [one.state for one in answer.rules] == [AUTHORIZING]
    assert any("being applied" in notice for notice in answer.notices)
