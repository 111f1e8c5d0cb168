"""Operations and events as they are told: pure, on messages."""

from collections.abc import Iterable
from dataclasses import replace

from kite.v1 import operation_pb2 as ops
from kite.v1.operation_pb2 import Event, Operation, Step
from registry_svc.record import Record

CREATE, DELETE = "create-cluster", "delete-cluster"
STEPS = {
    CREATE: ("address", "groups", "launch", "boot", "install", "answer"),
    DELETE: ("close", "terminate", "address", "groups", "forget"),
}
ENDED = frozenset(
    {
        ops.OPERATION_STATE_SUCCEEDED,
        ops.OPERATION_STATE_FAILED,
        ops.OPERATION_STATE_CANCELLED,
    }
)


def started(
    kind: str, operation_id: str, record: Record, *, request_id: str, now_ms: int
) -> Operation:
    """A new operation on a cluster with its usual steps, all pending."""
    return Operation(
        operation_id=operation_id,
        type=kind,
        user=record.cluster.user,
        milvus_name=record.cluster.milvus_name,
        cluster_id=record.cluster.cluster_id,
        state=ops.OPERATION_STATE_PENDING,
        steps=[Step(name=name, state=ops.OPERATION_STATE_PENDING) for name in STEPS[kind]],
        description="accepted; waiting for its turn",
        request_id=request_id,
        started_at_ms=now_ms,
    )


def ended(
    operation: Operation, state: "ops.OperationState.ValueType", *, why: str, now_ms: int
) -> Operation:
    """The operation after its end; one that ended before stays as it is."""
    if operation.state in ENDED or not operation.operation_id:
        return operation
    over = Operation()
    over.CopyFrom(operation)
    over.state, over.description, over.ended_at_ms = state, why, now_ms
    if state == ops.OPERATION_STATE_SUCCEEDED:
        over.progress = 100
    return over


def progressed(present: Operation, wished: Operation, *, now_ms: int) -> Operation:
    """`present` with what a loop may change of it; an ended operation never changes again."""
    if present.state in ENDED:
        return present
    new = Operation()
    new.CopyFrom(present)
    if wished.state:
        new.state = wished.state
    new.progress = min(max(wished.progress, 0), 100)
    new.reason, new.description = wished.reason, wished.description
    del new.steps[:]
    new.steps.extend(wished.steps)
    for step in new.steps:
        step.state = step.state or ops.OPERATION_STATE_PENDING
    if new.state in ENDED:
        new.ended_at_ms = wished.ended_at_ms or now_ms
    return new


def told(record: Record, events: Iterable[Event], *, now_ms: int, origin: str) -> Record:
    """`record` with these events numbered on and ready to be delivered."""
    numbered = []
    for number, event in enumerate(events, record.last_event + 1):
        new = Event()
        new.CopyFrom(event)
        new.cluster_id, new.number = record.cluster.cluster_id, number
        new.at_ms, new.origin = event.at_ms or now_ms, event.origin or origin
        numbered.append(new)
    return replace(record, events=tuple(numbered), last_event=record.last_event + len(numbered))
