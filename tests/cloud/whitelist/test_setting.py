"""Setting a whitelist: smallest change, grant before revoke, the set before after a failure."""

from __future__ import annotations

import asyncio

import pytest

from kite import errors
from kite.v1 import cluster_pb2, operation_pb2, whitelist_pb2
from localcloud.strict.faults import Kind
from tests.cloud.whitelist.conftest import CLUSTER

GRANT, REVOKE = "AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress"
A, B, C, D = (f"198.18.88.{n}" for n in (11, 12, 13, 14))
AUTHORIZED = whitelist_pb2.RULE_STATE_AUTHORIZED
AUTHORIZING = whitelist_pb2.RULE_STATE_AUTHORIZING


def at(*addresses):
    return {(f"{one}/32", 19530) for one in addresses}


@pytest.fixture
async def group(world):
    """The whitelist group of a cluster whose record knows it."""
    group_id = (await world.ensure())["whitelist"]
    world.registry.record_group(CLUSTER, group_id)
    return group_id


def wished(world):
    return [one.source_ip for one in world.registry.clusters[CLUSTER].whitelist.rules]


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
    answer = await world.set()
    assert world.in_force(group) == {}
    assert world.writes(since) == [REVOKE]
    assert any("empty" in notice for notice in answer.notices)


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
    await asyncio.gather(*(world.set(A, B) for _ in range(4)))
    assert set(world.in_force(group)) == at(A, B)


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
    async def never(group_id):
        return ()

    world.app.keeper._ec2.held = never
    answer = await world.set(A)
    assert [one.state for one in answer.rules] == [AUTHORIZING]
    assert any("being applied" in notice for notice in answer.notices)


# -- S0-11: failures in the middle -------------------------------------------------------------


async def failing(world, *ranges):
    with pytest.raises(errors.KiteError) as caught:
        await world.set(*ranges)
    return caught.value


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
    world.fault(Kind.ERROR, "DescribeSecurityGroupRules", code="UnauthorizedOperation", times=1)
    error = await failing(world, A)
    assert error.context["restored"] == "true"
    assert (wished(world), world.in_force(group)) == ([], {})


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
