"""OperationService: what was asked, what became of it, what was told."""

import pytest

from kite.errors import InvalidRequest, NotFound
from kite.v1 import operation_pb2 as ops
from tests.rpc.registry.conftest import NAME, USER


def over(operation_id="op-w1", **more):
    fields = {
        "operation_id": operation_id,
        "type": "set-whitelist",
        "user": USER,
        "milvus_name": NAME,
        "state": ops.OPERATION_STATE_SUCCEEDED,
        "progress": 100,
        "started_at_ms": 5,
        "ended_at_ms": 6,
    }
    return ops.Operation(**(fields | more))


async def record(registry, operation):
    request = ops.RecordOperationRequest(operation=operation)
    return (await registry.operations.RecordOperation(request)).operation


async def test_an_operation_is_recorded_once(registry):
    assert await record(registry, over()) == over()
    assert await record(registry, over(description="again")) == over()
    assert await registry.operation("op-w1") == over()


async def test_a_running_operation_is_recorded_and_ends_once(registry):
    runs = over(state=ops.OPERATION_STATE_RUNNING, progress=0, ended_at_ms=0)
    assert await record(registry, runs) == runs
    assert await record(registry, over()) == over()
    assert await record(registry, over(description="again")) == over()
    assert await record(registry, runs) == over()
    assert await registry.operation("op-w1") == over()


async def test_the_operation_of_a_cluster_is_not_ended_from_outside(registry):
    made = await registry.create("cats")
    theirs = await registry.operation(made.operation.operation_id)
    assert await record(registry, over(operation_id=theirs.operation_id)) == theirs


@pytest.mark.parametrize(
    "change",
    [
        {"operation_id": ""},
        {"type": ""},
        {"user": ""},
        {"state": ops.OPERATION_STATE_PENDING},
        {"state": ops.OPERATION_STATE_UNSPECIFIED},
    ],
)
async def test_only_what_runs_or_is_over_is_recorded(registry, change):
    with pytest.raises(InvalidRequest):
        await record(registry, over(**change))


async def test_pages_of_operations(registry):
    for number in range(5):
        await registry.create(f"name-{number}")
        registry.clock.forward(seconds=1)

    async def pages(**more):
        token, found = "", []
        while True:
            request = ops.ListOperationsRequest(user=USER, page_token=token, **more)
            page = await registry.operations.ListOperations(request)
            found.append([o.milvus_name for o in page.operations])
            token = page.next_page_token
            if not token:
                return found

    assert await pages(page_size=2) == [["name-4", "name-3"], ["name-2", "name-1"], ["name-0"]]
    assert await pages(milvus_name="name-2") == [["name-2"]]
    for bad in ({"user": ""}, {"user": USER, "page_token": "eA"}, {"user": USER, "page_size": 999}):
        with pytest.raises(InvalidRequest):
            await registry.operations.ListOperations(ops.ListOperationsRequest(**bad))


async def test_a_forged_token_is_refused(registry):
    from registry_svc import paging

    request = ops.ListOperationsRequest(user=USER, page_token=paging.token("x", "y"))
    with pytest.raises(InvalidRequest):
        await registry.operations.ListOperations(request)


async def test_events_go_on_where_the_reader_was(registry):
    cluster_id = (await registry.create()).cluster.cluster_id
    for number in range(4):
        await registry.operations.AppendEvents(
            ops.AppendEventsRequest(
                cluster_id=cluster_id, events=[ops.Event(type=f"T{number}", number=99)]
            )
        )
    assert [e.number for e in await registry.events()] == [1, 2, 3, 4, 5]
    assert [e.type for e in await registry.events(after=2, size=2)] == ["T1", "T2"]
    assert await registry.events(after=5) == []
    assert [e.number for e in await registry.events(after=-3, size=1)] == [1]


async def test_the_story_goes_on_after_the_end(registry):
    cluster_id = (await registry.create()).cluster.cluster_id
    await registry.gone()
    request = ops.AppendEventsRequest(cluster_id=cluster_id, events=[ops.Event(type="Late")])
    await registry.operations.AppendEvents(request)
    assert [e.type for e in await registry.events()][-1] == "Late"


async def test_no_events_are_no_write(registry):
    cluster = (await registry.create()).cluster
    writes = registry.store.by_id(cluster.cluster_id).writes
    await registry.operations.AppendEvents(ops.AppendEventsRequest(cluster_id=cluster.cluster_id))
    assert registry.store.by_id(cluster.cluster_id).writes == writes


async def test_events_of_nothing(registry):
    with pytest.raises(NotFound):
        await registry.events("nothing")
    with pytest.raises(NotFound):
        await registry.operations.AppendEvents(ops.AppendEventsRequest(cluster_id="cnone"))
    with pytest.raises(NotFound) as caught:
        await registry.operation("op-none")
    assert caught.value.reason == "NO_SUCH_OPERATION"


async def test_what_runs_is_listed_over_all_users_for_internal_callers(registry):
    """Whoever ends what a dead process began finds it so, page after page."""
    running, over = ops.OPERATION_STATE_RUNNING, ops.OPERATION_STATE_SUCCEEDED
    for number, (user, state) in enumerate((("a", running), ("b", running), ("b", over))):
        change = ops.Operation(
            operation_id=f"op-{number}", type="set-whitelist", user=user, state=state
        )
        change.started_at_ms = number
        await registry.operations.RecordOperation(ops.RecordOperationRequest(operation=change))
    found, token = [], ""
    while True:
        request = ops.ListOperationsRequest(running="set-whitelist", page_size=1, page_token=token)
        answer = await registry.operations.ListOperations(request)
        found += [one.operation_id for one in answer.operations]
        token = answer.next_page_token
        if not token:
            break
    assert found == ["op-1", "op-0"]
    of_one = ops.ListOperationsRequest(user="a", running="set-whitelist")
    assert len((await registry.operations.ListOperations(of_one)).operations) == 1
    other = ops.ListOperationsRequest(running="create-cluster")
    assert len((await registry.operations.ListOperations(other)).operations) == 0
