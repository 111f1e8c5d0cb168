"""The loop puts back what drifted and closes what expired (S0-20)."""

from __future__ import annotations

import pytest

from kite import errors
from kite.v1 import cluster_pb2
from tests.cloud.whitelist.conftest import CLUSTER
from whitelist_svc.settings import Settings

A, B = "198.18.88.11/32", "198.18.88.12/32"
OTHER = "cbbbbbbbbbbbbbbbb"


@pytest.fixture
async def group(world):
    group_id = (await world.ensure())["whitelist"]
    await world.set(A, B)
    return group_id


def by_hand(world, group_id, cidr="9.9.9.9/32", **more):
    permission = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, **more}
    world.ec2.authorize_security_group_ingress(
        GroupId=group_id, IpPermissions=[{**permission, "IpRanges": [{"CidrIp": cidr}]}]
    )


def take_away(world, group_id, cidr):
    ids = [rule_id for (one, _), rule_id in world.in_force(group_id).items() if one == cidr]
    world.ec2.revoke_security_group_ingress(GroupId=group_id, SecurityGroupRuleIds=ids)


def told(world):
    return [event.type for event in world.registry.events]


async def test_a_group_that_is_right_is_left_alone(world, group):
    since = world.since()
    assert await world.app.mender.turn()
    assert world.writes(since) == []
    assert world.reads(since) == 1
    assert told(world) == []


async def test_a_rule_removed_by_hand_comes_back_and_is_told(world, group):
    take_away(world, group, A)
    await world.app.mender.turn()
    assert set(world.in_force(group)) == {(A, 19530), (B, 19530)}
    (event,) = world.registry.events
    assert (event.type, event.cluster_id, event.origin) == ("WhitelistDrift", CLUSTER, "whitelist")
    assert dict(event.details) == {"granted": "1", "revoked": "0"}
    await world.app.mender.turn()
    assert told(world) == ["WhitelistDrift"]


async def test_a_rule_added_by_hand_goes_in_strict_mode(world, group):
    by_hand(world, group)
    await world.app.mender.turn()
    assert set(world.in_force(group)) == {(A, 19530), (B, 19530)}
    assert dict(world.registry.events[0].details) == {"granted": "0", "revoked": "1"}


class TestReporting:
    @pytest.fixture
    def settings(self):
        return Settings(install="test", whitelist_strict=False)

    async def test_a_rule_added_by_hand_stays_and_is_told_once(self, world, group):
        by_hand(world, group)
        for _ in range(3):
            await world.app.mender.turn()
        assert ("9.9.9.9/32", 22) in world.in_force(group)
        assert told(world) == ["WhitelistDrift"]
        assert "9.9.9.9/32 tcp 22" in world.registry.events[0].description

    async def test_a_rule_removed_by_hand_comes_back_all_the_same(self, world, group):
        by_hand(world, group)
        take_away(world, group, A)
        await world.app.mender.turn()
        assert set(world.in_force(group)) == {(A, 19530), (B, 19530), ("9.9.9.9/32", 22)}
        assert told(world) == ["WhitelistDrift", "WhitelistDrift"]


async def test_an_expired_entry_is_closed_and_leaves_the_wish(world, group):
    ends = world.pauses.clock.now_ms() + 5_000
    world.registry.wish(
        CLUSTER,
        cluster_pb2.Rule(source_ip=A, port_type=1, expires_at_ms=ends),
        cluster_pb2.Rule(source_ip=B, port_type=1),
    )
    await world.app.mender.turn()
    assert set(world.in_force(group)) == {(A, 19530), (B, 19530)}
    world.pauses.clock.now += 5
    assert [one.rule.source_ip for one in (await world.get()).rules if one.state == 2] == [B]
    await world.app.mender.turn()
    assert set(world.in_force(group)) == {(B, 19530)}
    assert [one.source_ip for one in world.registry.clusters[CLUSTER].whitelist.rules] == [B]
    assert told(world) == ["WhitelistExpired"]


async def test_an_expiry_that_races_a_user_waits(world, group):
    world.registry.wish(
        CLUSTER,
        cluster_pb2.Rule(source_ip=A, port_type=1, expires_at_ms=1),
        cluster_pb2.Rule(source_ip=B, port_type=1),
    )
    new = cluster_pb2.Rule(source_ip="198.18.88.77/32", port_type=1)
    world.registry.before_set = lambda: world.registry.wish(CLUSTER, new)
    await world.app.mender.turn()
    kept = [one.source_ip for one in world.registry.clusters[CLUSTER].whitelist.rules]
    assert kept == ["198.18.88.77/32"]
    assert set(world.in_force(group)) == {("198.18.88.77/32", 19530)}


async def test_an_expiry_does_not_meet_a_later_cluster_of_that_name(world, group):
    world.registry.wish(
        CLUSTER,
        cluster_pb2.Rule(source_ip=A, port_type=1, expires_at_ms=1),
        cluster_pb2.Rule(source_ip=B, port_type=1),
    )
    world.registry.before_set = lambda: world.registry.reborn(CLUSTER, "cbbbbbbbbbbbbbbbb")
    await world.app.mender.turn()
    [later] = world.registry.clusters.values()
    assert (later.cluster_id, list(later.whitelist.rules)) == ("cbbbbbbbbbbbbbbbb", [])


async def test_a_wish_that_was_stored_and_never_applied_is_applied(world, group):
    world.registry.wish(CLUSTER, cluster_pb2.Rule(source_ip=B, port_type=1))
    await world.app.mender.turn()
    assert set(world.in_force(group)) == {(B, 19530)}


async def test_an_unwanted_cluster_is_closed_not_opened(world, group):
    world.registry.unwant(CLUSTER)
    await world.app.mender.turn()
    assert world.in_force(group) == {}
    assert told(world) == []


async def test_the_base_group_is_put_right(world, group):
    base = (await world.ensure())["base"]
    before = set(world.in_force(base))
    take_away(world, base, "10.88.0.0/16")
    by_hand(world, base, "0.0.0.0/0")
    await world.app.mender.turn()
    assert set(world.in_force(base)) == before


async def test_a_base_group_left_over_goes_when_no_cluster_is_left(world, group):
    base = (await world.ensure())["base"]
    world.registry.clusters.clear()
    await world.app.mender.turn()
    assert world.in_force(base)  # a cluster's group still stands
    world.ec2.delete_security_group(GroupId=group)
    await world.app.mender.turn()
    left = world.ec2.describe_security_groups(
        Filters=[{"Name": "tag:kite:install", "Values": ["test"]}]
    )["SecurityGroups"]
    assert left == []


async def test_without_the_duty_nothing_is_looked_at(world, group):
    world.registry.duty_granted = False
    since = world.since()
    assert not await world.app.mender.turn()
    assert world.reads(since) == 0


async def test_groups_of_others_are_never_touched(world, group):
    for install, cluster in (("else", CLUSTER), ("test*", CLUSTER)):
        theirs = world.ec2.create_security_group(
            GroupName=f"theirs-{install}",
            Description="x",
            VpcId=world.vpc,
            TagSpecifications=[
                {
                    "ResourceType": "security-group",
                    "Tags": [
                        {"Key": "kite:install", "Value": install},
                        {"Key": "kite:cluster", "Value": cluster},
                    ],
                }
            ],
        )["GroupId"]
        by_hand(world, theirs)
        await world.app.mender.turn()
        assert world.in_force(theirs)


async def test_one_cluster_in_trouble_does_not_stop_the_others(world, group):
    world.registry.add(OTHER, name="dogs")
    world.registry.wish(OTHER, cluster_pb2.Rule(source_ip=A, port_type=1))
    other = (await world.ensure(OTHER))["whitelist"]
    take_away(world, group, A)
    take_away(world, other, A)
    world.registry.fail["GetCluster"] = [errors.Internal("first one fails")]
    await world.app.mender.turn()
    assert (A, 19530) not in world.in_force(group)
    assert (A, 19530) in world.in_force(other)


async def test_the_loop_outlives_a_bad_turn(world, group):
    class Enough(BaseException):
        pass

    world.registry.fail["ClaimDuty"] = [errors.Unavailable("away")]
    take_away(world, group, A)
    turns = 0

    async def pause(seconds):
        nonlocal turns
        assert seconds == 30.0
        turns += 1
        if turns == 2:
            raise Enough

    world.app.mender._pause = pause
    with pytest.raises(Enough):
        await world.app.mender.run()
    assert (A, 19530) in world.in_force(group)


async def test_a_rule_granted_by_another_process_meanwhile_is_no_drift(world, group):
    """Groups are read before wishes: a rule seen is one that the wish read later names."""
    look = world.app.mender._ec2.of_install

    async def slow(install):
        seen = await look(install)
        await world.set(A)  # stored and applied after the groups were read
        return seen

    world.app.mender._ec2.of_install = slow
    since = world.since()
    await world.app.mender.turn()
    assert set(world.in_force(group)) == {(A, 19530)}
    assert world.writes(since) == ["RevokeSecurityGroupIngress"]  # the user's own
    assert told(world) == []


async def test_the_loop_wakes_when_an_entry_ends(world, group):
    now = world.pauses.clock.now_ms()
    world.registry.wish(
        CLUSTER,
        cluster_pb2.Rule(source_ip=A, port_type=1, expires_at_ms=now + 7_000),
        cluster_pb2.Rule(source_ip=B, port_type=1, expires_at_ms=now + 500_000),
    )
    await world.app.mender.turn()
    assert world.app.mender._until_next() == 7.0
    world.pauses.clock.now += 7
    await world.app.mender.turn()
    assert set(world.in_force(group)) == {(B, 19530)}
    assert world.app.mender._until_next() == 30.0


async def test_the_peers_rule_comes_back(world):
    peers = (await world.ensure(peers=True))["peers"]
    before = world.in_force(peers)
    world.ec2.revoke_security_group_ingress(
        GroupId=peers, SecurityGroupRuleIds=list(before.values())
    )
    await world.app.mender.turn()
    assert world.in_force(peers).keys() == before.keys() != set()
    since = world.since()
    await world.app.mender.turn()
    assert world.writes(since) == []


async def test_a_wish_that_failed_before_is_not_called_drift(world, group):
    world.registry.wish(CLUSTER, cluster_pb2.Rule(source_ip=B, port_type=1))
    await world.app.mender.turn()
    assert told(world) == ["WhitelistApplied"]
