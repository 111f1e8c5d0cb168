"""Plays the provisioner without machines: what is wanted runs at once, what is not is gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from kite.errors import KiteError
from kite.rpc.client import connect
from kite.v1 import cluster_pb2, controller_pb2, controller_pb2_grpc, operation_pb2

HOLDER = "no-machines"


@asynccontextmanager
async def no_machines(registry: str, *, seconds: float = 0.02) -> AsyncIterator[None]:
    """Claim and commit until the block ends; `seconds` between two looks."""
    channel = connect(registry, name="registry")
    loop = asyncio.create_task(_loop(controller_pb2_grpc.ControllerServiceStub(channel), seconds))
    try:
        yield
    finally:
        loop.cancel()
        with suppress(asyncio.CancelledError):
            await loop
        await channel.close()


async def _loop(controller, seconds: float) -> None:
    ask = controller_pb2.ClaimRequest(holder=HOLDER, most=50, lease_seconds=30)
    while True:
        for claimed in (await controller.Claim(ask)).claimed:
            with suppress(KiteError):
                await controller.Commit(_commit(claimed))
        await asyncio.sleep(seconds)


def _commit(claimed: controller_pb2.Claimed) -> controller_pb2.CommitRequest:
    cluster, operation = claimed.cluster, claimed.operation
    operation.state = operation_pb2.OPERATION_STATE_SUCCEEDED
    return controller_pb2.CommitRequest(
        holder=HOLDER,
        cluster_id=cluster.cluster_id,
        fence=claimed.fence,
        status=_status(cluster) if cluster.spec.wanted else cluster.status,
        operation=operation,
        events=[operation_pb2.Event(type="NodeRunning", description="it runs")],
        due_in_ms=1 << 60,
        release=True,
        gone=not cluster.spec.wanted,
    )


def _status(cluster: cluster_pb2.Cluster) -> cluster_pb2.ClusterStatus:
    node = cluster_pb2.Node(
        slot=0,
        role=cluster_pb2.ROLE_MASTER,
        state=cluster_pb2.NODE_STATE_RUNNING,
        instance_id="i-0123456789abcdef0",
        private_ip="10.88.0.10",
        public_ip="198.18.88.7",
        attempt=1,
    )
    return cluster_pb2.ClusterStatus(
        state=cluster_pb2.CLUSTER_STATE_RUNNING,
        observed_generation=cluster.generation,
        observed_at_ms=1_800_000_000_000,
        milvus_url="ec2-198-18-88-7.compute-1.amazonaws.com",
        milvus_port="19530",
        nodes=[node],
    )
