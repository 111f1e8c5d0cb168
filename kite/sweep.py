"""What may be swept: things that carry this install's tags and that no cluster stands for. Pure.

One decision for the provisioner (machines, volumes, addresses) and the whitelist service (security
groups). It errs on the side of leaving things alone:

- a pass over an incomplete picture decides nothing, and says why;
- a thing goes when it was seen as an orphan twice, a minute apart, by EC2's own clock, and is old
  enough; how many may go at a time is bounded, and beyond the bound none goes;
- only what is proven to be Kite's own goes: a cluster that the records know, and for a machine the
  ClientToken that belongs to its tags, which nobody can put on it afterwards, and an attempt that
  its record has come to. What merely carries the tags (forged, or of a registry that was lost or
  restored from an old copy) is told and kept;
- a detached volume of a live cluster goes when its slot has come to a later attempt: a slot is
  renewed only before its machine ever ran, so nobody's data is on it. Any other stays.

What the leader remembers between two passes (`Memory`) may be lost at any time: it only delays.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS


class Kind(StrEnum):
    """What can be left behind."""

    INSTANCE = "instance"
    VOLUME = "volume"
    ADDRESS = "address"
    GROUP = "group"


class Mode(StrEnum):
    """What a sweep does: nothing, tell only, or remove."""

    OFF = "off"
    REPORT = "report"
    ON = "on"


class Verdict(StrEnum):
    """What becomes of a thing that no cluster stands for."""

    YOUNG = "young"  # somebody may be about to write it down
    KEPT = "kept"  # not ours to remove; a person decides
    FIRST = "first"  # seen as an orphan; the next look decides
    GOES = "goes"
    HELD = "held"  # would go, but too many would go at once


@dataclass(frozen=True, slots=True)
class Thing:
    """Something in EC2 with our tags. Times are epoch milliseconds by EC2.

    Attributes:
        slot, attempt: from the tags of a machine or volume; -1 when absent.
        born_ms: when EC2 made it; 0 where EC2 does not tell (addresses, groups).
        used: attached or associated: it goes when what uses it has gone.
        ended: a machine on its way out, or out.
        proven: for a machine: its ClientToken is the one made of its tags.
    """

    kind: Kind
    id: str
    install: str
    cluster_id: str
    slot: int = -1
    attempt: int = -1
    born_ms: int = 0
    used: bool = False
    ended: bool = False
    proven: bool = True
    name: str = ""

    @property
    def mark(self) -> str:
        """What must be the same at both sightings."""
        return f"{self.kind} {self.id} {self.cluster_id} {self.slot} {self.attempt}"


@dataclass(frozen=True, slots=True)
class Slot:
    """A place of a live cluster.

    Attributes:
        open: the loop still looks after its machine, or the machine may hold data.
        shown: it has a machine that EC2 should show.
    """

    slot: int
    attempt: int
    instance_id: str = ""
    open: bool = True
    shown: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """A live cluster, wanted or not, as the records have it."""

    cluster_id: str
    slots: tuple[Slot, ...] = ()
    allocation_id: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """Everything with our tag in EC2, read to the last page; `now_ms` by EC2, 0 = not told."""

    now_ms: int
    things: tuple[Thing, ...]


@dataclass(frozen=True, slots=True)
class Live:
    """Every live cluster, read to the last page; `gaps` = why it must not be relied on."""

    clusters: Mapping[str, Known] = field(default_factory=dict)
    gaps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """One look, EC2 first and the records after it: a launch is written down before it is made.

    Attributes:
        now_ms: EC2's own time, from the Date of its answer; 0 = it told none.
        tombs: deleted clusters still remembered, with the time of their end.
        gaps: what could not be read whole, in words; with any of them nothing is decided.
    """

    install: str
    now_ms: int
    things: tuple[Thing, ...] = ()
    clusters: Mapping[str, Known] = field(default_factory=dict)
    tombs: Mapping[str, int] = field(default_factory=dict)
    gaps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """Times are milliseconds.

    Attributes:
        gap_ms: between the sightings; 0 = one is enough (a person looks on).
        bulk, share: how many of a kind may be orphans at once: the greater of a number and of
            percent of all of that kind.
        unproven: what merely carries our tags may go as well.
        report: decide, tell, and let nothing go.
    """

    guards_ms: Mapping[Kind, int] = field(
        default_factory=lambda: {Kind.INSTANCE: 5 * MINUTE_MS, Kind.VOLUME: HOUR_MS}
    )
    tomb_volume_ms: int = 24 * HOUR_MS
    gap_ms: int = MINUTE_MS
    bulk: int = 10
    share: int = 10
    unproven: bool = False
    report: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """A thing without a cluster, what becomes of it and why.

    `age_ms` is -1 when not known; `first_ms` is when it was first seen as an orphan, or 0.
    """

    thing: Thing
    verdict: Verdict
    why: str
    age_ms: int = -1
    first_ms: int = 0


@dataclass(frozen=True, slots=True)
class Memory:
    """What one look leaves to the next: marks of orphans with the time of their first sighting."""

    marks: Mapping[str, int] = field(default_factory=dict)
    live: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Plan:
    """`skipped` says why nothing was decided; `remove` is what shall go now."""

    findings: tuple[Finding, ...] = ()
    remove: tuple[Thing, ...] = ()
    memory: Memory = field(default_factory=Memory)
    alarms: tuple[str, ...] = ()
    skipped: str = ""

    @property
    def going(self) -> tuple[Finding, ...]:
        """The findings about what shall go now."""
        return tuple(found for found in self.findings if found.thing in self.remove)


def decide_sweep(facts: Facts, memory: Memory, policy: Policy) -> Plan:
    """What to remove now, what to look at again, and what a person must be told."""
    if trouble := _trouble(facts, memory):
        return Plan(memory=memory, skipped=trouble)
    ours = tuple(t for t in facts.things if t.install == facts.install and not t.ended)
    judged = [j for j in (_judged(t, facts, memory, policy) for t in ours) if j is not None]
    findings, alarms = _bounded(judged, Counter(t.kind for t in ours), policy)
    marks = {f.thing.mark: f.first_ms for f in findings if f.verdict in _ORPHANS}
    goes = tuple(f.thing for f in findings if f.verdict is Verdict.GOES)
    return Plan(
        findings=tuple(findings),
        remove=() if policy.report else goes,
        memory=Memory(marks, frozenset(facts.clusters)),
        alarms=alarms,
    )


def still_orphan(thing: Thing, facts: Facts, policy: Policy) -> bool:
    """Whether newer facts about its cluster leave a thing what it was; asked before the act."""
    return bool(_unclaimed(thing, facts)) and not _keep(thing, facts, policy)


_ORPHANS = frozenset({Verdict.FIRST, Verdict.GOES, Verdict.HELD})


def _trouble(facts: Facts, memory: Memory) -> str:
    """Why this picture must not be trusted; empty when it may."""
    if facts.gaps:
        return "; ".join(facts.gaps)
    if facts.now_ms <= 0:
        return "EC2 did not tell its time"
    lost = memory.live - facts.clusters.keys() - facts.tombs.keys()
    if lost:
        return f"the registry forgot {len(lost)} clusters, {min(lost)} among them"
    running = {s.instance_id for c in facts.clusters.values() for s in c.slots if s.shown}
    if running and not running & {thing.id for thing in facts.things}:
        return f"EC2 shows none of the {len(running)} machines of the registry: another account?"
    return ""


def _judged(thing: Thing, facts: Facts, memory: Memory, policy: Policy) -> Finding | None:
    """None for what a cluster stands for."""
    why = _unclaimed(thing, facts)
    if not why:
        return None
    found = Finding(thing, Verdict.GOES, why, facts.now_ms - thing.born_ms if thing.born_ms else -1)
    if keep := _keep(thing, facts, policy):
        return replace(found, verdict=Verdict.KEPT, why=f"{why}; {keep}")
    guard = policy.guards_ms.get(thing.kind, 0)
    # A time in the future (-1 or less) is young too.
    if guard and found.age_ms < guard:
        return replace(found, verdict=Verdict.YOUNG)
    first = memory.marks.get(thing.mark, facts.now_ms)
    seen = replace(found, first_ms=first)
    once = thing.mark not in memory.marks or facts.now_ms - first < policy.gap_ms
    return replace(seen, verdict=Verdict.FIRST) if once and policy.gap_ms else seen


def _unclaimed(thing: Thing, facts: Facts) -> str:
    """Why no cluster stands for it; empty when one does, or when it is of the whole install."""
    if not thing.cluster_id:
        return "" if thing.kind is Kind.GROUP else "it names no cluster"
    cluster = facts.clusters.get(thing.cluster_id)
    if cluster is not None:
        return _unclaimed_by(cluster, thing)
    if thing.cluster_id in facts.tombs:
        return "its cluster was deleted"
    return "the records know no such cluster"


def _unclaimed_by(cluster: Known, thing: Thing) -> str:
    match thing.kind:
        case Kind.INSTANCE if not any(_stands_for(slot, thing) for slot in cluster.slots):
            return f"no slot of its cluster has it (slot {thing.slot}, attempt {thing.attempt})"
        case Kind.ADDRESS if cluster.allocation_id and cluster.allocation_id != thing.id:
            return f"its cluster has another address ({cluster.allocation_id})"
        case Kind.VOLUME if _left_behind(cluster, thing):
            return f"no slot of its cluster uses it (slot {thing.slot}, attempt {thing.attempt})"
        case _:
            return ""  # the end of a cluster takes along whatever carries its tag


def _left_behind(cluster: Known, volume: Thing) -> bool:
    """Detached, and neither of its slot's present attempt nor of one still to come.

    The attempt alone decides: a slot that is closed, or whose machine was ended by hand, keeps the
    volume of its last attempt, which may hold data.
    """
    if volume.used or min(volume.slot, volume.attempt) < 0:
        return False
    return not any(s.slot == volume.slot and s.attempt <= volume.attempt for s in cluster.slots)


def _stands_for(slot: Slot, thing: Thing) -> bool:
    if not slot.open:
        return False
    if slot.instance_id:
        return slot.instance_id == thing.id
    return (slot.slot, slot.attempt) == (thing.slot, thing.attempt)


def _keep(thing: Thing, facts: Facts, policy: Policy) -> str:
    """Why a person decides about it; empty when the sweep may."""
    recorded = thing.cluster_id in facts.clusters or thing.cluster_id in facts.tombs
    if not (recorded or (policy.unproven and (facts.clusters or facts.tombs))):
        return "nothing shows that Kite made it: kite adopt takes it back, if it did"
    if not (thing.proven or policy.unproven):
        return "its tags do not belong to the token it was launched with"
    if _newer(thing, facts) and not policy.unproven:
        return "its record is older than it, as in a restored copy of the registry"
    if thing.used:
        return "it is in use"
    ended = facts.tombs.get(thing.cluster_id, 0)
    if thing.kind is Kind.VOLUME and facts.now_ms - ended < policy.tomb_volume_ms:
        return "volumes are kept for a day after the end of their cluster"
    return ""


def _newer(thing: Thing, facts: Facts) -> bool:
    """Of an attempt that its live cluster has not come to: slots and attempts are written first."""
    cluster = facts.clusters.get(thing.cluster_id)
    if cluster is None or thing.kind not in {Kind.INSTANCE, Kind.VOLUME}:
        return False
    return not any(s.slot == thing.slot and s.attempt >= thing.attempt for s in cluster.slots)


def _bounded(
    judged: list[Finding], of_kind: Mapping[Kind, int], policy: Policy
) -> tuple[list[Finding], tuple[str, ...]]:
    """More orphans at once than can be true are a mistake of ours, until a person says no."""
    orphans = Counter(f.thing.kind for f in judged if f.verdict in _ORPHANS)
    bounds = {k: max(policy.bulk, -(-of_kind[k] * policy.share // 100)) for k in orphans}
    over = {kind for kind, count in orphans.items() if count > bounds[kind]}
    alarms = tuple(
        f"{orphans[kind]} of {of_kind[kind]} {kind}s seem to be orphans, more than "
        f"{bounds[kind]}: none is removed; look with kite gc"
        for kind in sorted(over)
    )
    return [
        replace(f, verdict=Verdict.HELD)
        if f.thing.kind in over and f.verdict is Verdict.GOES
        else f
        for f in judged
    ], alarms
