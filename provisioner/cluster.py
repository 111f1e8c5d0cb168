"""What to do this turn for one cluster, and why. Pure: calls nobody.

Order of growth: address asked for and groups (independent of each other), then the launch
parameters frozen and committed, then the launch. Order of removal is in `removal`.
"""

from dataclasses import replace
from typing import assert_never

from provisioner import nodes, status
from provisioner.backoff import pace
from provisioner.facts import ENDED, Facts, Lack, Machine
from provisioner.launching import launch, reserved, untried
from provisioner.limits import Limits, Wait
from provisioner.node import Do, Life, Saw, Step, spared, step
from provisioner.plan import (
    Action,
    Allocate,
    Associate,
    EnsureGroups,
    Install,
    Plan,
    Secure,
    Terminate,
)
from provisioner.record import Address, Node, NodeState, Record, Role
from provisioner.removal import ADDRESS_ASKED, remove
from provisioner.sight import (
    BAD_SETTING,
    GROUP_MISSING,
    INSTALLED,
    NO_CAPACITY,
    PLACE_MISSING,
    life,
    met_at,
    saw,
)

NO_ADDRESS = Step(Life.FAILED, Do.FORGET, "EC2 had no elastic address to give")
_GROWING = frozenset({Life.STARTING, Life.LOADING, Life.REPLACING})
_STANDING = frozenset({Life.STARTING, Life.LOADING, Life.RUNNING})
_RECOVERABLE = frozenset({"CLOUD_PERMISSION", BAD_SETTING})


def decide(record: Record, facts: Facts, limits: Limits, now: int) -> Plan:
    """The plan of this turn. Times are epoch milliseconds."""
    seen = replace(adopted(record, facts, now), observed_generation=record.generation)
    if not seen.spec.wanted:
        return _finished(record, remove(seen, facts, limits, now), facts, now)
    return _finished(record, _grow(seen, facts, limits, now), facts, now)


def adopted(record: Record, facts: Facts, now: int) -> Record:
    """The record with what EC2 already has for us: ids by token, address by tag, addresses."""
    address = record.address
    if record.address_intended and not address.allocation_id and facts.address:
        address = Address(facts.address.allocation_id, facts.address.public_ip)
        record = nodes.addressed(record)
        record = status.with_condition(record, ADDRESS_ASKED, ok=True, now=now)
    return replace(
        record,
        address=address,
        nodes=tuple(_adopted(node, facts) for node in record.nodes),
    )


def _adopted(node: Node, facts: Facts) -> Node:
    known = facts.instances.get(node.instance_id) or facts.launched.get(node.token)
    if known is None or (not node.instance_id and node.state is NodeState.GONE):
        return node
    found = not node.instance_id and known.machine not in ENDED
    taken_over = node.taken_over or (found and nodes.is_older(node, known))
    node = replace(nodes.refreshed(node, known), taken_over=taken_over)
    install = facts.installs.get(node.token)
    if install is not None and node.install_step != INSTALLED:
        node = replace(node, install_step=INSTALLED if install.ok else install.step)
    return node


def _finished(before: Record, plan: Plan, facts: Facts, now: int) -> Plan:
    told = status.told(plan.record, facts.site, now)
    again = 0 if told != before and not plan.settled else plan.again_ms
    return replace(plan, record=told, again_ms=again)


def _grow(record: Record, facts: Facts, limits: Limits, now: int) -> Plan:
    record = _slots(record, facts, now)
    if facts.site.lack is None:
        record = _recovering(record, facts, limits, now)
    actions: list[Action] = []
    if any(life(n, wanted=True) in _GROWING for n in record.nodes):
        record, actions = _ground(record, facts, limits, now)
    grown, node_actions = _step_all(record, facts, limits, now)
    actions += node_actions + _association(grown, facts)
    return Plan(
        record=grown,
        actions=tuple(actions),
        again_ms=_again(grown, limits, now),
        settled=not actions and _settled(grown),
    )


def _slots(record: Record, facts: Facts, now: int) -> Record:
    have = {node.slot for node in record.nodes}
    missing = [slot for slot in range(1 + record.spec.workers) if slot not in have]
    new = tuple(nodes.born(facts.site.install, record.cluster_id, slot, now) for slot in missing)
    return replace(record, nodes=record.nodes + new) if new else record


def _recovering(record: Record, facts: Facts, limits: Limits, now: int) -> Record:
    """Failures that only the operator could mend are tried again after a pause."""

    def again(node: Node) -> Node:
        rested = now - node.state_since_ms >= limits.permission_pause_ms
        stuck = node.state is NodeState.FAILED and not node.retiring
        if stuck and rested and node.reason in _RECOVERABLE:
            return nodes.renewed(node, facts.site.install, record.cluster_id, now)
        return node

    return replace(record, nodes=tuple(again(node) for node in record.nodes))


def _ground(record: Record, facts: Facts, limits: Limits, now: int) -> tuple[Record, list[Action]]:
    """What machines stand on: independent calls, done side by side.

    Where nothing can be launched nothing is bought for it; what was asked for already goes on.
    """
    actions: list[Action] = []
    if facts.site.lack and not any(map(_is_asked, record.nodes)):
        return record, actions
    if record.elastic and not record.address.allocation_id:
        asked = record.condition(ADDRESS_ASKED)
        unanswered = asked is not None and now - asked.since_ms < limits.lost_address_ms
        if not (record.address_intended and unanswered):
            record = status.with_condition(
                replace(record, address_intended=True),
                ADDRESS_ASKED,
                ok=False,
                now=now,
                reason=asked.reason if asked else "",  # while asked again it is still so
                description=asked.description if asked else "",
                restart=True,
            )
            actions.append(Allocate())
    if not record.groups and facts.site.vpc_id:
        actions.append(EnsureGroups(facts.site.vpc_id, peers=record.spec.workers > 0))
    return record, actions


def _is_asked(node: Node) -> bool:
    """Whether the outcome of its launch is open."""
    return not node.instance_id and node.intent is not None and bool(node.intent.client_token)


def _step_all(
    record: Record, facts: Facts, limits: Limits, now: int
) -> tuple[Record, list[Action]]:
    stepped, actions, ending = list[Node](), list[Action](), list[Node]()
    address = record.address
    for at, node in enumerate(record.nodes):
        # What was just decided for one slot holds the next ones to its zone.
        so_far = replace(record, nodes=(*stepped, *record.nodes[at:]))
        here = life(node, wanted=True)
        word = saw(so_far, node, facts, install_tries=limits.install_tries)
        found = _step(so_far, node, here, word, facts, now)
        after = nodes.entered(node, here, found, limits, now)
        if found.do is Do.RENEW:
            after = _renewed(so_far, node, after, facts, limits, now)
        after, action = _do(so_far, after, here, found, facts, limits, now)
        if after.attempt != node.attempt and node.role is Role.MASTER:
            address = replace(address, association_id="")
        if found.do is Do.TERMINATE and node.instance_id:
            ending.append(node)
        stepped.append(after)
        actions += [action] if action else []
    if ending:
        ids = tuple(node.instance_id for node in ending)
        actions.append(Terminate(ids, tuple(node.token for node in ending)))
    return replace(record, nodes=tuple(stepped), address=address), actions


def _step(record: Record, node: Node, here: Life, word: Saw, facts: Facts, now: int) -> Step:
    found = step(here, word)
    if found.do is Do.RESERVE and facts.site.lack:
        return _lacking(node, here, facts.site.lack, now)
    is_late = nodes.late(node, here, found, now)
    if is_late and word is Saw.NOTHING and _without_address(record, node):
        return replace(NO_ADDRESS, reason=node.reason)
    if is_late and not (word is Saw.REFUSED and untried(record, node, facts)):
        found = step(here, word, late=True)
    if node.taken_over:
        found = spared(here, word, found)
    if word is Saw.REFUSED and found.to is Life.FAILED and node.reason == PLACE_MISSING:
        why = "EC2 does not know the image or the subnet that launches name"
        return replace(found, why=why, reason=PLACE_MISSING)
    return nodes.with_causes(found, word, node, facts)


def _without_address(record: Record, node: Node) -> bool:
    """EC2 said that it has no elastic address to give, and gave none since."""
    return node.reason == NO_CAPACITY and record.elastic and not record.address.allocation_id


def _lacking(node: Node, here: Life, lack: Lack, now: int) -> Step:
    """Nothing can be launched until somebody puts it right."""
    reason = lack.reason if lack.reason in _RECOVERABLE else BAD_SETTING
    # One wait, in the words it began with: EC2 may have others at each look.
    waiting = node.reason in _RECOVERABLE and node.deadline_ms
    why = node.why if waiting else lack.description
    waits = Step(Life.STARTING, Do.NOTHING, why, Wait.SETTING, reason)
    if nodes.late(node, here, waits, now):
        return Step(Life.FAILED, Do.FORGET, why, reason=reason)
    return waits


def _do(
    record: Record, node: Node, here: Life, found: Step, facts: Facts, limits: Limits, now: int
) -> tuple[Node, Action | None]:
    """The node and the action that this step's `do` means; TERMINATE is gathered elsewhere."""
    match found.do:
        case Do.RESERVE:
            return reserved(record, node, facts, limits, now)
        case Do.LAUNCH:
            missing = node.reason == GROUP_MISSING and 0 < node.deadline_ms <= now
            return node, launch(node, overdue=missing) if record.groups else None
        case Do.FORGET:
            return nodes.forgotten(node, here), None
        case Do.INSTALL:
            where = met_at(record, node, facts.site)
            return node, _install(record, node, where, facts)
        case Do.SECURE:
            return node, Secure(node.token, met_at(record, node, facts.site))
        case Do.NOTHING | Do.TERMINATE | Do.RENEW:
            return node, None
        case _ as never:
            assert_never(never)


def _install(record: Record, node: Node, where: str, facts: Facts) -> Install:
    volume = facts.instances[node.instance_id].data_volume
    size = record.spec.disk_gib
    return Install(node.slot, node.token, node.instance_id, where, node.role, size, volume)


def _renewed(
    record: Record, node: Node, after: Node, facts: Facts, limits: Limits, now: int
) -> Node:
    """The next attempt; the breaker ends what would go round for ever."""
    launches = nodes.recent(node, now)
    if len(launches) < limits.launches_per_hour:
        return nodes.renewed(node, facts.site.install, record.cluster_id, now)
    cause = nodes.cause(node) if node.retiring else after.why
    why = f"{len(launches)} machines within an hour did not get there, the last because: {cause}"
    return nodes.failed(node, why, "LAUNCH_LOOP", now, machine=False)


def _association(record: Record, facts: Facts) -> list[Action]:
    """EC2 takes an address for running machines only."""
    address = record.address
    if not record.elastic or not address.allocation_id or address.association_id:
        return []
    return [
        Associate(address.allocation_id, node.instance_id)
        for node in record.nodes
        if node.role is Role.MASTER
        and life(node, wanted=True) in _STANDING
        and (instance := facts.instances.get(node.instance_id))
        and instance.machine is Machine.RUNNING
    ]


def _settled(record: Record) -> bool:
    def rests(node: Node) -> bool:
        here = life(node, wanted=True)
        return here is Life.RUNNING or (here is Life.FAILED and not node.retiring)

    return all(rests(node) for node in record.nodes)


def _again(record: Record, limits: Limits, now: int) -> int:
    if _settled(record):
        return limits.settled_ms
    since = max((node.state_since_ms for node in record.nodes), default=now)
    return pace(limits.poll_ms, max(0, now - since))
