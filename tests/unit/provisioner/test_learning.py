"""What answers mean: refusals are told apart from silence."""

from dataclasses import replace

import pytest

from kite import refusals
from kite.errors import AlreadyExists, CloudRefused, DeadlinePassed, Internal, Unavailable
from provisioner.facts import (
    AddressFact,
    Allocated,
    Associated,
    Done,
    Dropped,
    Grouped,
    InstanceFact,
    Launched,
    Machine,
)
from provisioner.launch_refusals import USER_DATA_CHANGED
from provisioner.learn import cloud_silent, learned
from provisioner.node import OTHER_LAUNCH
from provisioner.plan import (
    Allocate,
    Associate,
    CloseGroups,
    DropGroups,
    EnsureGroups,
    Launch,
    Release,
    Terminate,
)
from provisioner.record import Address, Condition, NodeState, Offer, Role
from provisioner.removal import (
    ADDRESS_ASKED,
    BASE_DROPPED,
    GROUPS_DROPPED,
    WHITELIST_CLOSED,
)
from provisioner.sight import GROUP_MISSING, NO_CAPACITY, PLACE_MISSING
from provisioner.status import CLOUD_ANSWERS
from tests.unit.provisioner.shapes import (
    ADDRESS,
    GROUPS,
    ID,
    LIMITS,
    MINUTE,
    NOW,
    SECOND,
    intent,
    launched,
    node,
    record,
)

S = NodeState
LAUNCH = Launch(0, 1, Role.MASTER, intent())
ASKED = node(intent=intent())
SILENCE = DeadlinePassed("no reply", reason="CLOUD_AWAY")


def learn(cluster, action, outcome, now=NOW):
    return learned(cluster, ((action, outcome),), LIMITS, now)


def only(cluster):
    (one,) = cluster.nodes
    return one


def refusal(code):
    return refusals.failure(code, "said EC2")


def test_a_launch_teaches_id_and_time():
    found = learn(record(ASKED), LAUNCH, Launched(InstanceFact("i-4", Machine.PENDING)))
    assert (only(found).instance_id, only(found).launches_ms) == ("i-4", (NOW,))
    assert found.holds(CLOUD_ANSWERS)


@pytest.mark.parametrize("n", [
    node(attempt=2, intent=intent(2)),
    launched(instance_id="i-1"),
])  # fmt: skip
def test_a_late_answer_does_not_touch_a_node_that_moved_on(n):
    found = learn(record(n), LAUNCH, Launched(InstanceFact("i-4", Machine.PENDING)))
    assert only(found) == n


def test_other_answers():
    bare = record(node(), address=Address(), groups=())
    allocated = learn(bare, Allocate(), Allocated(AddressFact("e", "1.1.1.1")))
    assert allocated.address == Address("e", "1.1.1.1")
    assert allocated.holds(ADDRESS_ASKED)
    assert learn(bare, EnsureGroups("v", peers=False), Grouped(GROUPS)).groups == GROUPS
    tied = learn(record(), Associate("e", ID), Associated("eipassoc-2"))
    assert tied.address.association_id == "eipassoc-2"
    assert learn(record(), CloseGroups(), Done()).holds(WHITELIST_CLOSED)
    assert learn(record(), Release(("e",)), Done()).address == Address()
    asked = learn(record(launched()), Terminate((ID,)), Done())
    assert asked.nodes == (launched(),)  # the end is seen by looking


@pytest.mark.parametrize("last", [True, False])
def test_dropped_groups(last):
    found = learn(record(), DropGroups(last_cluster=last), Dropped())
    assert found.holds(GROUPS_DROPPED)
    assert found.holds(BASE_DROPPED) is last
    held = learn(record(), DropGroups(last_cluster=last), Dropped(("sg-1",), "held by eni-1"))
    assert not held.holds(GROUPS_DROPPED)
    assert held.condition(GROUPS_DROPPED).description == "held by eni-1"


def test_a_throttled_address_is_asked_for_again_at_once():
    throttled = refusals.failure("RequestLimitExceeded", "slow down")
    found = learn(record(node(), address=Address()), Allocate(), throttled)
    assert found.condition(ADDRESS_ASKED).since_ms == 0


# refused launches -------------------------------------------------------------------------------


def test_silence_teaches_nothing_about_a_launch():
    unknown = refusals.failure("NobodyKnows", "x", status=500)
    for silence in (SILENCE, Internal("?"), Unavailable("x"), unknown):
        found = learn(record(ASKED), LAUNCH, silence)
        assert only(found) == ASKED
        assert not found.holds(CLOUD_ANSWERS)
        assert found.condition(CLOUD_ANSWERS).reason == silence.reason


@pytest.mark.parametrize("before", [(), (Condition(CLOUD_ANSWERS, ok=False, reason="CLOUD_AWAY"),)])
def test_being_asked_to_slow_down_is_nobodys_trouble(before):
    throttled = refusals.failure("RequestLimitExceeded", "sim")
    cluster = record(ASKED, conditions=before)
    assert learn(cluster, LAUNCH, throttled) == cluster
    assert cloud_silent(cluster, throttled, NOW) == cluster


def test_no_capacity_spends_the_offer_and_starts_the_clock_once():
    found = learn(record(ASKED), LAUNCH, refusal("InsufficientInstanceCapacity"))
    n = only(found)
    assert (n.intent.client_token, n.intent.subnet_id, n.reason) == ("", "subnet-a", NO_CAPACITY)
    assert n.deadline_ms == NOW + 10 * MINUTE
    assert n.refused == (Offer("m5.large", "subnet-a"),)
    assert found.holds(CLOUD_ANSWERS)


def test_a_wait_that_begins_anew_forgets_the_refusals_of_the_one_before():
    n = replace(ASKED, reason=GROUP_MISSING, refused=(Offer("m6i.large", "subnet-b"),))
    found = only(learn(record(n), LAUNCH, refusal("InsufficientInstanceCapacity")))
    assert found.refused == (Offer("m5.large", "subnet-a"),)


def test_an_offer_without_its_image_was_not_refused_for_want_of_capacity():
    fresh = replace(LAUNCH, fresh=True)
    assert only(learn(record(ASKED), fresh, refusal("InvalidAMIID.NotFound"))).refused == ()


def test_no_address_to_have_is_waited_for_and_told():
    first = learn(
        record(node(), address=Address()), Allocate(), refusal("InsufficientAddressCapacity")
    )
    asked = first.condition(ADDRESS_ASKED)
    assert (asked.ok, asked.reason, asked.since_ms) == (False, NO_CAPACITY, 0)
    assert (only(first).reason, only(first).deadline_ms) == (NO_CAPACITY, NOW + 10 * MINUTE)
    again = learn(first, Allocate(), refusal("InsufficientAddressCapacity"), NOW + MINUTE)
    assert only(again).deadline_ms == NOW + 10 * MINUTE
    machines = record(launched(), node(slot=1, intent=intent()))
    found = learn(machines, Allocate(), refusal("InsufficientAddressCapacity"))
    assert found.nodes == machines.nodes


@pytest.mark.parametrize("reason", [NO_CAPACITY, PLACE_MISSING])
def test_each_refused_offer_is_known_once_and_the_clock_runs_on(reason):
    before = (Offer("m5.large", "subnet-a"),)
    for zone, known in (
        ("subnet-a", before),
        ("subnet-b", (*before, Offer("m5.large", "subnet-b"))),
    ):
        asked = intent(subnet_id=zone)
        again = node(intent=asked, reason=reason, deadline_ms=NOW + MINUTE, refused=before)
        found = learn(record(again), LAUNCH, refusal("InsufficientInstanceCapacity"))
        assert (only(found).deadline_ms, only(found).refused) == (NOW + MINUTE, known)


def test_capacity_refused_for_a_node_without_intent():
    found = learn(record(node()), LAUNCH, refusal("InsufficientInstanceCapacity"))
    assert only(found).intent is None


@pytest.mark.parametrize(("code", "reason"), [
    ("VcpuLimitExceeded", "QUOTA_EXCEEDED"),
    ("UnauthorizedOperation", "CLOUD_PERMISSION"),
    ("InvalidParameterValue", "CLOUD_REFUSED"),
])  # fmt: skip
def test_a_refusal_for_good_fails_and_still_looks_for_a_machine(code, reason):
    found = learn(record(ASKED), LAUNCH, refusal(code))
    n = only(found)
    assert (n.state, n.reason, n.retiring) == (S.FAILED, reason, True)
    assert n.intent == intent()


def test_a_token_of_an_ended_machine_spends_the_attempt_and_looks_first():
    n = only(learn(record(ASKED), LAUNCH, refusal("IdempotentInstanceTerminated")))
    assert (n.retiring, n.intent, n.launches_ms) == (True, intent(), (NOW,))


def test_user_data_that_cannot_be_made_again_means_another_attempt():
    error = CloudRefused("other secret", reason=USER_DATA_CHANGED)
    n = only(learn(record(ASKED), LAUNCH, error))
    assert (n.state, n.retiring, n.reason) == (S.STARTING, True, USER_DATA_CHANGED)


@pytest.mark.parametrize("code", ["InvalidGroup.NotFound", "InvalidSecurityGroupID.NotFound"])
def test_a_missing_group_is_made_anew_and_waited_for_a_minute(code):
    first = learn(record(ASKED), LAUNCH, refusal(code), NOW + 90 * SECOND)
    assert (only(first).reason, first.groups) == (GROUP_MISSING, ())
    assert (only(first).state, only(first).deadline_ms) == (S.STARTING, NOW + 150 * SECOND)
    again = learn(first, LAUNCH, refusal(code), NOW + 500 * SECOND)
    assert only(again) == only(first)  # the try was begun within the minute
    last = learn(again, replace(LAUNCH, overdue=True), refusal(code), NOW + 501 * SECOND)
    assert (only(last).state, only(last).reason) == (S.FAILED, GROUP_MISSING)


@pytest.mark.parametrize("code", ["InvalidAMIID.NotFound", "InvalidSubnetID.NotFound"])
def test_a_missing_image_or_subnet_means_the_next_offer_when_nothing_can_have_been_made(code):
    fresh = replace(LAUNCH, fresh=True)
    found = only(learn(record(ASKED), fresh, refusal(code)))
    assert (found.state, found.reason, found.retiring) == (S.STARTING, PLACE_MISSING, False)
    assert found.intent == intent(client_token="")
    assert found.deadline_ms == NOW + 10 * MINUTE
    again = replace(found, intent=ASKED.intent)
    later = only(learn(record(again), fresh, refusal(code), NOW + MINUTE))
    assert later.deadline_ms == found.deadline_ms
    repeated = only(learn(record(ASKED), LAUNCH, refusal(code)))
    assert (repeated.reason, repeated.retiring) == (PLACE_MISSING, True)
    assert repeated.intent == ASKED.intent


# other refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize("action", [Allocate(), EnsureGroups("v", peers=False)])
def test_what_every_launch_stands_on_refused_for_good(action):
    error = AlreadyExists("a stranger has it", reason="SECURITY_GROUP_NAME_TAKEN")
    found = learn(record(node()), action, error)
    assert (only(found).state, only(found).reason) == (S.FAILED, "SECURITY_GROUP_NAME_TAKEN")
    assert not only(found).retiring
    for n in (launched(), ASKED, launched(S.RUNNING)):
        assert only(learn(record(n), action, error)) == n


@pytest.mark.parametrize("action", [Allocate(), EnsureGroups("v", peers=False)])
def test_silence_of_what_launches_stand_on_is_only_told(action):
    found = learn(record(node()), action, SILENCE)
    assert only(found) == node()
    assert not found.holds(CLOUD_ANSWERS)


def test_an_address_that_can_never_follow_fails_the_machine():
    error = refusal("Gateway.NotAttached")
    found = learn(record(launched()), Associate("e", ID), error)
    assert (only(found).state, only(found).retiring) == (S.FAILED, True)
    for n in (launched(S.RUNNING), launched(instance_id="i-2")):
        assert only(learn(record(n), Associate("e", ID), error)) == n


@pytest.mark.parametrize("code", ["InvalidInstanceID", "IncorrectInstanceState"])
def test_an_address_that_cannot_follow_yet(code):
    found = learn(record(launched()), Associate("e", ID), refusal(code))
    assert only(found) == launched()


@pytest.mark.parametrize(("action", "kind"), [
    (CloseGroups(), WHITELIST_CLOSED), (DropGroups(last_cluster=False), GROUPS_DROPPED),
])  # fmt: skip
def test_a_deletion_that_waits_says_for_what(action, kind):
    found = learn(record(), action, Unavailable("whitelist is away"))
    assert found.condition(kind).description == "whitelist is away"
    assert not found.holds(kind)


def test_a_refused_end_is_told():
    found = learn(record(launched()), Terminate((ID,)), refusal("UnauthorizedOperation"))
    assert found.condition(CLOUD_ANSWERS).reason == "CLOUD_PERMISSION"
    assert only(found) == launched()


def test_the_cloud_answers_again():
    silent = cloud_silent(record(), SILENCE, NOW)
    well = learned(silent, (), LIMITS, NOW + SECOND)
    assert well.condition(CLOUD_ANSWERS).since_ms == NOW + SECOND
    assert learned(record(), (), LIMITS, NOW) == record()
    assert ADDRESS.public_ip


@pytest.mark.parametrize("first", [True, False])
def test_a_token_that_stands_for_another_launch_ends_nothing(first):
    again = Launch(0, 1, Role.MASTER, intent(), fresh=first)
    n = only(learn(record(ASKED), again, refusal("IdempotentParameterMismatch")))
    assert (n.state, n.retiring, n.intent) == (S.STARTING, False, intent())
    assert (n.reason, n.launches_ms) == (OTHER_LAUNCH, ())


@pytest.mark.parametrize("code", ["UnauthorizedOperation", "InsufficientInstanceCapacity"])
def test_no_other_refusal_ends_what_such_a_token_stands_for(code):
    used = replace(ASKED, reason=OTHER_LAUNCH)
    assert only(learn(record(used), LAUNCH, refusal(code))) == used


@pytest.mark.parametrize(("hours", "older"), [(0, False), (2, True)])
def test_an_answer_that_names_an_older_machine_is_a_taking_over(hours, older):
    asked = replace(ASKED, intent=intent(decided_at_ms=NOW))
    born_at = NOW - hours * 60 * MINUTE
    found = Launched(InstanceFact("i-7", Machine.RUNNING, launched_at_ms=born_at))
    assert only(learn(record(asked), LAUNCH, found)).taken_over is older


@pytest.mark.parametrize("taken_over", [True, False])
def test_an_address_that_cannot_follow_ends_only_what_never_ran(taken_over):
    refused = refusal("InvalidParameterValue")
    cluster = record(launched(taken_over=taken_over))
    n = only(learn(cluster, Associate(ADDRESS.allocation_id, ID), refused))
    assert (n.state is S.FAILED) is not taken_over


def test_the_wait_for_an_address_takes_nothing_from_that_for_a_machine():
    waited = replace(node(), reason=NO_CAPACITY, deadline_ms=NOW + SECOND)
    came = Allocated(AddressFact("eipalloc-9", "198.18.88.9"))
    n = only(learn(record(waited, address=Address()), Allocate(), came))
    assert (n.reason, n.deadline_ms) == ("", 0)
    failed = replace(node(S.FAILED), reason=NO_CAPACITY)
    assert only(learn(record(failed, address=Address()), Allocate(), came)) == failed
    asked = replace(ASKED, reason=NO_CAPACITY, deadline_ms=NOW + SECOND)
    assert only(learn(record(asked, address=Address()), Allocate(), came)) == asked


def test_such_a_token_is_over_with_its_machine():
    used = replace(ASKED, reason=OTHER_LAUNCH)
    n = only(learn(record(used), LAUNCH, refusal("IdempotentInstanceTerminated")))
    assert (n.retiring, n.reason) == (True, "INSTANCE_LOST")


def test_a_first_try_refused_for_good_leaves_nothing_to_look_for():
    fresh = Launch(0, 1, Role.MASTER, intent(), fresh=True)
    n = only(learn(record(ASKED), fresh, refusal("InvalidParameterValue")))
    assert (n.state, n.retiring, n.intent) == (S.FAILED, False, None)


@pytest.mark.parametrize("code", ["ServerInternal", "NobodyKnows", "InvalidAMIID.NotFound"])
def test_a_first_try_that_ended_in_a_5xx_is_still_looked_for(code):
    fresh = Launch(0, 1, Role.MASTER, intent(), fresh=True)
    silence = refusals.failure(code, "said EC2", status=500)
    assert only(learn(record(ASKED), fresh, silence)) == ASKED


@pytest.mark.parametrize("first", [True, False])
def test_a_call_built_wrongly_is_not_made_for_ever(first):
    """It was never sent, so only an earlier try can have made a machine."""
    defect = Internal("built wrongly", reason=refusals.MALFORMED_CALL)
    n = only(learn(record(ASKED), Launch(0, 1, Role.MASTER, intent(), fresh=first), defect))
    assert (n.state, n.reason, n.retiring) == (S.FAILED, refusals.MALFORMED_CALL, not first)
