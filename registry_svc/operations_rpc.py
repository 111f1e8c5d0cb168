"""OperationService: unpack, call, pack."""

from collections.abc import AsyncIterator
from typing import Any

from kite.clock import Clock
from kite.errors import InvalidRequest, NotFound
from kite.v1 import operation_pb2 as pb
from kite.v1 import operation_pb2_grpc
from registry_svc import paging, stories
from registry_svc.broadcast import Broadcast
from registry_svc.engine import sent
from registry_svc.record import Record
from registry_svc.store import Store
from registry_svc.threads import Threads
from registry_svc.wishes import Wishes, no_such_cluster


class OperationsRpc(operation_pb2_grpc.OperationServiceServicer):
    """Requests that take time, and the story of a cluster."""

    def __init__(
        self, store: Store, wishes: Wishes, threads: Threads, broadcast: Broadcast, clock: Clock
    ) -> None:
        self._store = store
        self._wishes = wishes
        self._threads = threads
        self._broadcast = broadcast
        self._clock = clock

    async def GetOperation(
        self, request: pb.GetOperationRequest, context: Any
    ) -> pb.GetOperationResponse:
        found = await self._threads.run(self._operation, request.user, request.operation_id)
        return pb.GetOperationResponse(operation=found)

    def _operation(self, user: str, operation_id: str) -> pb.Operation:
        """Another user's operation is as good as none; an empty user is an internal caller."""
        found = self._store.operation(operation_id)
        if found is None or (user and found.user != user):
            raise NotFound(f"there is no operation {operation_id[:64]}", reason="NO_SUCH_OPERATION")
        return found

    async def WatchOperation(
        self, request: pb.WatchOperationRequest, context: Any
    ) -> AsyncIterator[pb.WatchOperationResponse]:
        def wants(record: Record) -> bool:
            return any(o.operation_id == request.operation_id for o in record.operations)

        with self._broadcast.subscribe(wants) as watcher:
            last = pb.Operation()
            while last.state not in stories.ENDED:
                found = await self._threads.run(self._operation, request.user, request.operation_id)
                if found != last:
                    yield pb.WatchOperationResponse(operation=found)
                    last = found
                if found.state not in stories.ENDED:
                    await watcher.next(seconds=self._broadcast.rescan_seconds)

    async def ListOperations(
        self, request: pb.ListOperationsRequest, context: Any
    ) -> pb.ListOperationsResponse:
        size = paging.size(request.page_size)
        before = _before(request.page_token) if request.page_token else None
        if not (request.user or request.running):
            raise InvalidRequest("user must be named", field="/user")
        found = await self._threads.run(
            self._store.operations,
            request.user,
            request.milvus_name,
            running=request.running,
            before=before,
            size=size + 1,
        )
        fitting = paging.fitting((o.ByteSize() for o in found), most=size)
        token = ""
        if len(found) > fitting:
            last = found[fitting - 1]
            token = paging.token(str(last.started_at_ms), last.operation_id)
        return pb.ListOperationsResponse(operations=found[:fitting], next_page_token=token)

    async def RecordOperation(
        self, request: pb.RecordOperationRequest, context: Any
    ) -> pb.RecordOperationResponse:
        operation = request.operation
        missing = [n for n in ("operation_id", "type", "user") if not getattr(operation, n)]
        over = operation.state in stories.ENDED
        if missing or not (over or operation.state == pb.OPERATION_STATE_RUNNING):
            raise InvalidRequest(
                "an operation to record needs operation_id, type and user, and runs or is over",
                field=f"/operation/{missing[0] if missing else 'state'}",
            )
        with sent("/operation"):
            stored = await self._threads.run(self._store.record_operation, operation, over=over)
        return pb.RecordOperationResponse(operation=stored)

    async def ListEvents(
        self, request: pb.ListEventsRequest, context: Any
    ) -> pb.ListEventsResponse:
        size = paging.size(request.page_size)
        found = await self._threads.run(self._events, request, size)
        fitting = paging.fitting((e.ByteSize() for e in found), most=size)
        return pb.ListEventsResponse(events=found[:fitting])

    def _events(self, request: pb.ListEventsRequest, size: int) -> list[pb.Event]:
        record = self._store.live(request.user, request.milvus_name)
        record = record or self._store.last_deleted(request.user, request.milvus_name)
        if record is None:
            raise no_such_cluster(request.milvus_name)
        after = max(request.after_number, 0)
        return self._store.events(record.cluster.cluster_id, after=after, size=size)

    async def AppendEvents(
        self, request: pb.AppendEventsRequest, context: Any
    ) -> pb.AppendEventsResponse:
        with sent():
            await self._threads.run(
                self._wishes.append_events, request.cluster_id, list(request.events)
            )
        return pb.AppendEventsResponse()


def _before(token: str) -> tuple[int, str]:
    started, operation_id = paging.read(token, parts=2)
    return paging.number(started), operation_id
