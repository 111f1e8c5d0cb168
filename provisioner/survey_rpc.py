"""SurveyService on the wire: what EC2 alone tells of this install's clusters."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from kite.v1 import adoption_pb2, adoption_pb2_grpc, cluster_pb2
from provisioner import packing, status
from provisioner.adoption import Adopted, survey
from provisioner.facts import Site
from provisioner.sweep.cloud import SweepCloud

SERVICE = "kite.v1.SurveyService"


class SurveyRpc(adoption_pb2_grpc.SurveyServiceServicer):
    """Reads; changes nothing."""

    def __init__(
        self, cloud: SweepCloud, site: Callable[[], Awaitable[Site]], install: str
    ) -> None:
        self._cloud = cloud
        self._site = site
        self._install = install

    async def Survey(
        self, request: adoption_pb2.SurveyRequest, context: Any
    ) -> AsyncIterator[adoption_pb2.SurveyResponse]:
        raw = await self._cloud.raw()
        found = survey(raw.instances, raw.volumes, raw.addresses, install=self._install)
        for one in found.clusters:
            made = _cluster(one, await self._site(), raw.now_ms)
            yield adoption_pb2.SurveyResponse(cluster=made)
        for note in found.notes:
            yield adoption_pb2.SurveyResponse(note=note)


def _cluster(one: Adopted, site: Site, now_ms: int) -> cluster_pb2.Cluster:
    record = status.told(one.record, site, now_ms)
    return cluster_pb2.Cluster(
        cluster_id=record.cluster_id,
        user=record.user,
        milvus_name=record.milvus_name,
        spec=packing.pack_spec(record.spec),
        status=packing.pack_status(record, now_ms),
        created_at_ms=one.born_ms,
    )
