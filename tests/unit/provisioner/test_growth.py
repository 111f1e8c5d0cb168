"""Decisions on the way up: plans are compared, nothing is mocked."""

from dataclasses import replace

import pytest

from provisioner.facts import AddressFact, Answer, InstallFact, InstanceFact, Machine, Reach
from provisioner.launching import launch
from provisioner.node import CLOUD_SLOW, OTHER_LAUNCH
from provisioner.nodes import born
from provisioner.plan import (
    Allocate,
    Associate,
    EnsureGroups,
    Install,
    Launch,
    Secure,
    Terminate,
)
from provisioner.record import Address, AddressMode, ClusterState, NodeState, Role, Spec
from provisioner.removal import ADDRESS_ASKED
from provisioner.sight import GROUP_MISSING, NO_CAPACITY, PLACE_MISSING
from provisioner.status import with_condition
from tests.unit.provisioner.shapes import (
    ADDRESS,
    ASKING,
    CLUSTER,
    EVERY,
    ID,
    INSTALL,
    LIMITS,
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
TOKEN = token_of()


# the ground -------------------------------------------------------------------------------------


def test_a_new_cluster_asks_for_all_it_stands_on_at_once():
    found = plan(at_birth(), facts())
    assert found.actions == (Allocate(), EnsureGroups("vpc-1", peers=False))
    assert found.record.address_intended
    assert only(found).token == TOKEN
    assert only(found).intent is None
    assert found.record.state is ClusterState.STARTING
    assert found.again_ms == 0


def test_workers_get_slots_and_a_group_of_peers():
    found = plan(at_birth(spec=Spec(workers=2)), facts())
    assert [n.role for n in found.record.nodes] == [Role.MASTER, Role.WORKER, Role.WORKER]
    assert EnsureGroups("vpc-1", peers=True) in found.actions
    assert len({n.token for n in found.record.nodes}) == 3


@pytest.mark.parametrize(
    ("mode", "reach", "public"),
    [
        (AddressMode.ELASTIC, Reach.PUBLIC, {Role.MASTER: False, Role.WORKER: True}),
        (AddressMode.ELASTIC, Reach.PRIVATE, {Role.MASTER: False, Role.WORKER: False}),
        (AddressMode.AUTO, Reach.PUBLIC, {Role.MASTER: True, Role.WORKER: True}),
        (AddressMode.PRIVATE, Reach.PUBLIC, {Role.MASTER: False, Role.WORKER: False}),
    ],
)
def test_who_needs_a_public_address_of_its_own(mode, reach, public):
    """The elastic one is the master's; workers are met at theirs, or never."""
    spec = Spec(address_mode=mode, workers=1, worker_instance_type="m5.large")
    worker = born(INSTALL, CLUSTER, 1, NOW)
    hashes = {n.token: "hash" for n in (node(), worker)}
    seen = facts(site=replace(SITE, reach=reach), hashes=hashes)
    found = plan(record(node(), worker, spec=spec), seen)
    launches = [action for action in found.actions if isinstance(action, Launch)]
    assert {one.role: one.intent.public_address for one in launches} == public


def test_without_an_elastic_address_none_is_asked_for():
    spec = Spec(address_mode=AddressMode.AUTO)
    found = plan(at_birth(spec=spec), facts())
    assert found.actions == (EnsureGroups("vpc-1", peers=False),)
    found = plan(record(node(), spec=spec, address=Address()), facts())
    assert found.actions[0].intent.public_address


def asked_at(now):
    cluster = record(node(), address=Address())
    return with_condition(cluster, ADDRESS_ASKED, ok=False, now=now)


def test_an_address_without_an_answer_is_looked_for_before_it_is_asked_for_again():
    assert plan(asked_at(NOW), facts(), NOW + 4 * SECOND).actions == ()
    again = plan(asked_at(NOW), facts(), NOW + 5 * SECOND)
    assert again.actions == (Allocate(),)
    assert again.record.condition(ADDRESS_ASKED).since_ms == NOW + 5 * SECOND


def test_why_there_is_no_address_is_told_while_it_is_asked_for_again():
    refused = with_condition(
        record(node(), address=Address()),
        ADDRESS_ASKED,
        ok=False,
        now=0,
        reason="INSUFFICIENT_CAPACITY",
        description="none free",
    )
    again = plan(refused, facts())
    assert again.actions[0] == Allocate()
    asked = again.record.condition(ADDRESS_ASKED)
    assert (asked.reason, asked.description) == ("INSUFFICIENT_CAPACITY", "none free")


def test_an_address_found_by_its_tags_is_adopted():
    found = plan(asked_at(NOW), facts(address=AddressFact("eipalloc-9", "198.18.88.9")))
    assert found.record.address == Address("eipalloc-9", "198.18.88.9")
    assert found.record.holds(ADDRESS_ASKED)
    assert isinstance(found.actions[0], Launch)


# launching --------------------------------------------------------------------------------------


def test_the_launch_is_frozen_in_the_record_that_is_committed_first():
    found = plan(record(node()), facts())
    assert only(found).intent == intent()
    assert found.actions == (Launch(0, 1, Role.MASTER, intent(), fresh=True),)
    assert only(found).key_pair == "kite-test"


def test_nothing_is_launched_before_its_user_data_is_known():
    assert not any(isinstance(a, Launch) for a in plan(record(node()), facts(hashes={})).actions)


def test_no_launch_without_groups_or_address():
    for cluster in (record(node(), groups=()), asked_at(NOW)):
        assert not any(isinstance(a, Launch) for a in plan(cluster, facts()).actions)


def test_an_unknown_outcome_repeats_the_very_same_launch():
    n = node(intent=intent(decided_at_ms=NOW - MINUTE, subnet_id="subnet-b"))
    found = plan(record(n), facts())
    assert found.actions == (Launch(0, 1, Role.MASTER, n.intent),)
    assert only(found).intent == n.intent
    assert only(found).deadline_ms == NOW + 10 * MINUTE


def test_waiting_for_what_machines_stand_on_has_a_deadline():
    for cluster in (at_birth(), record(node(), groups=()), asked_at(NOW)):
        found = plan(cluster, facts())
        assert only(found).why == ASKING
        assert only(found).deadline_ms == NOW + 10 * MINUTE


@pytest.mark.parametrize("given", [{}, {"intent": intent()}])
def test_a_cloud_that_is_slow_is_waited_for_and_told(given):
    n = node(why=ASKING, deadline_ms=NOW, **given)
    found = plan(record(n, groups=()), facts())
    assert (only(found).state, only(found).reason) == (S.STARTING, CLOUD_SLOW)
    assert only(found).deadline_ms == NOW + 10 * MINUTE
    again = plan(found.record, facts(), NOW + 10 * MINUTE)
    assert only(again).deadline_ms == NOW + 20 * MINUTE


@pytest.mark.parametrize("reason", [NO_CAPACITY, GROUP_MISSING])
def test_a_wait_with_an_end_of_its_own_does_not_begin_anew(reason):
    n = node(intent=intent(), why=ASKING, deadline_ms=NOW, reason=reason)
    found = plan(record(n), facts())
    assert (only(found).reason, only(found).deadline_ms) == (reason, NOW)


def test_an_image_that_stays_missing_is_told_in_the_end():
    spent = intent(client_token="", decided_at_ms=NOW - MINUTE)
    n = node(intent=spent, why=ASKING, deadline_ms=NOW, reason=PLACE_MISSING, refused=EVERY)
    found = plan(record(n), facts())
    assert (only(found).state, only(found).reason) == (S.FAILED, PLACE_MISSING)
    assert "image" in only(found).why


def test_the_slowness_is_over_with_the_machine():
    found = plan(record(launched(why=ASKING, reason=CLOUD_SLOW)), facts(machine(Machine.PENDING)))
    assert only(found).reason == ""


def test_a_launch_is_repeated_only_when_the_groups_are_known():
    found = plan(record(node(intent=intent(), reason=GROUP_MISSING), groups=()), facts())
    assert found.actions == (EnsureGroups("vpc-1", peers=False),)


@pytest.mark.parametrize(("after", "overdue"), [(59 * SECOND, False), (MINUTE, True)])
def test_a_launch_says_when_its_groups_are_missing_for_too_long(after, overdue):
    n = node(intent=intent(), reason=GROUP_MISSING, deadline_ms=NOW + MINUTE, why=ASKING)
    (launch,) = plan(record(n), facts(), NOW + after).actions
    assert (launch.overdue, launch.fresh) == (overdue, False)


def test_groups_made_anew_mean_another_attempt():
    n = node(intent=intent(security_group_ids=("sg-9",)), reason=GROUP_MISSING)
    found = plan(record(n), facts())
    assert (only(found).attempt, only(found).intent, found.actions) == (2, None, ())


def test_a_machine_launched_by_a_lost_process_is_adopted():
    n = node(intent=intent())
    known = InstanceFact("i-7", Machine.PENDING, token=TOKEN, private_ip="10.88.1.9")
    found = plan(record(n), facts(known, launched={TOKEN: known}), NOW + 61 * MINUTE)
    assert only(found).instance_id == "i-7"
    assert only(found).private_ip == "10.88.1.9"
    assert found.actions == ()


def test_a_machine_that_an_older_record_knows_nothing_of_is_looked_for_and_taken_over():
    n = node(intent=intent(), reason=OTHER_LAUNCH)
    first = plan(record(n), facts())
    assert (only(first).reason, first.actions) == (OTHER_LAUNCH, ())
    assert only(first).deadline_ms == NOW + 5 * MINUTE
    later = plan(first.record, facts(), NOW + 5 * MINUTE)
    assert later.actions == (launch(n),)
    assert (only(later).reason, only(later).deadline_ms) == (OTHER_LAUNCH, NOW + 10 * MINUTE)
    known = InstanceFact("i-7", Machine.RUNNING, token=TOKEN, private_ip="10.88.1.9")
    found = plan(later.record, facts(known, launched={TOKEN: known}), NOW + 6 * MINUTE)
    assert (only(found).instance_id, only(found).reason) == ("i-7", "")
    assert not any(isinstance(one, Terminate | Launch) for one in found.actions)


STILL = InstanceFact("i-7", Machine.STOPPED, token=TOKEN, launched_at_ms=NOW)


@pytest.mark.parametrize("found", [STILL, replace(STILL, machine=Machine.RUNNING)])
def test_a_machine_that_was_taken_over_is_not_ended_for_its_silence(found):
    cluster = record(node(intent=intent(), reason=OTHER_LAUNCH))
    for minutes in range(60):
        seen = facts(found, launched={TOKEN: found})
        step = plan(cluster, seen, NOW + minutes * MINUTE)
        assert not any(isinstance(one, Terminate | Launch) for one in step.actions)
        cluster = step.record
    assert (only(step).instance_id, only(step).state) == ("i-7", S.STARTING)
    assert only(step).reason in {"SSH_UNREACHABLE", "PENDING_TOO_LONG"}
    ended = plan(cluster, facts(replace(found, machine=Machine.TERMINATED)), NOW + 61 * MINUTE)
    assert (only(ended).state, only(ended).reason) == (S.FAILED, "INSTANCE_LOST")


@pytest.mark.parametrize("machine", [Machine.TERMINATED, Machine.SHUTTING_DOWN])
def test_a_machine_that_has_ended_is_not_taken_over(machine):
    """The next attempt's may live: its token tells."""
    found = replace(STILL, machine=machine)
    cluster = record(node(intent=intent(), reason=OTHER_LAUNCH))
    step = plan(cluster, facts(found, launched={TOKEN: found}))
    assert not only(step).taken_over
    assert only(step).state is S.STARTING


def test_the_wait_for_an_address_that_was_found_takes_nothing_from_that_for_a_machine():
    waited = node(reason=NO_CAPACITY, why=ASKING, deadline_ms=NOW + SECOND)
    asked = replace(at_birth(), nodes=(waited,), address_intended=True)
    found = plan(asked, facts(address=AddressFact("eipalloc-9", "198.18.88.9")))
    assert (only(found).reason, only(found).deadline_ms) == ("", NOW + 10 * MINUTE)


@pytest.mark.parametrize(("hours", "older"), [(0, False), (2, True)])
def test_a_machine_older_than_its_record_is_taken_over(hours, older):
    asked = intent(decided_at_ms=NOW)
    found = replace(STILL, launched_at_ms=NOW - hours * 60 * MINUTE)
    step = plan(record(node(intent=asked)), facts(found, launched={TOKEN: found}))
    assert only(step).taken_over is older


# the way up -------------------------------------------------------------------------------------


def test_a_pending_machine_is_waited_for():
    found = plan(record(launched()), facts(machine(Machine.PENDING)))
    assert only(found).deadline_ms == NOW + 10 * MINUTE
    assert only(found).why == "the machine is pending"
    assert found.actions == ()


def test_a_deadline_runs_on_while_the_wait_is_the_same():
    seen = facts(machine(Machine.PENDING))
    first = plan(record(launched()), seen)
    later = plan(first.record, seen, NOW + MINUTE)
    assert only(later).deadline_ms == only(first).deadline_ms
    assert (first.again_ms, later.again_ms) == (0, 4 * LIMITS.poll_ms)


def test_the_address_follows_the_running_machine():
    cluster = record(launched(), address=Address("eipalloc-1", "198.18.88.7"))
    found = plan(cluster, facts(machine()))
    assert found.actions == (Associate("eipalloc-1", ID),)
    assert plan(cluster, facts(machine(Machine.PENDING))).actions == ()
    assert plan(record(launched(S.FAILED, retiring=True), address=Address("e", "1")),
                facts(machine())).actions == (Terminate((ID,), (TOKEN,)),)  # fmt: skip


def test_ssh_answers_then_milvus_is_installed():
    found = plan(record(launched()), facts(machine(data_volume="vol-2"), ssh=frozenset({TOKEN})))
    assert found.actions == (Install(0, TOKEN, ID, ADDRESS.public_ip, Role.MASTER, 50, "vol-2"),)
    assert only(found).state is S.LOADING
    assert found.record.state is ClusterState.LOADING


def test_progress_of_an_install_is_kept():
    running = InstallFact(running=True, step="unpack", done=1, total=4)
    found = plan(record(launched(S.LOADING)), facts(machine(), installs={TOKEN: running}))
    assert only(found).install_step == "unpack"
    done = plan(
        record(only(found)), facts(machine(), installs={TOKEN: InstallFact(False, ok=True)})
    )
    assert only(done).install_step == "installed"
    assert only(done).why == "waiting for Milvus"


def test_a_stumbled_install_begins_again_and_a_broken_one_fails():
    stumbled = InstallFact(running=False, reason="UNREACHABLE", tries=1)
    cluster = record(launched(S.LOADING))
    assert isinstance(
        plan(cluster, facts(machine(), installs={TOKEN: stumbled})).actions[0], Install
    )
    broken = InstallFact(running=False, reason="DISK_FULL", description="no room; none")
    found = plan(cluster, facts(machine(), installs={TOKEN: broken}))
    assert found.actions == (Terminate((ID,), (TOKEN,)),)
    assert (only(found).state, only(found).reason) == (S.FAILED, "DISK_FULL")
    assert only(found).why == "no room, none"
    assert only(found).retiring


def test_the_first_password_is_replaced_before_anything_is_running():
    n = launched(S.LOADING, install_step="installed")
    found = plan(record(n), facts(machine(), answers={TOKEN: Answer.UNSECURED}))
    assert found.actions == (Secure(TOKEN, ADDRESS.public_ip),)
    assert found.record.state is ClusterState.LOADING


def test_an_answering_milvus_is_running_and_at_rest():
    n = launched(S.LOADING, install_step="installed")
    seen = facts(machine(), answers={TOKEN: Answer.ANSWERS})
    found = plan(record(n), seen)
    assert found.record.state is ClusterState.RUNNING
    assert found.record.holds("Ready")
    assert (found.settled, found.actions, found.again_ms) == (True, (), LIMITS.settled_ms)
    assert only(found).deadline_ms == 0
