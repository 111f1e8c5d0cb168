"""How a node changes when it takes a step. Pure."""

from collections.abc import Callable
from dataclasses import replace
from typing import assert_never

from provisioner.facts import Facts, InstanceFact
from provisioner.limits import HOUR_MS, Limits, Wait
from provisioner.node import CLOUD_SLOW, OTHER_LAUNCH, Life, Saw, Step
from provisioner.record import Node, NodeState, Record, Role
from provisioner.sight import NO_CAPACITY
from provisioner.tokens import token

_KEEPS_REASON = frozenset({Life.FAILED, Life.REPLACING, Life.LEAVING, Life.GONE})
_KEEPS_CAUSE = frozenset({Life.FAILED, Life.REPLACING})
JOIN = "; "
Change = Callable[[Node], Node]


def born(install: str, cluster_id: str, slot: int, now: int) -> Node:
    """A slot before its first machine; slot 0 is the master."""
    return Node(
        slot=slot,
        role=Role.MASTER if slot == 0 else Role.WORKER,
        attempt=1,
        token=token(install, cluster_id, slot, 1),
        why="just ordered",
        state_since_ms=now,
    )


def renewed(node: Node, install: str, cluster_id: str, now: int) -> Node:
    """The same slot, one attempt on: another token, another machine."""
    attempt = node.attempt + 1
    return Node(
        slot=node.slot,
        role=node.role,
        attempt=attempt,
        token=token(install, cluster_id, node.slot, attempt),
        why="another machine follows",
        state_since_ms=now,
        launches_ms=recent(node, now),
    )


def recent(node: Node, now: int) -> tuple[int, ...]:
    """Launches of the last hour; a clock that jumped back makes launches young, never old."""
    return tuple(at for at in node.launches_ms if now - at < HOUR_MS)


def failed(node: Node, why: str, reason: str, now: int, *, machine: bool) -> Node:
    """FAILED for good; `machine` says that one may exist and must be seen to be gone."""
    return replace(
        node,
        state=NodeState.FAILED,
        why=_sentence(why),
        reason=reason,
        state_since_ms=now,
        deadline_ms=0,
        retiring=machine,
        intent=node.intent if machine else None,
    )


def is_unasked(node: Node) -> bool:
    """Whether it wants a machine and none was asked for under this attempt."""
    return node.state is NodeState.STARTING and not node.instance_id and node.intent is None


def is_older(node: Node, instance: InstanceFact) -> bool:
    """Whether the machine found for this node is older than the record that asks for it.

    By an hour at least, because the clocks of EC2 and of the registry may differ.
    """
    if node.reason == OTHER_LAUNCH:
        return True
    asked = node.intent.decided_at_ms if node.intent else 0
    return 0 < instance.launched_at_ms < asked - HOUR_MS


def addressed(record: Record) -> Record:
    """The wait for machines begins after that for the address: each has its own ten minutes."""

    def one(node: Node) -> Node:
        waited = is_unasked(node) and node.reason == NO_CAPACITY
        return replace(node, reason="", deadline_ms=0) if waited else node

    return replace(record, nodes=tuple(one(node) for node in record.nodes))


def why_after(node: Node, here: Life, step: Step) -> str:
    """The sentence kept on the node: a cause is carried along while its machine is removed."""
    if step.to not in _KEEPS_CAUSE or here not in _KEEPS_CAUSE:
        return step.why
    return cause(node) + JOIN + step.why


def cause(node: Node) -> str:
    """Why the node left its way, without what is being done about it."""
    return node.why.split(JOIN, 1)[0]


def late(node: Node, here: Life, step: Step, now: int) -> bool:
    """Whether the deadline that runs belongs to this very wait, and is over."""
    same = node.why == why_after(node, here, step)
    return step.wait is not None and same and 0 < node.deadline_ms <= now


def entered(node: Node, here: Life, step: Step, limits: Limits, now: int) -> Node:
    """The node after the step; its deadline runs on while the wait is the same."""
    state, retiring = _stored(step.to, node)
    why = why_after(node, here, step)
    deadline = 0
    if step.wait is not None:
        anew = step.anew and node.reason in {"", CLOUD_SLOW, OTHER_LAUNCH}
        runs_on = node.why == why and node.deadline_ms and not anew
        deadline = node.deadline_ms if runs_on else now + limits.waits_ms[step.wait]
    kept = step.to in _KEEPS_REASON or (step.wait is Wait.CAPACITY and node.why == why)
    return replace(
        node,
        state=state,
        retiring=retiring,
        why=why,
        reason=_reason(node, step, kept=kept),
        state_since_ms=node.state_since_ms if state is node.state else now,
        deadline_ms=deadline,
    )


def _reason(node: Node, step: Step, *, kept: bool) -> str:
    before = node.reason if kept else ""
    return before or step.reason if step.anew else step.reason or before


def forgotten(node: Node, here: Life) -> Node:
    """Nothing is left of the machine; what is told about it stays."""
    why = cause(node) if here in _KEEPS_CAUSE else node.why
    return replace(node, retiring=False, intent=None, deadline_ms=0, why=why)


def _stored(to: Life, node: Node) -> tuple[NodeState, bool]:
    match to:
        case Life.REPLACING:
            return NodeState.STARTING, True
        case Life.LEAVING:
            return node.state, True
        case Life.FAILED:
            return NodeState.FAILED, True
        case Life.STARTING | Life.LOADING | Life.RUNNING | Life.GONE:
            return NodeState(to), False
        case _ as never:
            assert_never(never)


def with_causes(step: Step, saw: Saw, node: Node, facts: Facts) -> Step:
    """The step with the words of EC2 or of the install in the place of our general ones."""
    if saw is Saw.BROKEN and step.to is Life.FAILED and step.reason:
        install = facts.installs[node.token]
        return replace(step, why=_sentence(install.description or step.why), reason=install.reason)
    instance = facts.instances.get(node.instance_id)
    if saw in {Saw.ENDED, Saw.ENDING} and instance and instance.reason and step.reason:
        return replace(step, why=f"{step.why} ({_sentence(instance.reason)})")
    return step


def refreshed(node: Node, instance: InstanceFact) -> Node:
    """With what EC2 shows of the machine now; an address that is not shown is kept."""
    return replace(
        node,
        instance_id=instance.instance_id,
        public_ip=instance.public_ip or node.public_ip,
        private_ip=instance.private_ip or node.private_ip,
        launched_at_ms=instance.launched_at_ms or node.launched_at_ms,
    )


def _sentence(text: str) -> str:
    return text.replace(JOIN, ", ")
