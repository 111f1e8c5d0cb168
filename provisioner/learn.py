"""What the answers to our actions mean for the record. Pure.

An answer that is missing teaches nothing: the next turn looks, or asks again under the same name.
"""

from dataclasses import replace

from kite.errors import CloudThrottled, KiteError, NoCapacity
from provisioner import nodes
from provisioner.facts import (
    Allocated,
    Associated,
    Dropped,
    Grouped,
    InstanceFact,
    Launched,
    Outcome,
)
from provisioner.launch_refusals import after_refusal, for_good, group_missing
from provisioner.limits import Limits, Wait
from provisioner.plan import (
    Action,
    Allocate,
    Associate,
    CloseGroups,
    DropGroups,
    EnsureGroups,
    Launch,
    Release,
)
from provisioner.record import Address, Node, NodeState, Record
from provisioner.removal import (
    ADDRESS_ASKED,
    BASE_DROPPED,
    GROUPS_DROPPED,
    WHITELIST_CLOSED,
)
from provisioner.sight import NO_CAPACITY
from provisioner.status import CLOUD_ANSWERS, with_condition

Results = tuple[tuple[Action, Outcome | KiteError], ...]


def learned(record: Record, results: Results, limits: Limits, now: int) -> Record:
    """The record with what the actions brought, in their order."""
    for action, outcome in results:
        if isinstance(outcome, KiteError):
            record = _refused(record, action, outcome, limits, now)
        else:
            record = _came(record, action, outcome, now)
    return _cloud_condition(record, results, now)


def _came(record: Record, action: Action, outcome: Outcome, now: int) -> Record:
    match outcome:
        case Allocated(address):
            record = with_condition(nodes.addressed(record), ADDRESS_ASKED, ok=True, now=now)
            return replace(record, address=Address(address.allocation_id, address.public_ip))
        case Grouped(groups):
            return replace(record, groups=groups)
        case Launched(instance):
            return _launched(record, action, instance, now)
        case Associated(association_id):
            return replace(record, address=replace(record.address, association_id=association_id))
        case Dropped():
            return _dropped(record, action, outcome, now)
        case _:
            return _done(record, action, now)


def _done(record: Record, action: Action, now: int) -> Record:
    match action:
        case CloseGroups():
            return with_condition(record, WHITELIST_CLOSED, ok=True, now=now)
        case Release():
            return replace(record, address=Address())
        case _:
            return record


def _dropped(record: Record, action: Action, dropped: Dropped, now: int) -> Record:
    over = not dropped.remaining
    reason = "" if over else "GROUPS_IN_USE"
    kinds = [GROUPS_DROPPED]
    if isinstance(action, DropGroups) and action.last_cluster:
        kinds.append(BASE_DROPPED)
    for kind in kinds:
        record = with_condition(
            record, kind, ok=over, now=now, reason=reason, description=dropped.why
        )
    return record


def _launched(record: Record, action: Action, instance: InstanceFact, now: int) -> Record:
    def taught(node: Node) -> Node:
        return replace(
            node,
            instance_id=instance.instance_id,
            taken_over=nodes.is_older(node, instance),
            launched_at_ms=now,
            launches_ms=(*nodes.recent(node, now), now),
        )

    return _on(record, action, taught)


def _on(record: Record, action: Action, change: nodes.Change) -> Record:
    """Change the node that this launch was for, unless it has moved on."""

    def one(node: Node) -> Node:
        same = isinstance(action, Launch) and (node.slot, node.attempt) == (
            action.slot,
            action.attempt,
        )
        return change(node) if same and not node.instance_id else node

    return replace(record, nodes=tuple(one(node) for node in record.nodes))


def _refused(record: Record, action: Action, error: KiteError, limits: Limits, now: int) -> Record:
    match action:
        case Launch():
            return _launch_refused(record, action, error, limits, now)
        case Allocate():
            return _allocate_refused(record, error, limits, now)
        case EnsureGroups() if for_good(error):
            return _none_can_start(record, error, now)
        case Associate() if for_good(error) and not _not_yet(error):
            return _no_address(record, action, error, now)
        case CloseGroups() | DropGroups():
            kind = WHITELIST_CLOSED if isinstance(action, CloseGroups) else GROUPS_DROPPED
            return _waiting(record, kind, error, now)
        case _:
            return record


def _no_address_made(record: Record, error: KiteError | None = None) -> Record:
    """A clear no: it may be asked for again at once, and need not be looked for."""
    reason, description = (error.reason, error.description) if error else ("", "")
    return with_condition(
        record,
        ADDRESS_ASKED,
        ok=False,
        now=0,
        reason=reason,
        description=description,
        restart=True,
    )


def _allocate_refused(record: Record, error: KiteError, limits: Limits, now: int) -> Record:
    if for_good(error):
        return _none_can_start(_no_address_made(record), error, now)
    if isinstance(error, NoCapacity):
        return _no_address_to_have(record, error, limits, now)
    return _no_address_made(record) if isinstance(error, CloudThrottled) else record


def _no_address_to_have(record: Record, error: KiteError, limits: Limits, now: int) -> Record:
    """Waited for as machines are, with the same end; there is no other offer to ask for."""

    def one(node: Node) -> Node:
        if not nodes.is_unasked(node):
            return node
        first = node.reason != NO_CAPACITY
        deadline = now + limits.waits_ms[Wait.CAPACITY] if first else node.deadline_ms
        return replace(node, reason=NO_CAPACITY, deadline_ms=deadline)

    told = _no_address_made(record, error)
    return replace(told, nodes=tuple(one(node) for node in told.nodes))


def _launch_refused(
    record: Record, action: Launch, error: KiteError, limits: Limits, now: int
) -> Record:

    def taught(node: Node) -> Node:
        fresh, overdue = action.fresh, action.overdue
        return after_refusal(node, error, limits, now, first=fresh, overdue=overdue)

    record = _on(record, action, taught)
    return replace(record, groups=()) if group_missing(error) else record


def _waiting(record: Record, kind: str, error: KiteError, now: int) -> Record:
    return with_condition(
        record, kind, ok=False, now=now, reason=error.reason, description=error.description
    )


def _none_can_start(record: Record, error: KiteError, now: int) -> Record:
    """What every launch stands on was refused for good; machines that exist are not touched."""

    def one(node: Node) -> Node:
        if not nodes.is_unasked(node):
            return node
        return nodes.failed(node, error.description, error.reason, now, machine=False)

    return replace(record, nodes=tuple(one(node) for node in record.nodes))


def _not_yet(error: KiteError) -> bool:
    """The machine is not where its address can follow; the next look tells."""
    code = error.context.get("aws-code", "")
    return code.startswith(("InvalidInstanceID", "Incorrect"))


def _no_address(record: Record, action: Associate, error: KiteError, now: int) -> Record:
    """A machine that can never have the address is of no use, unless it may hold data."""

    def one(node: Node) -> Node:
        growing = node.state in {NodeState.STARTING, NodeState.LOADING}
        if node.instance_id != action.instance_id or not growing or node.taken_over:
            return node
        return nodes.failed(node, error.description, error.reason, now, machine=True)

    return replace(record, nodes=tuple(one(node) for node in record.nodes))


def _cloud_condition(record: Record, results: Results, now: int) -> Record:
    """Troubles that no node tells about."""
    silent = [o for a, o in results if isinstance(o, KiteError) and not _told(a, o)]
    if silent:
        return cloud_silent(record, silent[0], now)
    if any(isinstance(outcome, CloudThrottled) for _, outcome in results):
        return record
    if record.condition(CLOUD_ANSWERS) is None and not results:
        return record
    return with_condition(record, CLOUD_ANSWERS, ok=True, now=now)


def _told(action: Action, error: KiteError) -> bool:
    if isinstance(error, NoCapacity | CloudThrottled):  # asked to slow down we slow down, no more
        return True
    told = Launch | Allocate | EnsureGroups
    return for_good(error) and isinstance(action, told)


def cloud_silent(record: Record, error: KiteError, now: int) -> Record:
    """The record with the trouble told; nothing else is concluded from silence.

    A throttled call is no trouble of the user's: it comes again after a pause.
    """
    if isinstance(error, CloudThrottled):
        return record
    return with_condition(
        record,
        CLOUD_ANSWERS,
        ok=False,
        now=now,
        reason=error.reason,
        description=error.description,
    )
