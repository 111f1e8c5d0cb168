"""RegistryService: unpack, call, pack."""

import hashlib
from collections.abc import AsyncIterator
from typing import Any

from kite import names
from kite.errors import InvalidRequest
from kite.v1 import registry_pb2 as pb
from kite.v1 import registry_pb2_grpc
from kite.v1.cluster_pb2 import ADDRESS_MODE_ELASTIC, Cluster
from registry_svc import packing, paging, plans
from registry_svc import spelling as sp
from registry_svc.admission import AddressMode, Wish
from registry_svc.broadcast import Broadcast
from registry_svc.record import Record
from registry_svc.store import Store
from registry_svc.threads import Threads
from registry_svc.wishes import Wishes, no_such_cluster

_STEP = 100


class ClustersRpc(registry_pb2_grpc.RegistryServiceServicer):
    """The users' side; callers vouch for the user they name."""

    def __init__(
        self,
        store: Store,
        wishes: Wishes,
        catalogue: plans.Catalogue,
        threads: Threads,
        broadcast: Broadcast,
    ) -> None:
        self._store = store
        self._wishes = wishes
        self._catalogue = catalogue
        self._threads = threads
        self._broadcast = broadcast

    async def CreateCluster(
        self, request: pb.CreateClusterRequest, context: Any
    ) -> pb.CreateClusterResponse:
        answer = await self._threads.run(self._wishes.create, wish_of(request))
        record = answer.record
        return pb.CreateClusterResponse(
            cluster=record.cluster, operation=record.operation, created=answer.created
        )

    async def GetCluster(
        self, request: pb.GetClusterRequest, context: Any
    ) -> pb.GetClusterResponse:
        record = await self._threads.run(self._get, request)
        return pb.GetClusterResponse(cluster=record.cluster)

    def _get(self, request: pb.GetClusterRequest) -> Record:
        if request.cluster_id:
            found = self._store.by_id(request.cluster_id)
        elif request.user and request.milvus_name:
            found = self._store.live(request.user, request.milvus_name)
            if found is None and request.include_deleted:
                found = self._store.last_deleted(request.user, request.milvus_name)
        else:
            raise InvalidRequest("name either cluster_id, or user and milvus_name")
        if found is None or not (found.live or request.include_deleted):
            raise no_such_cluster(request.milvus_name or request.cluster_id)
        return found

    async def ListClusters(
        self, request: pb.ListClustersRequest, context: Any
    ) -> pb.ListClustersResponse:
        size = paging.size(request.page_size)
        after = paging.read(request.page_token, parts=1)[0] if request.page_token else ""
        found, key = await self._threads.run(self._page, request.user, after, size)
        token = paging.token(key) if key else ""
        return pb.ListClustersResponse(clusters=found, next_page_token=token)

    def _page(self, user: str, after: str, size: int) -> tuple[list[Cluster], str]:
        """Read in steps: of large records little is read that the page has no room for."""
        found: list[Cluster] = []
        key = after
        while True:
            step = min(_STEP, size - len(found))
            more, key = self._store.page(user, after=key, size=step)
            found += more
            fitting = paging.fitting((cluster.ByteSize() for cluster in found), most=size)
            if fitting < len(found):
                last = found[fitting - 1]
                return found[:fitting], packing.live_key(last.user, last.milvus_name)
            if not key or len(found) == size:
                return found, key

    async def DeleteCluster(
        self, request: pb.DeleteClusterRequest, context: Any
    ) -> pb.DeleteClusterResponse:
        record = await self._threads.run(
            self._wishes.delete,
            names.user_name(request.user),
            request.milvus_name,
            request_id=request.request_id,
            expected_rev=request.expected_rev,
            cluster_id=request.cluster_id,
        )
        return pb.DeleteClusterResponse(cluster=record.cluster, operation=record.operation)

    async def SetWhitelist(
        self, request: pb.SetWhitelistRequest, context: Any
    ) -> pb.SetWhitelistResponse:
        record = await self._threads.run(
            self._wishes.set_whitelist,
            names.user_name(request.user),
            request.milvus_name,
            list(request.rules),
            expected=request.expected_revision,
            origin=request.origin,
            cluster_id=request.cluster_id,
        )
        return pb.SetWhitelistResponse(cluster=record.cluster)

    async def ListPlans(self, request: pb.ListPlansRequest, context: Any) -> pb.ListPlansResponse:
        if request.milvus_type:
            found = [plans.find(self._catalogue, request.milvus_type)]
        else:
            found = [*self._catalogue.plans.values()]
        return pb.ListPlansResponse(plans=map(_plan, found))

    async def WatchClusters(
        self, request: pb.WatchClustersRequest, context: Any
    ) -> AsyncIterator[pb.WatchClustersResponse]:
        def wants(record: Record) -> bool:
            return not request.user or record.cluster.user == request.user

        with self._broadcast.subscribe(wants) as watcher:
            sent: dict[str, int] = {}
            for record in await self._threads.run(self._store.live_records, request.user):
                sent[record.cluster.cluster_id] = record.writes
                yield pb.WatchClustersResponse(cluster=record.cluster)
            yield pb.WatchClustersResponse(caught_up=True)
            async for record in watcher.changes():
                if record.writes > sent.pop(record.cluster.cluster_id, 0):
                    yield pb.WatchClustersResponse(cluster=record.cluster)


def wish_of(request: pb.CreateClusterRequest) -> Wish:
    """The wish in a request.

    Raises:
        InvalidRequest: a name or the address mode cannot be used.
    """
    mode = packing.word(
        sp.ADDRESS_MODES, request.address_mode or ADDRESS_MODE_ELASTIC, "address_mode"
    )
    return Wish(
        user=names.user_name(request.user),
        milvus_name=names.cluster_name(request.milvus_name),
        milvus_type=request.milvus_type,
        disk_gib=request.disk_gib,
        address_mode=AddressMode(mode),
        body_hash=request.body_hash or _own_hash(request),
        idempotency_key=request.idempotency_key,
        request_id=request.request_id,
        rules=tuple(map(packing.rule_wish, request.rules)),
        call_id=request.call_id,
    )


def _own_hash(request: pb.CreateClusterRequest) -> str:
    """For callers that send none: a hash of what they ask for."""
    body = pb.CreateClusterRequest(
        milvus_name=request.milvus_name,
        milvus_type=request.milvus_type,
        disk_gib=request.disk_gib,
        address_mode=request.address_mode or ADDRESS_MODE_ELASTIC,
        rules=request.rules,
    )
    return hashlib.sha256(body.SerializeToString(deterministic=True)).hexdigest()


def _plan(plan: plans.Plan) -> pb.Plan:
    return pb.Plan(
        name=plan.name,
        master_instance_type=plan.master,
        worker_instance_type=plan.worker,
        workers=plan.workers,
        min_disk_gib=plan.min_disk_gib,
        max_disk_gib=plan.max_disk_gib,
        description=plan.description,
    )
