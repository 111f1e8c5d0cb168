"""Answers that are held: until an operation ended, an address is known, a cluster rests."""

import asyncio
from collections.abc import Callable

from bff.backends import Backends
from kite.errors import CloudRefused, Conflict, KiteError, NoCapacity, NotFound, Unavailable
from kite.telemetry import logs
from kite.v1 import cluster_pb2, operation_pb2, registry_pb2

_log = logs.get(__name__)
_ENDED = frozenset(
    {
        operation_pb2.OPERATION_STATE_SUCCEEDED,
        operation_pb2.OPERATION_STATE_FAILED,
        operation_pb2.OPERATION_STATE_CANCELLED,
    }
)
_MAY_GET_ADDRESS = frozenset(
    {cluster_pb2.CLUSTER_STATE_UNSPECIFIED, cluster_pb2.CLUSTER_STATE_STARTING}
)
_RESTING = frozenset(
    {
        cluster_pb2.CLUSTER_STATE_RUNNING,
        cluster_pb2.CLUSTER_STATE_FAILED,
        cluster_pb2.CLUSTER_STATE_DEGRADED,
        cluster_pb2.CLUSTER_STATE_SUSPENDED,
    }
)
_AGAIN_SECONDS = 0.5
_LOOK_SECONDS = 5.0  # news wakes earlier; this is for news that was lost


def ended(operation: operation_pb2.Operation) -> bool:
    return operation.state in _ENDED


def succeeded(operation: operation_pb2.Operation) -> bool:
    return operation.state == operation_pb2.OPERATION_STATE_SUCCEEDED


async def until_ended(
    backends: Backends, operation: operation_pb2.Operation, seconds: float
) -> operation_pb2.Operation:
    """The operation when it ended, or as it is after `seconds`; a registry away is waited for."""
    if ended(operation) or not seconds:
        return operation
    latest = operation
    try:
        async with asyncio.timeout(seconds):
            while not ended(latest):
                latest = await _watched(backends, latest)
    except TimeoutError:
        pass
    return latest


async def _watched(
    backends: Backends, operation: operation_pb2.Operation
) -> operation_pb2.Operation:
    asked = operation_pb2.WatchOperationRequest(
        user=operation.user, operation_id=operation.operation_id
    )
    latest = operation
    try:
        async for answer in backends.operations.WatchOperation(asked):
            latest = answer.operation
            if ended(latest):
                return latest
    except Unavailable as away:
        _log.warning("watching an operation broke off", why=str(away))
        await asyncio.sleep(away.retry_after)
    await asyncio.sleep(_AGAIN_SECONDS)
    return latest


async def with_address(
    backends: Backends, cluster: cluster_pb2.Cluster, seconds: float, *, stale: bool
) -> cluster_pb2.Cluster:
    """The cluster once its elastic address is known, or as it is after `seconds`.

    `stale` = time has passed since `cluster` was read, so it is read again in any case.
    """
    latest = await _present(backends, cluster) if stale else cluster
    return await _until(backends, latest, seconds, lambda one: not _awaits_address(one))


def at_rest(cluster: cluster_pb2.Cluster) -> bool:
    """Whether nothing is on its way: the latest wish was looked at, and no state of passage."""
    seen = cluster.status.observed_generation >= cluster.generation
    return seen and cluster.status.state in _RESTING


async def until_at_rest(
    backends: Backends, cluster: cluster_pb2.Cluster, seconds: float
) -> cluster_pb2.Cluster:
    """The cluster when it rests, or as it is after `seconds`.

    Raises:
        NotFound: it was deleted meanwhile.
    """
    latest = await _until(backends, cluster, seconds, at_rest)
    if latest.deleted_at_ms:
        raise NotFound(f"there is no cluster {cluster.milvus_name}")
    return latest


async def _until(
    backends: Backends,
    cluster: cluster_pb2.Cluster,
    seconds: float,
    good: Callable[[cluster_pb2.Cluster], bool],
) -> cluster_pb2.Cluster:
    """The cluster as soon as it is good, gone or replaced, or as it is after `seconds`."""
    if good(cluster) or not seconds:
        return cluster
    latest = cluster
    with backends.news.listen(cluster.user, cluster.milvus_name) as listener:
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            latest = await _present(backends, latest)
            left = deadline - asyncio.get_running_loop().time()
            if good(latest) or latest.deleted_at_ms or left <= 0:
                return latest
            await listener.news(min(left, _LOOK_SECONDS))


async def _present(backends: Backends, cluster: cluster_pb2.Cluster) -> cluster_pb2.Cluster:
    """The cluster as it is now, as a tombstone when it is gone; as it was when nobody tells.

    What the caller asked for is done and must be answered, whatever happens to this look.
    """
    asked = registry_pb2.GetClusterRequest(cluster_id=cluster.cluster_id, include_deleted=True)
    try:
        return (await backends.registry.GetCluster(asked)).cluster
    except KiteError as failed:
        _log.warning("a cluster could not be read again", why=str(failed))
        return cluster


def _awaits_address(cluster: cluster_pb2.Cluster) -> bool:
    return (
        not cluster.status.milvus_url
        and cluster.spec.wanted
        and cluster.spec.address_mode
        in {cluster_pb2.ADDRESS_MODE_UNSPECIFIED, cluster_pb2.ADDRESS_MODE_ELASTIC}
        and cluster.status.state in _MAY_GET_ADDRESS
    )


def check(operation: operation_pb2.Operation) -> None:
    """Raise what a held operation failed of; one that runs on or succeeded passes.

    Raises:
        NoCapacity, CloudRefused: the operation's own reason.
        Conflict: OPERATION_CANCELLED, for example a create overtaken by a delete.
    """
    context = {"operation-id": operation.operation_id}
    if operation.state == operation_pb2.OPERATION_STATE_CANCELLED:
        raise Conflict(
            operation.description or "the operation was cancelled by a later one",
            reason="OPERATION_CANCELLED",
            context=context,
        )
    if operation.state == operation_pb2.OPERATION_STATE_FAILED:
        kind = NoCapacity if operation.reason == NoCapacity.default_reason else CloudRefused
        raise kind(
            operation.description or "the operation failed",
            reason=operation.reason or "OPERATION_FAILED",
            context=context,
        )
