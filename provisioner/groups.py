"""Security groups, as the whitelist service keeps them for us."""

import grpc

from kite.v1 import whitelist_pb2
from kite.v1.whitelist_pb2_grpc import WhitelistServiceStub
from provisioner import packing
from provisioner.facts import Dropped, Grouped
from provisioner.record import Record


class Groups:
    """Every call may be repeated and raises KiteError."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._whitelist = WhitelistServiceStub(channel)

    async def ensure(self, record: Record, vpc_id: str, *, peers: bool) -> Grouped:
        answer = await self._whitelist.EnsureGroups(
            whitelist_pb2.EnsureGroupsRequest(
                cluster_id=record.cluster_id,
                user=record.user,
                milvus_name=record.milvus_name,
                vpc_id=vpc_id,
                peers=peers,
            )
        )
        return Grouped(packing.unpack_groups(answer.groups))

    async def close(self, cluster_id: str) -> None:
        await self._whitelist.CloseGroups(whitelist_pb2.CloseGroupsRequest(cluster_id=cluster_id))

    async def drop(self, cluster_id: str, *, last_cluster: bool) -> Dropped:
        answer = await self._whitelist.DropGroups(
            whitelist_pb2.DropGroupsRequest(cluster_id=cluster_id, last_cluster=last_cluster)
        )
        return Dropped(tuple(group.group_id for group in answer.remaining), answer.why)
