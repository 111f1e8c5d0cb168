"""WhitelistService on the wire: unpack, call, pack."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from kite.errors import KiteError
from kite.rpc import caller
from kite.telemetry import logs
from kite.v1 import cluster_pb2, whitelist_pb2, whitelist_pb2_grpc
from whitelist_svc import groups, packing, report
from whitelist_svc.groups import Kind
from whitelist_svc.keep import Keeper
from whitelist_svc.service import Ask, Whitelists

_log = logs.get(__name__)
T = TypeVar("T")


class WhitelistRpc(whitelist_pb2_grpc.WhitelistServiceServicer):
    """Changes run to their end even when the caller goes away in the middle."""

    def __init__(self, whitelists: Whitelists, keeper: Keeper) -> None:
        self._whitelists = whitelists
        self._keeper = keeper
        self._running: set[asyncio.Task[Any]] = set()

    async def CheckRules(
        self,
        request: whitelist_pb2.CheckRulesRequest,
        context: Any,
    ) -> whitelist_pb2.CheckRulesResponse:
        accepted = self._whitelists.check(
            [packing.wished(one) for one in request.ranges], allow_public=request.allow_public
        )
        return whitelist_pb2.CheckRulesResponse(
            rules=map(packing.rule, accepted.entries),
            notices=[report.PUBLIC] if accepted.public else [],
        )

    async def SetRules(
        self,
        request: whitelist_pb2.SetRulesRequest,
        context: Any,
    ) -> whitelist_pb2.SetRulesResponse:
        ask = Ask(
            user=request.user,
            milvus_name=request.milvus_name,
            wished=[packing.wished(one) for one in request.ranges],
            expected_revision=request.expected_revision,
            allow_public=request.allow_public,
            request_id=request.request_id or caller.request_id.get(),
        )
        answer = await self._to_the_end(self._whitelists.set(ask))
        return whitelist_pb2.SetRulesResponse(
            rules=map(packing.line, answer.lines),
            revision=answer.revision,
            operation=answer.operation,
            granted=answer.granted,
            revoked=answer.revoked,
            notices=answer.notices,
        )

    async def GetRules(
        self,
        request: whitelist_pb2.GetRulesRequest,
        context: Any,
    ) -> whitelist_pb2.GetRulesResponse:
        lines, revision = await self._whitelists.get(request.user, request.milvus_name)
        return whitelist_pb2.GetRulesResponse(rules=map(packing.line, lines), revision=revision)

    async def EnsureGroups(
        self,
        request: whitelist_pb2.EnsureGroupsRequest,
        context: Any,
    ) -> whitelist_pb2.EnsureGroupsResponse:
        cluster, standing = await self._to_the_end(
            self._keeper.ensure(request.cluster_id, vpc_id=request.vpc_id, peers=request.peers)
        )
        return whitelist_pb2.EnsureGroupsResponse(
            groups=[
                _group(one.kind, cluster.milvus_name, one.name, one.group_id) for one in standing
            ]
        )

    async def CloseGroups(
        self,
        request: whitelist_pb2.CloseGroupsRequest,
        context: Any,
    ) -> whitelist_pb2.CloseGroupsResponse:
        revoked = await self._to_the_end(self._keeper.close(request.cluster_id))
        return whitelist_pb2.CloseGroupsResponse(revoked=revoked)

    async def DropGroups(
        self,
        request: whitelist_pb2.DropGroupsRequest,
        context: Any,
    ) -> whitelist_pb2.DropGroupsResponse:
        remaining = await self._to_the_end(
            self._keeper.drop(request.cluster_id, last_cluster=request.last_cluster)
        )
        held = (f"{one.group.group_id} is held by {_words(one.blockers)}" for one in remaining)
        return whitelist_pb2.DropGroupsResponse(
            remaining=[
                _group(
                    one.kind,
                    one.group.tags.get("milvus-name", ""),
                    one.group.name,
                    one.group.group_id,
                )
                for one in remaining
            ],
            why="; ".join(held),
        )

    async def _to_the_end(self, work: Coroutine[Any, Any, T]) -> T:
        task = asyncio.create_task(work, context=caller.without_deadline())
        self._running.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and isinstance(failed := task.exception(), KiteError):
            # Its caller may be gone, so this line may be all that tells of it.
            _log.warning("a change failed", reason=failed.reason, description=failed.description)

    async def settle(self) -> None:
        """Wait for changes whose callers have gone."""
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._whitelists.settle()


def _words(blockers: tuple[str, ...]) -> str:
    return ", ".join(blockers) or "something EC2 does not show"


def _group(kind: Kind, milvus_name: str, name: str, group_id: str) -> cluster_pb2.SecurityGroup:
    return cluster_pb2.SecurityGroup(
        logical_name=groups.logical_name(kind, milvus_name),
        group_name=name,
        group_id=group_id,
        kind=kind,
    )
