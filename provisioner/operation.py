"""The operation as its user follows it: named steps with times, progress, reason. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from typing import assert_never

from provisioner.facts import InstallFact
from provisioner.nodes import cause
from provisioner.record import (
    ClusterState,
    Node,
    NodeState,
    Operation,
    OperationState,
    OperationStep,
    Record,
)
from provisioner.removal import WHITELIST_CLOSED
from provisioner.sight import BAD_SETTING, INSTALLED, all_gone
from provisioner.status import READY

CREATE, DELETE = "create-cluster", "delete-cluster"
# Share of the whole, by experience; the sum of each row is 100.
_CREATE = {
    "validate": 2,
    "address": 4,
    "security-groups": 4,
    "launch-instances": 15,
    "wait-ssh": 10,
    "install-milvus": 45,
    "health-check": 15,
    "publish-endpoint": 5,
}
_DELETE = {
    "close-whitelist": 10,
    "terminate-instances": 60,
    "release-address": 15,
    "drop-groups": 15,
}
_ANY_ORDER = frozenset({"address", "security-groups", "release-address", "drop-groups"})
_RANKS = {"launch-instances": 2, "wait-ssh": 3, "install-milvus": 4, "health-check": 5}

_DOING = {
    "address": "allocating an address",
    "security-groups": "making the security groups",
    "close-whitelist": "revoking every rule",
    "release-address": "giving the address back",
    "drop-groups": "deleting the security groups",
}
_RESULTS = {
    "validate": "image and subnets are known",
    "wait-ssh": "SSH answers",
    "install-milvus": "installed",
    "health-check": "Milvus answers",
    "close-whitelist": "nobody can connect any more",
    "terminate-instances": "EC2 confirmed the end of every machine",
    "release-address": "the address was given back",
    "drop-groups": "the security groups are deleted",
}


def progressed(
    record: Record,
    operation: Operation | None,
    installs: Mapping[str, InstallFact],
    now: int,
    *,
    gone: bool = False,
) -> Operation | None:
    """The operation of the present wish as it stands now; one that is over stays as it is."""
    if not record.operation_id:
        return None
    kind = CREATE if record.spec.wanted else DELETE
    if operation is None or operation.operation_id != record.operation_id:
        operation = Operation(record.operation_id, kind, started_at_ms=now)
    if operation.over or operation.type != kind:
        return operation
    done = _created(record) if kind == CREATE else _deleted(record, gone=gone)
    weights = {name: (_CREATE | _DELETE)[name] for name in done}
    steps = _steps(record, operation, done, installs, now)
    return _whole(record, operation, steps, weights, installs, now)


def _created(record: Record) -> dict[str, bool]:
    rank = min((_rank(node) for node in record.nodes), default=0)
    running = record.state is ClusterState.RUNNING
    done = {name: rank >= least for name, least in _RANKS.items()}
    found = {
        "validate": all(node.reason != BAD_SETTING for node in record.nodes),
        "address": bool(record.address.allocation_id),
        "security-groups": bool(record.groups) or rank > 0,
        **done,
        "publish-endpoint": running and bool(record.milvus_url),
    }
    return {name: found[name] for name in _CREATE if record.elastic or name != "address"}


def _rank(node: Node) -> int:
    """How far a node has come: 1 has a machine, 2 booted, 3 SSH, 4 installed, 5 answers."""
    if node.state is NodeState.RUNNING:
        return 5
    if node.state is NodeState.LOADING:
        return 4 if node.install_step == INSTALLED else 3
    if node.state is NodeState.STARTING and node.instance_id and not node.retiring:
        return 2 if node.why == "waiting for SSH" else 1
    return 0


def _deleted(record: Record, *, gone: bool) -> dict[str, bool]:
    ended = all_gone(record) and record.holds(WHITELIST_CLOSED)
    found = {
        "close-whitelist": record.holds(WHITELIST_CLOSED),
        "terminate-instances": ended,
        "release-address": gone or (ended and not record.address.allocation_id),
        "drop-groups": gone,  # last of all, in the write that removes the record
    }
    return {name: found[name] for name in _DELETE if record.elastic or name != "release-address"}


def _steps(
    record: Record,
    operation: Operation,
    done: Mapping[str, bool],
    installs: Mapping[str, InstallFact],
    now: int,
) -> tuple[OperationStep, ...]:
    old = {step.name: step for step in operation.steps}
    failed = record.state is ClusterState.FAILED
    open_so_far = True
    steps = []
    for name, over in done.items():
        before = old.get(name) or OperationStep(name, OperationState.PENDING)
        state = _state(before, over=over, may_run=open_so_far, failed=failed)
        text = _text(record, name, state, before, installs)
        steps.append(_timed(before, state, text, now))
        succeeded = state is OperationState.SUCCEEDED
        open_so_far = open_so_far and (succeeded or name in _ANY_ORDER)
    return tuple(steps)


def _state(before: OperationStep, *, over: bool, may_run: bool, failed: bool) -> OperationState:
    if over or before.state is OperationState.SUCCEEDED:
        return OperationState.SUCCEEDED
    if failed:
        return OperationState.FAILED if may_run else OperationState.CANCELLED
    return OperationState.RUNNING if may_run else OperationState.PENDING


def _timed(before: OperationStep, state: OperationState, text: str, now: int) -> OperationStep:
    begun = before.started_at_ms or (0 if state is OperationState.PENDING else now)
    ended = state in {OperationState.SUCCEEDED, OperationState.FAILED, OperationState.CANCELLED}
    return OperationStep(
        before.name, state, text, begun, (before.ended_at_ms or now) if ended else 0
    )


def _text(
    record: Record,
    name: str,
    state: OperationState,
    before: OperationStep,
    installs: Mapping[str, InstallFact],
) -> str:
    """One sentence for people: what came of the step, what it waits for, or why it failed."""
    match state:
        case OperationState.FAILED:
            return record.why
        case OperationState.SUCCEEDED:
            return _result(record, name) or before.description
        case OperationState.RUNNING:
            return _doing(record, name, installs) or before.description
        case OperationState.PENDING | OperationState.CANCELLED:
            return before.description
        case _ as never:
            assert_never(never)


def _result(record: Record, name: str) -> str:
    match name:
        case "address":
            return record.address.public_ip
        case "security-groups":
            return ", ".join(group.group_name for group in record.groups)
        case "launch-instances":
            return ", ".join(node.instance_id for node in record.nodes if node.instance_id)
        case "publish-endpoint":
            return f"{record.milvus_url}:{record.milvus_port}"
        case _:
            return _RESULTS.get(name, "")


def _doing(record: Record, name: str, installs: Mapping[str, InstallFact]) -> str:
    troubles = [c for c in record.conditions if not c.ok and c.reason and c.type != READY]
    if troubles:
        return troubles[0].description
    if name == "install-milvus":
        told = [f"{i.step} ({i.done}/{i.total})" for i in installs.values() if i.running and i.step]
        return ", ".join(told)
    whys = sorted({cause(node) for node in record.nodes if node.why})
    return _DOING.get(name) or ", ".join(whys)


def _whole(
    record: Record,
    operation: Operation,
    steps: tuple[OperationStep, ...],
    weights: Mapping[str, int],
    installs: Mapping[str, InstallFact],
    now: int,
) -> Operation:
    share = sum(weights[s.name] for s in steps if s.state is OperationState.SUCCEEDED)
    share += _install_share(steps, weights, installs)
    progress = max(operation.progress, share * 100 // sum(weights.values()))
    if all(step.state is OperationState.SUCCEEDED for step in steps):
        return replace(
            operation,
            state=OperationState.SUCCEEDED,
            progress=100,
            steps=steps,
            reason="",
            description="done",
            ended_at_ms=now,
        )
    failed = record.state is ClusterState.FAILED
    return replace(
        operation,
        state=OperationState.FAILED if failed else OperationState.RUNNING,
        progress=min(99, progress),
        steps=steps,
        reason=record.reason,
        description=record.why,
        ended_at_ms=now if failed else 0,
    )


def _install_share(
    steps: tuple[OperationStep, ...],
    weights: Mapping[str, int],
    installs: Mapping[str, InstallFact],
) -> int:
    running = any(s.name == "install-milvus" and s.state is OperationState.RUNNING for s in steps)
    shares = [i.done / i.total for i in installs.values() if i.total]
    return int(weights["install-milvus"] * min(shares)) if running and shares else 0
