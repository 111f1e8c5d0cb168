"""Decisions on the way out: nothing is forgotten before EC2 shows that it is gone."""

from dataclasses import replace

import pytest

from provisioner.facts import AddressFact, InstanceFact, Machine, VolumeFact
from provisioner.plan import (
    CloseGroups,
    DeleteVolumes,
    DropGroups,
    Release,
    Terminate,
)
from provisioner.record import Address, ClusterState, NodeState
from provisioner.removal import (
    ADDRESS_ASKED,
    ALL_PROVEN,
    BASE_DROPPED,
    GROUPS_DROPPED,
    WHITELIST_CLOSED,
    keeps_base,
)
from provisioner.status import with_condition
from tests.unit.provisioner.shapes import (
    ID,
    MINUTE,
    NOW,
    facts,
    intent,
    launched,
    left,
    machine,
    node,
    only,
    plan,
    record,
    token_of,
)

S = NodeState
TOKEN = token_of()
EVERYTHING = (WHITELIST_CLOSED, GROUPS_DROPPED, BASE_DROPPED)


def leaving(*nodes, held=(WHITELIST_CLOSED,), **more):
    cluster = record(*nodes, wanted=False, **more)
    for kind in held:
        cluster = with_condition(cluster, kind, ok=True, now=NOW)
    return cluster


def gone(**more):
    return leaving(launched(S.GONE), **more)


def test_the_whitelist_is_closed_before_anything_else():
    found = plan(leaving(launched(S.RUNNING), held=()), facts(machine()))
    assert found.actions == (CloseGroups(),)
    assert found.record.state is ClusterState.DELETING
    assert not found.gone


@pytest.mark.parametrize("state", [S.STARTING, S.LOADING, S.RUNNING])
def test_machines_are_ended(state):
    found = plan(leaving(launched(state)), facts(machine()))
    assert found.actions == (Terminate((ID,), (TOKEN,)),)
    assert (only(found).state, only(found).retiring) == (state, True)


def test_an_ending_machine_is_waited_for_and_asked_again_when_late():
    seen = facts(machine(Machine.SHUTTING_DOWN))
    found = plan(leaving(launched(S.RUNNING)), seen)
    assert found.actions == ()
    again = plan(found.record, seen, NOW + 10 * MINUTE)
    assert again.actions == (Terminate((ID,), (TOKEN,)),)


def test_gone_only_when_seen_to_be_terminated():
    found = plan(leaving(launched(S.RUNNING)), facts(machine(Machine.TERMINATED)))
    assert only(found).state is S.GONE
    assert only(found).instance_id == ID
    assert found.actions == ()
    assert not found.gone


def test_a_launch_without_an_answer_holds_the_deletion_up_until_it_is_clear():
    first = plan(leaving(node(intent=intent())), facts())
    assert only(first).why.startswith("looking whether EC2 made the machine")
    later = plan(first.record, facts(), NOW + 5 * MINUTE)
    assert only(later).state is S.GONE
    found = InstanceFact("i-9", Machine.RUNNING, token=TOKEN)
    caught = plan(first.record, facts(launched={TOKEN: found}))
    assert only(caught).instance_id == "i-9"


def test_an_unshown_machine_holds_the_deletion_up():
    first = plan(leaving(launched(S.RUNNING)), facts())
    assert only(first).state is S.RUNNING
    assert only(plan(first.record, facts(), NOW + 5 * MINUTE)).state is S.GONE


def test_failed_and_never_launched_nodes_go_at_once():
    assert only(plan(leaving(node(S.FAILED)), facts())).state is S.GONE
    assert only(plan(leaving(node()), facts())).state is S.GONE


def test_nothing_more_is_done_before_the_leftovers_were_looked_for():
    found = plan(gone(), facts())
    assert (found.actions, found.gone) == ((), False)


def test_an_address_without_an_answer_holds_the_rest_up_until_it_is_clear():
    cluster = gone(address=Address())
    cluster = with_condition(cluster, ADDRESS_ASKED, ok=False, now=NOW)
    seen = facts(leftovers=left())
    assert plan(cluster, seen).actions == ()
    assert not plan(cluster, seen).gone
    later = plan(cluster, seen, NOW + 5 * MINUTE)
    assert later.actions == (DropGroups(last_cluster=False),)
    answered = with_condition(cluster, ADDRESS_ASKED, ok=True, now=NOW)
    assert plan(answered, seen).actions == (DropGroups(last_cluster=False),)


def test_what_they_stood_on_goes_together():
    found = plan(gone(), facts(leftovers=left()))
    assert found.actions == (Release(("eipalloc-1",)), DropGroups(last_cluster=False))
    assert not found.gone


def test_the_last_cluster_takes_the_base_group_along():
    found = plan(gone(address=Address()), facts(leftovers=left(others=False)))
    assert found.actions == (DropGroups(last_cluster=True),)


def test_groups_dropped_while_others_lived_are_dropped_again_by_the_last():
    held = (WHITELIST_CLOSED, GROUPS_DROPPED)
    found = plan(gone(address=Address(), held=held), facts(leftovers=left(others=False)))
    assert found.actions == (DropGroups(last_cluster=True),)


@pytest.mark.parametrize("others", [True, False])
def test_gone_when_nothing_is_left(others):
    cluster = gone(address=Address(), held=EVERYTHING)
    ended = machine(Machine.TERMINATED)
    found = plan(cluster, facts(leftovers=left(others=others, instances=(ended,))))
    assert found.gone
    assert found.settled
    assert found.record.groups == ()


@pytest.mark.parametrize(("more", "actions"), [
    ({"instances": (machine(Machine.RUNNING),)}, (Terminate((ID,)),)),
    ({"instances": (machine(Machine.SHUTTING_DOWN),)}, ()),
    ({"addresses": (AddressFact("eipalloc-5", "1"),)}, (Release(("eipalloc-5",)),)),
    ({"free_volumes": ("vol-1",)}, (DeleteVolumes(("vol-1",)),)),
    ({"busy_volumes": (VolumeFact("vol-1"),)}, ()),
    ({"busy_volumes": (VolumeFact("vol-1", (ID,)),)}, ()),
])  # fmt: skip
def test_what_memory_forgot_is_found_by_tag(more, actions):
    cluster = gone(address=Address(), held=EVERYTHING)
    found = plan(cluster, facts(leftovers=left(**more)))
    assert found.actions == actions
    assert not found.gone


STRANGER = InstanceFact("i-9", Machine.RUNNING, token="by-hand", slot=0, attempt=1)


@pytest.mark.parametrize(("more", "ours"), [
    ({}, False),  # launched "like this one": the tags are copied, the token is not
    ({"token": ""}, False),
    ({"token": "", "slot": -1, "attempt": -1}, False),
    ({"token": token_of(2)}, False),
    ({"token": token_of(7), "attempt": 7}, True),  # of a process that was lost
    ({"token": token_of(7, slot=3), "attempt": 7, "slot": 3}, True),
    ({"token": TOKEN, "slot": -1, "attempt": -1}, True),  # its tags were damaged
    ({"instance_id": ID, "token": "", "slot": -1, "attempt": -1}, True),
])  # fmt: skip
def test_a_machine_under_our_tags_is_ended_only_on_proof(more, ours):
    seen = replace(STRANGER, **more)
    cluster = gone(address=Address(), held=EVERYTHING)
    found = plan(cluster, facts(leftovers=left(instances=(seen,))))
    assert found.actions == ((Terminate((seen.instance_id,)),) if ours else ())
    assert found.gone is not ours
    told = found.record.condition(ALL_PROVEN)
    assert (told is None) is ours


def test_no_proof_without_a_token_on_either_side():
    cluster = gone(address=Address(), held=EVERYTHING)
    cluster = replace(cluster, nodes=(replace(cluster.nodes[0], token="", instance_id=""),))
    nameless = replace(STRANGER, token="")
    assert plan(cluster, facts(leftovers=left(instances=(nameless,)))).actions == ()


def test_a_stranger_is_named_with_what_to_do_until_it_is_gone():
    cluster = gone(address=Address())
    found = plan(cluster, facts(leftovers=left(instances=(STRANGER,))))
    assert found.actions == (DropGroups(last_cluster=False),)  # EC2 refuses it if it is in one
    told = found.record.condition(ALL_PROVEN)
    assert (told.ok, told.reason, told.since_ms) == (False, "MACHINE_NOT_PROVEN", NOW)
    assert "this cluster's tags: i-9; remove its kite: tags" in told.description
    same = plan(found.record, facts(leftovers=left(instances=(STRANGER,))), NOW + MINUTE)
    assert same.record.condition(ALL_PROVEN) == told
    ended = replace(STRANGER, machine=Machine.SHUTTING_DOWN)
    after = plan(found.record, facts(leftovers=left(instances=(ended,))))
    assert after.record.condition(ALL_PROVEN).ok


def test_of_many_strangers_five_are_named():
    many = tuple(replace(STRANGER, instance_id=f"i-{n}") for n in range(2, 9))
    found = plan(gone(), facts(leftovers=left(instances=many)))
    told = found.record.condition(ALL_PROVEN).description
    assert "tags: i-2, i-3, i-4, i-5, i-6 and 2 more; remove" in told


@pytest.mark.parametrize(("attached", "waits"), [
    (("i-9",), False),
    (("i-7",), True),
    ((ID,), True),
    ((ID, "i-9"), True),
    ((), True),
])  # fmt: skip
def test_a_volume_that_only_a_stranger_holds_is_the_strangers(attached, waits):
    cluster = gone(address=Address(), held=EVERYTHING)
    seen = left(instances=(STRANGER,), busy_volumes=(VolumeFact("vol-1", attached),))
    found = plan(cluster, facts(leftovers=seen))
    assert (found.actions, found.gone) == ((), not waits)


def test_a_cluster_deleted_before_its_first_turn():
    cluster = leaving(held=(), groups=(), address=Address())
    assert plan(cluster, facts(leftovers=left())).actions == (CloseGroups(),)


@pytest.mark.parametrize(("other", "wanted", "dropped", "keeps"), [
    ("c5", True, False, False),
    ("c4", True, False, True),
    ("c6", True, True, True),
    ("c4", False, False, False),
    ("c6", False, False, True),
    ("c6", False, True, False),
])  # fmt: skip
def test_of_several_that_leave_at_once_one_is_the_last(other, wanted, dropped, keeps):
    cluster = replace(record(wanted=wanted), cluster_id=other)
    cluster = with_condition(cluster, GROUPS_DROPPED, ok=dropped, now=NOW)
    assert keeps_base(cluster, "c5") is keeps
