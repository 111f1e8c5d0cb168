"""What to launch when EC2 has no capacity, or what launches lack is away: plans are compared."""

from dataclasses import replace

import pytest

from provisioner.facts import Lack
from provisioner.nodes import born
from provisioner.plan import (
    EnsureGroups,
    Launch,
)
from provisioner.record import Address, NodeState, Spec
from provisioner.sight import GROUP_MISSING, NO_CAPACITY, PLACE_MISSING
from tests.unit.provisioner.shapes import (
    ASKING,
    CLUSTER,
    EVERY,
    ID,
    INSTALL,
    MINUTE,
    NOW,
    SECOND,
    SITE,
    at_birth,
    facts,
    intent,
    launched,
    machine,
    node,
    only,
    plan,
    record,
    token_of,
)

S = NodeState


def refused(**more):
    return node(
        intent=intent(client_token="", **more),
        reason=NO_CAPACITY,
        why=ASKING,
        deadline_ms=NOW + 10 * MINUTE,
    )


def test_no_capacity_means_the_next_zone_under_the_next_attempt():
    found = plan(record(refused()), facts())
    (launch,) = found.actions
    assert (launch.attempt, launch.intent.subnet_id) == (2, "subnet-b")
    assert launch.intent.client_token == token_of(2) == only(found).token
    assert only(found).reason == NO_CAPACITY
    assert only(found).deadline_ms == NOW + 10 * MINUTE


def test_after_the_zones_comes_the_next_type():
    (launch,) = plan(record(refused(subnet_id="subnet-b")), facts()).actions
    assert (launch.intent.instance_type, launch.intent.subnet_id) == ("m6i.large", "subnet-a")


def test_a_whole_round_without_capacity_is_followed_by_a_pause():
    n = refused(instance_type="m6a.large", subnet_id="subnet-b")
    assert plan(record(n), facts(), NOW + 9 * SECOND).actions == ()
    (launch,) = plan(record(n), facts(), NOW + 10 * SECOND).actions
    assert (launch.intent.instance_type, launch.intent.subnet_id) == ("m5.large", "subnet-a")


def pair(*nodes):
    """A cluster of a master and one worker, both about to be decided on."""
    spec = Spec(workers=1, worker_instance_type="m5.large")
    hashes = {one.token: "hash" for one in nodes} | facts().hashes
    return record(*nodes, spec=spec), facts(machine(), hashes=hashes)


def launches(found):
    return [action for action in found.actions if isinstance(action, Launch)]


def worker(**more):
    return replace(born(INSTALL, CLUSTER, 1, NOW), **more)


@pytest.mark.parametrize("number", [ID, ""], ids=["a machine", "a launch without an answer"])
def test_a_node_goes_where_the_others_of_its_cluster_are(number):
    master = launched(intent=intent(subnet_id="subnet-b"), instance_id=number)
    (launch,) = (one for one in launches(plan(*pair(master, worker()))) if one.slot == 1)
    assert launch.intent.subnet_id == "subnet-b"


def test_for_want_of_capacity_there_a_node_takes_another_type_and_no_other_zone():
    alone = refused(instance_type="m5.large")
    beside = worker(intent=intent(subnet_id="subnet-a"), instance_id="i-2")
    (launch,) = (one for one in launches(plan(*pair(alone, beside))) if one.slot == 0)
    assert (launch.intent.instance_type, launch.intent.subnet_id) == ("m6i.large", "subnet-a")


@pytest.mark.parametrize(
    "other",
    [
        worker(intent=intent(client_token="", subnet_id="subnet-a"), reason=NO_CAPACITY),
        worker(intent=intent(subnet_id="subnet-a"), state=S.FAILED),
        worker(intent=intent(subnet_id="subnet-a"), instance_id="i-2", retiring=True),
        worker(intent=intent(subnet_id="subnet-z"), instance_id="i-2"),
    ],
    ids=["refused", "failed", "leaving", "in a subnet no longer named"],
)
def test_only_machines_that_stay_hold_a_node_back(other):
    (launch,) = (one for one in launches(plan(*pair(refused(), other))) if one.slot == 0)
    assert launch.intent.subnet_id == "subnet-b"


def test_no_capacity_for_ten_minutes_is_a_failure_with_its_reason():
    found = plan(record(replace(refused(), refused=EVERY)), facts(), NOW + 10 * MINUTE)
    assert (only(found).state, only(found).reason) == (S.FAILED, "INSUFFICIENT_CAPACITY")
    assert not only(found).retiring
    assert found.actions == ()
    assert found.record.reason == "INSUFFICIENT_CAPACITY"


@pytest.mark.parametrize("left_out", EVERY)
def test_a_failure_for_want_of_capacity_leaves_no_offer_out(left_out):
    """Whoever was to ask may have stood still for all of the ten minutes."""
    asked = tuple(one for one in EVERY if one != left_out)
    last = refused(instance_type=asked[-1].instance_type, subnet_id=asked[-1].subnet_id)
    found = plan(record(replace(last, refused=asked)), facts(), NOW + 10 * MINUTE)
    assert only(found).state is S.STARTING
    assert [action.attempt for action in launches(found)] == [2]
    assert only(found).refused == asked


def test_two_launches_of_one_turn_go_to_one_zone():
    """Also where they were refused in different ones before."""
    first = refused()  # last tried in the first zone, so the second comes next
    other = worker(
        intent=intent(client_token="", subnet_id="subnet-b", instance_type="m5.large"),
        reason=NO_CAPACITY,
        why=ASKING,
        deadline_ms=NOW + MINUTE,
    )
    cluster, seen = pair(first, other)
    seen = replace(seen, hashes={**seen.hashes, token_of(2, slot=1): "hash"})
    found = launches(plan(cluster, seen))
    assert [(launch.slot, launch.intent.subnet_id) for launch in found] == [
        (0, "subnet-b"),
        (1, "subnet-b"),
    ]


def test_a_failure_for_want_of_capacity_is_not_told_of_an_image_that_is_missing():
    last = replace(refused(), reason=PLACE_MISSING, refused=EVERY[:-1])
    found = plan(record(last), facts(), NOW + 10 * MINUTE)
    assert (only(found).state, only(found).reason) == (S.FAILED, PLACE_MISSING)


def test_no_address_for_ten_minutes_is_a_failure_with_its_reason():
    n = node(why=ASKING, reason=NO_CAPACITY, deadline_ms=NOW)
    bare = record(n, address=Address(), address_intended=False)
    found = plan(bare, facts())
    assert (only(found).state, only(found).reason) == (S.FAILED, NO_CAPACITY)
    assert only(found).why == "EC2 had no elastic address to give"
    # With an address meanwhile, or more time, it goes on.
    assert launches(plan(record(n), facts()))
    assert only(plan(bare, facts(), NOW - 1)).state is S.STARTING


LACK = Lack("BAD_SETTING", "KITE_X names no image in this region")
BARE = replace(SITE, image_id="", lack=LACK)


def test_where_nothing_can_be_launched_nothing_is_bought_and_it_is_told():
    found = plan(at_birth(), facts(site=BARE))
    assert found.actions == ()
    assert (only(found).state, only(found).reason) == (S.STARTING, "BAD_SETTING")
    assert (only(found).why, only(found).deadline_ms) == (LACK.description, NOW + 10 * MINUTE)
    late = plan(found.record, facts(site=BARE), NOW + 10 * MINUTE)
    assert (only(late).state, only(late).reason) == (S.FAILED, "BAD_SETTING")
    rested = plan(late.record, facts(site=BARE), NOW + 20 * MINUTE)
    assert (only(rested).state, rested.actions) == (S.FAILED, ())


@pytest.mark.parametrize("reason", ["BAD_SETTING", "CLOUD_REFUSED"])
def test_the_wait_for_a_setting_has_one_end_whatever_words_ec2_finds(reason):
    cluster = at_birth()
    for minutes in range(11):
        lack = Lack(reason, f"at minute {minutes} EC2 said something else")
        cluster = plan(cluster, facts(site=replace(BARE, lack=lack)), NOW + minutes * MINUTE).record
    failed = only(plan(cluster, facts(site=BARE), NOW + 11 * MINUTE))
    assert (failed.state, failed.reason) == (S.FAILED, "BAD_SETTING")
    assert failed.why == "at minute 0 EC2 said something else"
    assert only(plan(cluster, facts(), NOW + 12 * MINUTE)).state is S.STARTING


def test_what_was_lacking_and_is_there_is_gone_on_with():
    waiting = plan(at_birth(), facts(site=BARE)).record
    found = plan(waiting, facts(), NOW + MINUTE)
    assert (only(found).reason, only(found).why) == ("", ASKING)
    assert only(found).deadline_ms == NOW + 11 * MINUTE
    failed = plan(waiting, facts(site=BARE), NOW + 10 * MINUTE).record
    assert only(plan(failed, facts(), NOW + 11 * MINUTE)).state is S.STARTING


def test_a_launch_whose_outcome_is_open_is_repeated_all_the_same():
    """It is frozen; only its answer tells whether there is a machine."""
    n = node(intent=intent(), why=ASKING)
    assert [type(a) for a in plan(record(n), facts(site=BARE)).actions] == [Launch]
    lost = record(replace(n, reason=GROUP_MISSING), groups=())
    assert [type(a) for a in plan(lost, facts(site=BARE)).actions] == [EnsureGroups]
    nowhere = replace(BARE, vpc_id="", places=())
    assert plan(lost, facts(site=nowhere)).actions == ()


def test_who_must_stay_beside_others_fails_for_want_of_capacity_there():
    here = tuple(one for one in EVERY if one.subnet_id == "subnet-a")
    alone = replace(refused(), refused=here)
    beside = worker(intent=intent(subnet_id="subnet-a"), instance_id="i-2")
    found = plan(*pair(alone, beside), NOW + 10 * MINUTE)
    assert found.record.nodes[0].reason == "INSUFFICIENT_CAPACITY"
    assert found.record.nodes[0].state is S.FAILED
