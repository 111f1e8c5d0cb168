"""SurveyService on the wire: groups and whitelists, as EC2 alone tells of them."""

from collections.abc import AsyncIterator
from typing import Any

from kite.v1 import adoption_pb2, adoption_pb2_grpc, cluster_pb2
from whitelist_svc import groups, packing
from whitelist_svc.ec2 import Ec2
from whitelist_svc.survey import Seen, survey

SERVICE = "kite.v1.SurveyService"


class SurveyRpc(adoption_pb2_grpc.SurveyServiceServicer):
    """Reads; changes nothing."""

    def __init__(self, ec2: Ec2, *, install: str, web_gui: int) -> None:
        self._ec2 = ec2
        self._install = install
        self._web_gui = web_gui

    async def Survey(
        self, request: adoption_pb2.SurveyRequest, context: Any
    ) -> AsyncIterator[adoption_pb2.SurveyResponse]:
        standing = await self._ec2.of_install(self._install)
        for one in survey(standing, install=self._install, web_gui=self._web_gui):
            yield adoption_pb2.SurveyResponse(cluster=_cluster(one))
            for text in one.strange:
                note = f"{one.cluster_id}: the rule {text} was made by hand and is not taken over"
                yield adoption_pb2.SurveyResponse(note=note)


def _cluster(one: Seen) -> cluster_pb2.Cluster:
    names = [group.tags.get("milvus-name", "") for _, group in one.groups]
    milvus_name = next(filter(None, names), "")
    return cluster_pb2.Cluster(
        cluster_id=one.cluster_id,
        milvus_name=milvus_name,
        status=cluster_pb2.ClusterStatus(
            security_groups=[
                cluster_pb2.SecurityGroup(
                    logical_name=groups.logical_name(kind, milvus_name),
                    group_name=group.name,
                    group_id=group.group_id,
                    kind=kind,
                )
                for kind, group in one.groups
            ]
        ),
        whitelist=cluster_pb2.Whitelist(rules=map(packing.rule, one.entries)),
    )
