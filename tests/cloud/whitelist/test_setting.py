"""Setting a whitelist: the smallest change, granted before revoked (S0-08 to S0-10, S0-12)."""

from __future__ import annotations

import pytest

from kite import errors
from kite.v1 import cluster_pb2, operation_pb2, whitelist_pb2
from localcloud.strict.faults import Kind
from tests.cloud.whitelist.conftest import (
    AUTHORIZED,
    AUTHORIZING,
    CLUSTER,
    GRANT,
    REVOKE,
    A,
    B,
    C,
    at,
    failing,
    wished,
)

# -- S0-08, S0-09, S0-10, S0-12 -------------------------------------------------------------


async def test_the_printed_ranges_of_the_seed(world, group):
    pairs = [("115.236.166.154", "miluvs-port"), ("115.236.166.155", "miluvs-em-port")]
    answer = await world.set(*pairs)
    assert set(world.in_force(group)) == {
        ("115.236.166.154/32", 19530),
        ("115.236.166.155/32", 3000),
    }
    assert [(one.rule.source_ip, one.rule.port_type) for one in answer.rules] == [
        ("115.236.166.154/32", cluster_pb2.PORT_TYPE_MILVUS),
        ("115.236.166.155/32", cluster_pb2.PORT_TYPE_MILVUS_EM),
    ]
    assert all(one.state == AUTHORIZED for one in answer.rules)
    assert {one.rule_id for one in answer.rules} == set(world.in_force(group).values())
    got = await world.get()
    assert got.rules == answer.rules
    assert got.revision == answer.revision == 2


async def test_the_first_set_is_one_writing_call(world, group):
    since = world.since()
    answer = await world.set(A, B)
    assert world.writes(since) == [GRANT]
    assert (answer.granted, answer.revoked) == (2, 0)


async def test_the_first_set_looks_at_nothing(world, group):
    """EC2's answer tells what is in force: nobody has ever set these rules (P12)."""
    since = world.since()
    answer = await world.set(A, B)
    assert (world.writes(since), world.reads(since)) == ([GRANT], 0)
    assert {one.state for one in answer.rules} == {AUTHORIZED}
    await world.set(A)
    assert world.reads(since) == 2


async def test_the_first_set_of_a_group_that_is_not_empty_looks_after_all(world, group):
    permission = {"IpProtocol": "tcp", "FromPort": 19530, "ToPort": 19530}
    world.ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[permission | {"IpRanges": [{"CidrIp": f"{r}/32"} for r in (A, C)]}],
    )
    await world.set(A, B)
    assert {cidr for cidr, _ in world.in_force(group)} == {f"{A}/32", f"{B}/32"}


async def test_replacing_grants_before_it_revokes_and_leaves_the_common_rule(world, group):
    await world.set(A, B)
    before = world.in_force(group)
    since = world.since()
    answer = await world.set(B, C)
    assert world.writes(since) == [GRANT, REVOKE]
    assert set(world.in_force(group)) == at(B, C)
    key = (f"{B}/32", 19530)
    assert world.in_force(group)[key] == before[key]
    assert (answer.granted, answer.revoked) == (1, 1)
    assert any("not cut" in notice for notice in answer.notices)


async def test_at_no_moment_are_there_fewer_than_the_common_rules(world, group):
    """Frozen between its two calls, the group holds the old rules and the new ones."""
    await world.set(A, B)
    world.fault(Kind.ERROR, REVOKE, code="UnauthorizedOperation", times=0)
    await failing(world, B, C)
    assert set(world.in_force(group)) == at(A, B, C)


async def test_the_same_set_twice_writes_nothing(world, group):
    await world.set(A, (B, "milvus-em-port"))
    since, revision = world.since(), world.registry.clusters[CLUSTER].whitelist.revision
    answer = await world.set(f"{A}/32", (B, "miluvs-em-port"))
    assert world.writes(since) == []
    assert (answer.granted, answer.revoked, answer.revision) == (0, 0, revision)


async def test_order_alone_writes_nothing_to_ec2(world, group):
    await world.set(A, B)
    since = world.since()
    answer = await world.set(B, A)
    assert world.writes(since) == []
    assert [one.rule.source_ip for one in answer.rules] == [f"{B}/32", f"{A}/32"]


async def test_canonical_forms_are_stored_shown_and_in_force(world, group):
    answer = await world.set("115.236.166.154", "2001:DB8:0::/48", "10.9.0.0/16")
    canonical = ["115.236.166.154/32", "2001:db8::/48", "10.9.0.0/16"]
    assert [one.rule.source_ip for one in answer.rules] == canonical
    assert wished(world) == canonical
    assert {cidr for cidr, _ in world.in_force(group)} == set(canonical)


async def test_an_empty_list_closes_everything_also_what_was_added_by_hand(world, group):
    await world.set(A, B)
    world.ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "9.9.9.9/32"}]}],
    )
    since = world.since()
    await world.set()
    assert world.in_force(group) == {}
    assert world.writes(since) == [REVOKE]


async def test_refused_lists_touch_nothing(world, group):
    since = world.since()
    for bad, kind in (
        ("10.1.2.3/8", errors.InvalidRequest),
        ("0.0.0.0/0", errors.Forbidden),
        ("nonsense", errors.InvalidRequest),
    ):
        with pytest.raises(kind):
            await world.set(A, bad)
    with pytest.raises(errors.InvalidRequest, match="60"):
        await world.set(*(f"198.18.{n // 100}.{n % 100 * 2}" for n in range(61)))
    assert world.strict.api.calls.all(since=since) == []
    assert wished(world) == []


async def test_sixty_rules_replaced_by_sixty_others(world, group):
    first = [f"198.18.1.{n * 2}" for n in range(60)]
    second = [f"198.18.2.{n * 2}" for n in range(60)]
    await world.set(*first)
    since = world.since()
    answer = await world.set(*second)
    assert set(world.in_force(group)) == at(*second)
    assert world.writes(since) == [REVOKE, GRANT]  # no room to grant first
    assert any("full" in notice for notice in answer.notices)


async def test_both_families_may_be_full(world, group):
    four = [f"198.18.1.{n * 2}" for n in range(60)]
    six = [f"2001:db8::{n * 2:x}" for n in range(60)]
    await world.set(*four, *six)
    assert len(world.in_force(group)) == 120


async def test_descriptions_in_ec2_are_ours_and_notes_stay_here(world, group):
    request = whitelist_pb2.SetRulesRequest(
        user="alice",
        milvus_name="cats",
        ranges=[
            whitelist_pb2.WishedRange(source_ip=A, port_type="milvus-port", note="Ann's; desk")
        ],
    )
    with pytest.raises(errors.InvalidRequest):
        await world.stub.SetRules(request)
    request.ranges[0].note = "desk of Ann (2)"
    answer = await world.stub.SetRules(request)
    assert answer.rules[0].rule.note == "desk of Ann (2)"
    rule = world.ec2.describe_security_group_rules(SecurityGroupRuleIds=[answer.rules[0].rule_id])[
        "SecurityGroupRules"
    ][0]
    assert rule["Description"] == "kite:milvus-port"


async def test_a_change_of_note_or_expiry_writes_nothing_to_ec2(world, group):
    await world.set(A)
    since = world.since()
    later = world.pauses.clock.now_ms() + 1000
    request = whitelist_pb2.SetRulesRequest(user="alice", milvus_name="cats")
    request.ranges.add(source_ip=A, port_type="milvus-port", note="new", expires_at_ms=later)
    answer = await world.stub.SetRules(request)
    assert world.writes(since) == []
    assert answer.revision == 3
    assert (await world.get()).rules[0].rule.expires_at_ms == later


# -- operations and events --------------------------------------------------------------------


async def test_an_operation_is_recorded(world, group):
    answer = await world.set(A, request_id="req-1")
    (kept,) = world.registry.operations
    assert kept == answer.operation
    assert kept.type == "set-whitelist"
    assert kept.state == operation_pb2.OPERATION_STATE_SUCCEEDED
    assert (kept.request_id, kept.user, kept.milvus_name) == ("req-1", "alice", "cats")
    assert kept.cluster_id == CLUSTER
    assert kept.operation_id.startswith("op-")


async def test_a_change_in_force_is_not_called_failed_for_its_record(world, group):
    world.registry.fail["RecordOperation"] = [errors.Internal("x")]
    answer = await world.set(A)
    assert set(world.in_force(group)) == at(A)
    assert answer.operation.operation_id == ""


# -- whose, and in which state ----------------------------------------------------------------


@pytest.mark.parametrize(("user", "name"), [("bob", "cats"), ("alice", "dogs"), ("*", "*")])
async def test_unknown_and_foreign_clusters_are_the_same_nothing(world, group, user, name):
    for call, message in (
        (world.stub.SetRules, whitelist_pb2.SetRulesRequest),
        (world.stub.GetRules, whitelist_pb2.GetRulesRequest),
    ):
        with pytest.raises(errors.NotFound) as caught:
            await call(message(user=user, milvus_name=name))
        assert caught.value.reason == "NO_SUCH_CLUSTER"
        assert caught.value.description == "there is no such cluster"


async def test_a_deleting_cluster_cannot_be_opened(world, group):
    world.registry.unwant(CLUSTER)
    since = world.since()
    with pytest.raises(errors.Conflict) as caught:
        await world.set(A)
    assert caught.value.reason == "CLUSTER_DELETING"
    assert world.writes(since) == []


async def test_a_delete_in_the_middle_closes_again(world, group):
    """The cluster is unwanted after the wish was stored and before it is applied."""
    world.registry.before_set = lambda: world.registry.unwant(CLUSTER)
    await world.set(A)
    assert world.in_force(group) == {}


async def test_a_list_for_a_cluster_without_a_group_waits_for_it(world):
    since = world.since()
    answer = await world.set(A)
    assert world.writes(since) == []
    assert [one.state for one in answer.rules] == [AUTHORIZING]
    assert any("no security group yet" in notice for notice in answer.notices)
    ids = await world.ensure()
    assert set(world.in_force(ids["whitelist"])) == at(A)
    assert [one.state for one in (await world.get()).rules] == [AUTHORIZED]


async def test_the_group_is_found_before_the_record_knows_it(world):
    ids = await world.ensure()
    await world.set(A)
    assert set(world.in_force(ids["whitelist"])) == at(A)
