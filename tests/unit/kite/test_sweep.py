from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kite.sweep import (
    HOUR_MS,
    MINUTE_MS,
    Facts,
    Kind,
    Known,
    Memory,
    Policy,
    Slot,
    Thing,
    Verdict,
    decide_sweep,
    still_orphan,
)

NOW = 1_800_000_000_000
OLD = NOW - 48 * HOUR_MS
POLICY = Policy()
LIVE = Known("clive", (Slot(0, 2, "i-live", shown=True), Slot(1, 1)), "eipalloc-live")
LIVE_MACHINE = Thing(Kind.INSTANCE, "i-live", "kite1", "clive", 0, 2, OLD)


def machine(cluster="cdead", slot=0, attempt=1, **more):
    made = Thing(Kind.INSTANCE, "i-1", "kite1", cluster, slot, attempt, OLD)
    return replace(made, **more)


def thing(kind, cluster="cdead", **more):
    return replace(Thing(kind, f"{kind}-1", "kite1", cluster, born_ms=OLD), **more)


def facts(*things, **more):
    whole = Facts(
        "kite1",
        NOW,
        (LIVE_MACHINE, *things),
        clusters={"clive": LIVE},
        tombs={"cdead": OLD, "cfresh": NOW - HOUR_MS},
    )
    return replace(whole, **more)


def twice(seen, policy=POLICY, *, later=MINUTE_MS):
    """Two looks at the same things."""
    first = decide_sweep(seen, Memory(), policy)
    return decide_sweep(replace(seen, now_ms=seen.now_ms + later), first.memory, policy)


ORPHANS = [
    machine(),
    machine("clive", slot=0, attempt=1),
    machine("clive", slot=0, attempt=2),  # the slot has another machine
    machine("clive", slot=1, attempt=0),
    thing(Kind.VOLUME),
    thing(Kind.VOLUME, "clive", slot=0, attempt=1),  # its slot has come to attempt 2
    thing(Kind.VOLUME, "clive", slot=1, attempt=0),
    thing(Kind.ADDRESS, born_ms=0),
    thing(Kind.ADDRESS, "clive", id="eipalloc-2"),
    thing(Kind.GROUP, born_ms=0),
]
CLAIMED = [
    machine("clive", slot=1, attempt=1),  # asked for; its id is not written down yet
    machine("clive", id="i-live", slot=7),  # its id is
    machine(ended=True),
    machine(install="kite2"),
    thing(Kind.VOLUME, "clive"),
    thing(Kind.VOLUME, "clive", slot=0, attempt=-1),
    thing(Kind.VOLUME, "clive", slot=0, attempt=2),  # of the machine that is, or was
    thing(Kind.VOLUME, "clive", slot=0, attempt=3),  # the records are older: data may be on it
    thing(Kind.VOLUME, "clive", slot=1, attempt=1),  # of a launch that is under way
    thing(Kind.VOLUME, "clive", slot=0, attempt=1, used=True),
    thing(Kind.VOLUME, "clive", slot=0, attempt=1, ended=True),
    thing(Kind.GROUP, "clive"),
    thing(Kind.GROUP, ""),  # of the whole install
    thing(Kind.ADDRESS, "clive", id="eipalloc-live"),
]
KEPT = [
    machine("cnever"),
    thing(Kind.VOLUME, "cnever"),
    thing(Kind.ADDRESS, "cnever"),
    thing(Kind.GROUP, "cnever"),
    machine(""),
    machine(proven=False),
    machine("clive", slot=-1, attempt=-1, proven=False),
    machine("clive", slot=2, attempt=1),  # the records are older than what they speak of
    machine("clive", slot=0, attempt=3),
    machine("clive", slot=1, attempt=2),
    thing(Kind.VOLUME, "clive", slot=2, attempt=1),
    thing(Kind.VOLUME, "cfresh"),
    thing(Kind.VOLUME, used=True),
    thing(Kind.ADDRESS, used=True),
]


@pytest.mark.parametrize("orphan", ORPHANS, ids=repr)
def test_an_orphan_goes_at_the_second_sighting(orphan):
    once = decide_sweep(facts(orphan), Memory(), POLICY)
    assert [f.verdict for f in once.findings] == [Verdict.FIRST]
    assert once.remove == ()
    after = twice(facts(orphan))
    assert [(f.verdict, f.thing) for f in after.findings] == [(Verdict.GOES, orphan)]
    assert after.remove == (orphan,)
    assert after.findings[0].why


@pytest.mark.parametrize("claimed", CLAIMED, ids=repr)
def test_what_a_cluster_stands_for_is_no_finding(claimed):
    after = twice(facts(claimed))
    assert (after.findings, after.remove, after.memory.marks) == ((), (), {})


@pytest.mark.parametrize("kept", KEPT, ids=repr)
def test_what_is_not_proven_to_be_a_leftover_of_ours_is_told_and_kept(kept):
    after = twice(facts(kept))
    assert [f.verdict for f in after.findings] == [Verdict.KEPT]
    assert after.remove == ()


@pytest.mark.parametrize("kept", KEPT[:11], ids=repr)
def test_a_person_may_let_what_only_has_our_tags_go(kept):
    assert twice(facts(kept), replace(POLICY, unproven=True)).remove == (kept,)


def test_with_an_empty_registry_nothing_goes_whatever_a_person_says():
    seen = facts(machine(), thing(Kind.VOLUME), clusters={}, tombs={})
    after = twice(seen, replace(POLICY, unproven=True, gap_ms=0))
    assert after.remove == ()
    assert {f.verdict for f in after.findings} == {Verdict.KEPT}
    assert "kite adopt" in after.findings[0].why


def test_the_machine_of_a_closed_slot_is_an_orphan():
    closed = replace(LIVE, slots=(Slot(0, 2, "i-live", open=False),))
    after = twice(facts(clusters={"clive": closed}))
    assert after.remove == (LIVE_MACHINE,)


@pytest.mark.parametrize("slot", [Slot(0, 2, open=False), Slot(0, 2, "i-live"), Slot(0, 2)])
def test_a_slot_keeps_the_volume_of_its_last_attempt_and_no_other(slot):
    before, last = (thing(Kind.VOLUME, "clive", slot=0, attempt=n, id=f"v-{n}") for n in (1, 2))
    after = twice(facts(before, last, clusters={"clive": replace(LIVE, slots=(slot,))}))
    assert [one for one in after.remove if one.kind is Kind.VOLUME] == [before]


def test_a_volume_that_its_slot_left_behind_is_judged_again_before_it_goes():
    left = thing(Kind.VOLUME, "clive", slot=0, attempt=1)
    assert still_orphan(left, facts(), POLICY)
    restored = replace(LIVE, slots=(Slot(0, 1, "i-live"),))
    assert not still_orphan(left, facts(clusters={"clive": restored}), POLICY)


@pytest.mark.parametrize(
    ("kind", "guard"), [(Kind.INSTANCE, 5 * MINUTE_MS), (Kind.VOLUME, HOUR_MS)]
)
def test_the_young_are_left_alone_by_the_time_of_ec2(kind, guard):
    for born in (0, NOW + HOUR_MS, NOW, NOW - guard + 1):
        (found,) = decide_sweep(facts(thing(kind, born_ms=born)), Memory(), POLICY).findings
        assert found.verdict is Verdict.YOUNG
    (found,) = decide_sweep(facts(thing(kind, born_ms=NOW - guard)), Memory(), POLICY).findings
    assert (found.verdict, found.age_ms) == (Verdict.FIRST, guard)


def test_a_young_volume_of_a_live_cluster_is_left_alone():
    young = thing(Kind.VOLUME, "clive", slot=0, attempt=1, born_ms=NOW - HOUR_MS + 2 * MINUTE_MS)
    assert twice(facts(young)).remove == ()
    assert twice(facts(replace(young, born_ms=NOW - HOUR_MS))).remove


def test_a_mark_made_while_young_does_not_count():
    young = facts(machine(born_ms=NOW - 4 * MINUTE_MS))
    assert twice(young).remove == ()


def test_the_sightings_lie_a_minute_apart():
    assert twice(facts(machine()), later=MINUTE_MS - 1).remove == ()
    assert twice(facts(machine()), later=-HOUR_MS).remove == ()
    assert twice(facts(machine()), later=MINUTE_MS).remove


def test_between_the_sightings_it_must_not_have_been_anything_else():
    first = decide_sweep(facts(machine()), Memory(), POLICY)
    hidden = decide_sweep(facts(), first.memory, POLICY)
    assert hidden.memory.marks == {}
    retagged = facts(machine("clive"), now_ms=NOW + HOUR_MS)
    assert decide_sweep(retagged, first.memory, POLICY).remove == ()


def test_one_sighting_is_enough_when_a_person_looks_on():
    after = decide_sweep(facts(machine()), Memory(), replace(POLICY, gap_ms=0))
    assert after.remove == (machine(),)


def test_a_report_lets_nothing_go():
    after = twice(facts(machine()), replace(POLICY, report=True))
    assert [f.verdict for f in after.findings] == [Verdict.GOES]
    assert after.remove == ()


def many(count, kind=Kind.INSTANCE, cluster="cdead"):
    return [thing(kind, cluster, id=f"{kind}-{n}") for n in range(count)]


@pytest.mark.parametrize(("orphans", "of", "goes"), [(10, 10, 10), (11, 60, 0), (11, 109, 11)])
def test_beyond_the_bound_none_goes_and_a_person_is_told(orphans, of, goes):
    others = tuple(Slot(9, n, f"l-{n}") for n in range(of - orphans - 1))
    seen = facts(
        *many(orphans),
        *(replace(LIVE_MACHINE, id=slot.instance_id) for slot in others),
        clusters={"clive": replace(LIVE, slots=(*LIVE.slots, *others))},
    )
    after = twice(seen)
    assert len(after.remove) == goes
    assert bool(after.alarms) is not bool(goes)
    expected = Verdict.GOES if goes else Verdict.HELD
    assert {f.verdict for f in after.findings} == {expected}


def test_each_kind_has_its_own_bound():
    after = twice(facts(*many(11), *many(10, Kind.VOLUME)))
    assert {one.kind for one in after.remove} == {Kind.VOLUME}
    assert "instances" in after.alarms[0]


def test_more_at_once_when_a_person_says_so():
    assert len(twice(facts(*many(11)), replace(POLICY, bulk=11)).remove) == 11


SKIPPED = [
    (facts(machine(), gaps=("volumes could not be read",)), "volumes could not be read"),
    (facts(machine(), now_ms=0), "time"),
    (replace(facts(), things=(machine(),)), "another account"),
    (facts(machine(), clusters={"cnew": Known("cnew")}), "forgot 1 clusters"),
]


@pytest.mark.parametrize(("seen", "said"), SKIPPED, ids=[said for _, said in SKIPPED])
def test_a_picture_with_a_gap_decides_nothing(seen, said):
    before = decide_sweep(facts(machine()), Memory(), POLICY).memory
    later = replace(seen, now_ms=seen.now_ms and NOW + HOUR_MS)
    after = decide_sweep(later, before, POLICY)
    assert said in after.skipped
    assert (after.findings, after.remove) == ((), ())
    assert after.memory == before


def test_a_cluster_that_was_deleted_since_is_not_forgotten():
    before = decide_sweep(facts(), Memory(), POLICY).memory
    after = decide_sweep(facts(clusters={}, tombs={"clive": NOW}), before, POLICY)
    assert not after.skipped


def test_machines_that_ec2_need_not_show_are_not_missed():
    lost = Known("clive", (Slot(0, 1, "i-lost"), Slot(1, 1)))
    seen = replace(facts(clusters={"clive": lost}), things=(machine(),))
    assert twice(seen).remove == (machine(),)


# properties --------------------------------------------------------------------------------------

CLUSTERS = ("clive", "cdead", "cfresh", "cnever", "")
THINGS = st.builds(
    Thing,
    kind=st.sampled_from(Kind),
    id=st.sampled_from(("i-live", "a", "b", "c", "eipalloc-live")),
    install=st.sampled_from(("kite1", "kite2")),
    cluster_id=st.sampled_from(CLUSTERS),
    slot=st.integers(-1, 2),
    attempt=st.integers(-1, 3),
    born_ms=st.sampled_from((0, OLD, NOW - MINUTE_MS, NOW + MINUTE_MS)),
    used=st.booleans(),
    ended=st.booleans(),
    proven=st.booleans(),
)
LOOKS = st.lists(
    st.tuples(st.frozensets(THINGS, max_size=6), st.integers(0, 3 * MINUTE_MS)),
    min_size=1,
    max_size=5,
)


@given(LOOKS, st.booleans())
def test_whatever_is_seen_nothing_goes_that_a_rule_protects(looks, unproven):
    policy, memory, now = replace(POLICY, unproven=unproven), Memory(), NOW
    sightings = {}
    for things, passed in looks:
        now += passed
        plan = decide_sweep(facts(*things, now_ms=now), memory, policy)
        memory = plan.memory
        listed = {f.thing for f in plan.findings}
        sightings = {t: sightings.get(t, now) for t in memory.marks}
        for gone in plan.remove:
            assert gone in listed
            assert gone.install == "kite1"
            assert (gone.ended, gone.used) == (False, False)
            assert now - sightings[gone.mark] >= MINUTE_MS
            assert (gone.proven and gone.cluster_id in {"clive", "cdead", "cfresh"}) or unproven
            if gone.kind in POLICY.guards_ms:
                assert 0 < gone.born_ms <= now - POLICY.guards_ms[gone.kind]
            if gone.kind is Kind.INSTANCE and gone.cluster_id == "clive" and not unproven:
                assert (gone.slot, gone.attempt) <= (gone.slot, {0: 2, 1: 1}[gone.slot])
            if gone.kind is Kind.VOLUME:
                assert gone.cluster_id != "cfresh"
            if gone.kind is Kind.VOLUME and gone.cluster_id == "clive":
                present = {0: 2, 1: 1}
                assert gone.slot in present or unproven
                assert 0 <= gone.attempt < present.get(gone.slot, 9)
            assert (
                gone.id != "i-live" or gone.cluster_id != "clive" or gone.kind is not Kind.INSTANCE
            )
