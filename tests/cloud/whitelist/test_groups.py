"""Groups are made, adopted, closed and dropped with as few calls as it takes."""

from __future__ import annotations

import asyncio

import pytest

from kite import errors
from kite.v1 import cluster_pb2, whitelist_pb2
from localcloud.strict.faults import Kind
from tests.cloud.whitelist.conftest import CLUSTER
from whitelist_svc.groups import Kind as GroupKind
from whitelist_svc.keep import Bases, Standing

OTHER = "cbbbbbbbbbbbbbbbb"
CONTROL = {(cidr, port) for cidr in ("10.88.0.0/16", "2001:db8::/32") for port in (22, 19530)}


def group(world, group_id):
    return world.ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"][0]


def stands(world, group_id):
    found = world.ec2.describe_security_groups()["SecurityGroups"]
    return group_id in {one["GroupId"] for one in found}


def tags(world, group_id):
    return {tag["Key"]: tag["Value"] for tag in group(world, group_id)["Tags"]}


async def drop(world, cluster_id=CLUSTER, *, last=False):
    return await world.stub.DropGroups(
        whitelist_pb2.DropGroupsRequest(cluster_id=cluster_id, last_cluster=last)
    )


async def test_the_first_cluster_makes_base_and_whitelist(world):
    since = world.since()
    ids = await world.ensure()
    assert set(ids) == {"base", "whitelist"}
    assert sorted(world.writes(since)) == [
        "AuthorizeSecurityGroupIngress",
        "CreateSecurityGroup",
        "CreateSecurityGroup",
    ]
    assert set(world.in_force(ids["base"])) == CONTROL
    assert world.in_force(ids["whitelist"]) == {}  # S0-07
    assert group(world, ids["whitelist"])["GroupName"] == f"kite-{CLUSTER}"
    assert tags(world, ids["whitelist"])["kite:cluster"] == CLUSTER
    assert tags(world, ids["base"])["kite:kind"] == "base"


async def test_a_further_cluster_costs_one_writing_call(world):
    await world.ensure()
    world.registry.add(OTHER, name="dogs")
    since = world.since()
    await world.ensure(OTHER)
    assert world.writes(since) == ["CreateSecurityGroup"]


async def test_ensuring_again_writes_nothing(world):
    ids = await world.ensure(peers=True)
    world.registry.record_group(CLUSTER, ids["whitelist"])
    since = world.since()
    assert await world.ensure(peers=True) == ids
    assert world.writes(since) == []


async def test_ensuring_before_the_record_was_written_adopts(world):
    ids = await world.ensure(peers=True)
    assert await world.ensure(peers=True) == ids


async def test_logical_names_are_the_seeds(world):
    answer = await world.stub.EnsureGroups(
        whitelist_pb2.EnsureGroupsRequest(cluster_id=CLUSTER, vpc_id=world.vpc, peers=True)
    )
    assert [one.logical_name for one in answer.groups] == ["sg-base", "sg-cats", "sg-cats-peers"]


async def test_peers_reach_each_other(world):
    ids = await world.ensure(peers=True)
    pairs = group(world, ids["peers"])["IpPermissions"][0]["UserIdGroupPairs"]
    assert [pair["GroupId"] for pair in pairs] == [ids["peers"]]


async def test_a_whitelist_from_birth_is_in_force_at_once(world):
    world.registry.wish(CLUSTER, cluster_pb2.Rule(source_ip="198.18.88.7/32", port_type=1))
    await world.ensure()
    other_since = world.since()
    ids = await world.ensure()
    assert set(world.in_force(ids["whitelist"])) == {("198.18.88.7/32", 19530)}
    assert "AuthorizeSecurityGroupIngress" not in world.writes(other_since)


async def test_a_lost_reply_of_create_leads_to_one_group(world):
    """Whoever asks again is given the groups whose replies were lost."""
    world.fault(Kind.LOST_REPLY, "CreateSecurityGroup", times=2)
    with pytest.raises(errors.Unavailable):
        await world.ensure()
    ids = await world.ensure()
    named = world.ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [world.vpc]}])[
        "SecurityGroups"
    ]
    assert sorted(one["GroupId"] for one in named if one["GroupName"] != "default") == sorted(
        ids.values()
    )


async def test_a_strangers_group_is_not_adopted(world):
    world.ec2.create_security_group(
        GroupName=f"kite-{CLUSTER}", Description="mine", VpcId=world.vpc
    )
    with pytest.raises(errors.AlreadyExists) as caught:
        await world.ensure()
    assert caught.value.reason == "SECURITY_GROUP_NAME_TAKEN"


@pytest.mark.parametrize(
    "changed", [{"kite:install": "else"}, {"kite:cluster": OTHER}], ids=["install", "cluster"]
)
async def test_tags_of_another_owner_do_not_adopt(world, changed):
    marks = {"kite:install": "test", "kite:cluster": CLUSTER, **changed}
    world.ec2.create_security_group(
        GroupName=f"kite-{CLUSTER}",
        Description="theirs",
        VpcId=world.vpc,
        TagSpecifications=[
            {
                "ResourceType": "security-group",
                "Tags": [{"Key": k, "Value": v} for k, v in marks.items()],
            }
        ],
    )
    with pytest.raises(errors.AlreadyExists):
        await world.ensure()
    assert (await drop(world)).remaining == []  # not ours: not deleted either
    assert world.ec2.describe_security_groups(
        Filters=[{"Name": "group-name", "Values": [f"kite-{CLUSTER}"]}]
    )["SecurityGroups"]


async def test_a_group_not_visible_yet_is_waited_for(world):
    """The base group is asked for its rules before EC2 knows it everywhere."""
    code = "InvalidGroup.NotFound"
    world.fault(Kind.ERROR, "AuthorizeSecurityGroupIngress", code=code, times=5)
    ids = await world.ensure()
    assert set(world.in_force(ids["base"])) == CONTROL
    assert world.pauses.waited[:4] == [0.25, 0.5, 1.0, 2.0]


async def test_waiting_for_a_group_ends_after_a_minute(world):
    code = "InvalidGroup.NotFound"
    world.fault(Kind.ERROR, "AuthorizeSecurityGroupIngress", code=code, times=0)
    with pytest.raises(errors.CloudRefused):
        await world.ensure()
    assert 50 < sum(world.pauses.waited) <= 60


async def test_two_clusters_at_once_share_one_base(world):
    world.registry.add(OTHER, name="dogs")
    since = world.since()
    one, two = await asyncio.gather(world.ensure(), world.ensure(OTHER))
    assert len(world.writes(since)) == 4  # three groups, one grant
    assert one["base"] == two["base"]
    assert one["whitelist"] != two["whitelist"]
    assert set(world.in_force(one["base"])) == CONTROL


async def test_a_deleting_cluster_gets_no_groups(world):
    world.registry.unwant(CLUSTER)
    with pytest.raises(errors.Conflict) as caught:
        await world.ensure()
    assert caught.value.reason == "CLUSTER_DELETING"
    assert world.writes() == []


async def test_an_unknown_cluster_gets_no_groups(world):
    with pytest.raises(errors.NotFound):
        await world.ensure("czzzzzzzzzzzzzzzz")


async def test_a_missing_vpc_is_named(world):
    with pytest.raises(errors.InvalidRequest) as caught:
        await world.stub.EnsureGroups(whitelist_pb2.EnsureGroupsRequest(cluster_id=CLUSTER))
    assert caught.value.field == "/vpc-id"


async def test_closing_revokes_everything_in_one_call(world):
    ids = await world.ensure()
    await world.set("198.18.88.7", "198.18.88.8", ("2001:db8::/48", "milvus-em-port"))
    since = world.since()
    closed = await world.stub.CloseGroups(whitelist_pb2.CloseGroupsRequest(cluster_id=CLUSTER))
    assert closed.revoked == 3
    assert world.writes(since) == ["RevokeSecurityGroupIngress"]
    assert world.in_force(ids["whitelist"]) == {}
    assert len(world.in_force(ids["base"])) == len(CONTROL)


async def test_closing_works_without_a_registry_and_without_groups(world):
    world.registry.clusters.clear()
    closed = await world.stub.CloseGroups(whitelist_pb2.CloseGroupsRequest(cluster_id=CLUSTER))
    assert closed.revoked == 0


async def test_the_last_cluster_takes_the_base_group_along(world):
    await world.ensure(peers=True)
    answer = await drop(world, last=True)
    assert (list(answer.remaining), answer.why) == ([], "")
    left = world.ec2.describe_security_groups(
        Filters=[{"Name": "tag:kite:install", "Values": ["test"]}]
    )["SecurityGroups"]
    assert left == []


async def test_the_base_group_stays_while_another_cluster_has_groups(world):
    world.registry.add(OTHER, name="dogs")
    ids = await world.ensure()
    await world.ensure(OTHER)
    await drop(world, last=True)
    assert group(world, ids["base"])


def interface(world, *group_ids):
    subnet = world.ec2.create_subnet(VpcId=world.vpc, CidrBlock="10.88.1.0/24")["Subnet"]
    made = world.ec2.create_network_interface(SubnetId=subnet["SubnetId"], Groups=list(group_ids))
    return made["NetworkInterface"]["NetworkInterfaceId"]


async def test_a_group_in_use_is_reported_with_what_holds_it(world):
    ids = await world.ensure()
    eni = interface(world, ids["whitelist"], ids["base"])
    answer = await drop(world, last=True)
    assert [one.group_id for one in answer.remaining] == [ids["whitelist"]]
    assert answer.remaining[0].logical_name == "sg-cats"
    assert answer.why == f"{ids['whitelist']} is held by {eni}"
    assert group(world, ids["base"])
    world.ec2.delete_network_interface(NetworkInterfaceId=eni)
    assert (await drop(world, last=True)).remaining == []


async def test_a_base_group_still_in_use_is_left_quietly(world):
    ids = await world.ensure()
    interface(world, ids["base"])
    answer = await drop(world, last=True)
    assert (list(answer.remaining), answer.why) == ([], "")
    assert group(world, ids["base"])


async def test_another_groups_rule_is_named_and_holds_up_one_group_alone(world):
    ids = await world.ensure(peers=True)
    theirs = world.ec2.create_security_group(GroupName="theirs", Description="x", VpcId=world.vpc)[
        "GroupId"
    ]
    rule = [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": ids["whitelist"]}]}]
    world.ec2.authorize_security_group_ingress(GroupId=theirs, IpPermissions=rule)
    held = await drop(world)
    assert f"rule in {theirs}" in held.why
    assert [one.group_id for one in held.remaining] == [ids["whitelist"]]
    assert not stands(world, ids["peers"])
    assert group(world, theirs)["IpPermissions"]  # a stranger's rule is a stranger's to take away
    world.ec2.revoke_security_group_ingress(GroupId=theirs, IpPermissions=rule)
    assert (await drop(world)).remaining == []
    assert not stands(world, ids["whitelist"])


async def test_a_lost_reply_of_delete_leaves_nothing_to_do_for_who_asks_again(world):
    await world.ensure()
    world.fault(Kind.LOST_REPLY, "DeleteSecurityGroup", times=1)
    with pytest.raises(errors.Unavailable):
        await drop(world)
    since = world.since()
    assert (await drop(world)).remaining == []
    assert world.writes(since) == []


async def test_dropping_twice_is_no_failure(world):
    await world.ensure()
    await drop(world, last=True)
    since = world.since()
    assert (await drop(world, last=True)).remaining == []
    assert world.writes(since) == []


async def test_the_base_group_stays_while_a_cluster_is_just_being_made(world):
    """Its groups may not be visible yet, but it was told the base group's id already."""
    ids = await world.ensure()
    world.ec2.delete_security_group(GroupId=ids["whitelist"])
    keeper, create = world.app.keeper, world.app.keeper._ec2.create

    async def dropped_meanwhile(wanted, vpc_id):
        assert not await keeper.drop_base()
        return await create(wanted, vpc_id)

    keeper._ec2.create = dropped_meanwhile
    assert (await world.ensure())["base"] == ids["base"]
    assert group(world, ids["base"])


async def test_values_with_wildcards_match_only_themselves(world):
    ids = await world.ensure()
    ec2 = world.app.keeper._ec2
    assert [one.group_id for one in await ec2.named([f"kite-{CLUSTER}"])] == [ids["whitelist"]]
    assert await ec2.named(["kite-*"]) == ()
    assert len(await ec2.of_install("test")) == 2
    assert await ec2.of_install("te*") == ()


async def test_one_client_per_process(world, monkeypatch):
    """Building a second one would cost a quarter of a second and 23 MB (P18)."""
    import boto3

    def refuse(*args, **more):
        raise AssertionError("another boto3 session was made")

    monkeypatch.setattr(boto3, "Session", refuse)
    monkeypatch.setattr(boto3, "client", refuse)
    await world.ensure(peers=True)
    await world.set("198.18.88.7")
    await world.app.mender.turn()
    await drop(world, last=True)


async def test_calls_of_one_ensure_run_side_by_side(world):
    """One round trip makes a cluster's groups when the base group stands (P11)."""
    await world.ensure()
    world.app.keeper._known.forget()
    world.registry.add(OTHER, name="dogs")
    running = most = 0
    session_call = world.session.call  # listings go through it too

    async def counted(*args, **more):
        nonlocal running, most
        running += 1
        most = max(most, running)
        try:
            return await session_call(*args, **more)
        finally:
            running -= 1

    world.session.call = counted
    try:
        since = world.since()
        await world.ensure(OTHER)
    finally:
        world.session.call = session_call
    assert (world.writes(since), world.reads(since)) == (["CreateSecurityGroup"], 1)
    assert most == 2


async def test_a_base_group_that_was_seen_is_not_looked_for_again(world):
    """Nothing is looked for before the first attempt; who asks again has met trouble (P12)."""
    await world.ensure()
    world.registry.add(OTHER, name="dogs")
    since = world.since()
    first = await world.ensure(OTHER)
    assert (world.writes(since), world.reads(since)) == (["CreateSecurityGroup"], 0)
    world.ec2.delete_security_group(GroupId=first["base"])
    again = await world.ensure(OTHER)
    assert again["base"] != first["base"]
    assert again["whitelist"] == first["whitelist"]


async def test_a_dropped_base_group_is_forgotten(world):
    await world.ensure()
    await drop(world, last=True)
    world.registry.add(OTHER, name="dogs")
    since = world.since()
    await world.ensure(OTHER)
    assert world.writes(since).count("CreateSecurityGroup") == 2


async def test_memory_serves_so_many_and_then_looks():
    bases = Bases()
    assert bases.given("vpc", "c0") is None
    bases.learn("vpc", "c0", Standing(GroupKind.BASE, "kite-base", "sg-1", made=True, fresh=True))
    given = [bases.given("vpc", f"c{n}") for n in range(1, 1000)]
    assert set(given) == {Standing(GroupKind.BASE, "kite-base", "sg-1")}
    assert bases.given("vpc", "c1000") is None
    assert bases.given("vpc-2", "c1") is None
