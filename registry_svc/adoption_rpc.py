"""AdoptionService: unpack, call, pack."""

from typing import Any

from kite.v1 import adoption_pb2 as pb
from kite.v1 import adoption_pb2_grpc
from registry_svc.adoption import Adoption
from registry_svc.threads import Threads


class AdoptionRpc(adoption_pb2_grpc.AdoptionServiceServicer):
    """The operators' side."""

    def __init__(self, adoption: Adoption, threads: Threads) -> None:
        self._adoption = adoption
        self._threads = threads

    async def AdoptClusters(
        self, request: pb.AdoptClustersRequest, context: Any
    ) -> pb.AdoptClustersResponse:
        verdicts, acted = await self._threads.run(
            self._adoption.adopt,
            list(request.clusters),
            act=request.act,
            request_id=request.request_id,
        )
        return pb.AdoptClustersResponse(
            clusters=[
                pb.AdoptedCluster(cluster_id=one.cluster_id, outcome=one.outcome, why=one.why)
                for one in verdicts
            ],
            acted=acted,
        )
