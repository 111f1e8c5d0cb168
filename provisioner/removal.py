"""The way out: whitelist closed, machines ended and seen to be gone, then what they stood on. Pure.

A deletion is complete only when EC2, asked by tag, shows nothing of the cluster any more. What it
finds by tag alone it ends on the sweep's proof: the ClientToken that belongs to the tags. A machine
that merely carries the tags is somebody's own and is told, never ended; nor is a volume on it.
"""

from dataclasses import replace

from provisioner import nodes
from provisioner.backoff import pace
from provisioner.facts import ENDED, Facts, InstanceFact, Leftovers, Machine
from provisioner.limits import Limits, Wait
from provisioner.node import Do, Life, step
from provisioner.plan import (
    Action,
    CloseGroups,
    DeleteVolumes,
    DropGroups,
    Plan,
    Release,
    Terminate,
)
from provisioner.record import Address, Record
from provisioner.sight import all_gone, life, saw
from provisioner.status import with_condition
from provisioner.tokens import proves

ADDRESS_ASKED = "AddressAsked"
WHITELIST_CLOSED = "WhitelistClosed"
GROUPS_DROPPED = "GroupsDropped"
BASE_DROPPED = "BaseGroupDropped"
ALL_PROVEN = "AllMachinesProven"
NOT_PROVEN = "MACHINE_NOT_PROVEN"
_NAMED = 5


def remove(record: Record, facts: Facts, limits: Limits, now: int) -> Plan:
    """The next step of a deletion."""
    again = pace(limits.poll_ms, max(0, now - _since(record, now)))
    if not record.holds(WHITELIST_CLOSED):
        return Plan(record, (CloseGroups(),), again)
    record, actions = _nodes(record, facts, limits, now)
    if not all_gone(record) or facts.leftovers is None:
        return Plan(record, actions, again)
    left, strangers = told_apart(record, facts.leftovers, facts.site.install)
    record = _told(record, strangers, now)
    if _address_may_come(record, limits, now):
        return Plan(record, actions, again)
    actions = _rest(record, left)
    gone = not actions and _clean(record, left)
    if gone:
        record = replace(record, address=Address(), groups=())
    return Plan(record, actions, again, settled=gone, gone=gone)


def _nodes(
    record: Record, facts: Facts, limits: Limits, now: int
) -> tuple[Record, tuple[Action, ...]]:
    stepped, ids, tokens = [], [], []
    for node in record.nodes:
        here = life(node, wanted=False)
        word = saw(record, node, facts, install_tries=limits.install_tries)
        found = step(here, word)
        if nodes.late(node, here, found, now):
            found = step(here, word, late=True)
        after = nodes.entered(node, here, found, limits, now)
        if found.do is Do.FORGET:
            after = nodes.forgotten(after, Life.GONE)
        if found.do is Do.TERMINATE and node.instance_id:
            ids.append(node.instance_id)
            tokens.append(node.token)
        stepped.append(after)
    actions = (Terminate(tuple(ids), tuple(tokens)),) if ids else ()
    return replace(record, nodes=tuple(stepped)), actions


def _address_may_come(record: Record, limits: Limits, now: int) -> bool:
    """An address was asked for and the answer is missing: it may still appear, by its tag.

    Whoever asked may also be about to make groups, so nothing is dropped before.
    """
    asked = record.condition(ADDRESS_ASKED)
    if record.address.allocation_id or asked is None or asked.ok:
        return False
    return now - asked.since_ms < limits.waits_ms[Wait.UNSEEN]


def told_apart(
    record: Record, left: Leftovers, install: str
) -> tuple[Leftovers, tuple[InstanceFact, ...]]:
    """What is proven to be the cluster's own, and the machines that only carry its tags.

    A volume has no proof of its own: one that only such machines hold is theirs.
    """
    ours = tuple(i for i in left.instances if _proven(record, i, install))
    strangers = tuple(i for i in left.instances if i not in ours)
    ids = {i.instance_id for i in strangers}
    busy = tuple(v for v in left.busy_volumes if not v.attached or set(v.attached) - ids)
    return replace(left, instances=ours, busy_volumes=busy), strangers


def _proven(record: Record, seen: InstanceFact, install: str) -> bool:
    """By its tags and its token, or, should its tags be damaged, by what the record holds."""
    if proves(seen.token, install, record.cluster_id, seen.slot, seen.attempt):
        return True
    ours = {n.instance_id for n in record.nodes} | {n.token for n in record.nodes}
    return bool({seen.instance_id, seen.token} & (ours - {""}))


def _told(record: Record, strangers: tuple[InstanceFact, ...], now: int) -> Record:
    """With the machines that are left alone, for as long as they are there."""
    there = sorted(i.instance_id for i in strangers if i.machine not in ENDED)
    if not there:
        known = record.condition(ALL_PROVEN)
        return with_condition(record, ALL_PROVEN, ok=True, now=now) if known else record
    more = f" and {len(there) - _NAMED} more" if len(there) > _NAMED else ""
    why = (
        f"left alone, because Kite did not launch it, though it has this cluster's tags: "
        f"{', '.join(there[:_NAMED])}{more}; remove its kite: tags. While it is in a security "
        f"group of the cluster the deletion waits: take it out, or end it"
    )
    return with_condition(record, ALL_PROVEN, ok=False, now=now, reason=NOT_PROVEN, description=why)


def _rest(record: Record, left: Leftovers) -> tuple[Action, ...]:
    strays = tuple(i.instance_id for i in left.instances if i.machine not in ENDED)
    if strays:
        return (Terminate(strays),)
    if any(i.machine is Machine.SHUTTING_DOWN for i in left.instances):
        return ()
    actions: list[Action] = []
    known = {record.address.allocation_id} - {""}
    if allocations := known | {a.allocation_id for a in left.addresses}:
        actions.append(Release(tuple(sorted(allocations))))
    if left.free_volumes:
        actions.append(DeleteVolumes(left.free_volumes))
    if not _dropped(record, left):
        actions.append(DropGroups(last_cluster=not left.others))
    return tuple(actions)


def _clean(record: Record, left: Leftovers) -> bool:
    ended = all(i.machine is Machine.TERMINATED for i in left.instances)
    return ended and not left.busy_volumes and _dropped(record, left)


def _dropped(record: Record, left: Leftovers) -> bool:
    """The last cluster of the install takes the base group along."""
    return record.holds(GROUPS_DROPPED) and (left.others or record.holds(BASE_DROPPED))


def keeps_base(other: Record, cluster_id: str) -> bool:
    """Whether another live cluster needs, or will see to, the base group.

    Of several that are leaving at once the greatest sees to them. One that has dropped its
    groups may have looked before we were unwanted, so it is not relied on; one that has not
    looks again afterwards, and sees us.
    """
    if other.cluster_id == cluster_id:
        return False
    if other.spec.wanted:
        return True
    return other.cluster_id > cluster_id and not other.holds(GROUPS_DROPPED)


def _since(record: Record, now: int) -> int:
    closed = record.condition(WHITELIST_CLOSED)
    return closed.since_ms if closed else now
