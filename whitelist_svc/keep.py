"""The groups of clusters and of the install: make, close, drop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from typing import Any

from kite import refusals
from kite.errors import AlreadyExists, CloudRefused, InvalidRequest, KiteError
from whitelist_svc import groups
from whitelist_svc.apply import Hands
from whitelist_svc.change import Change, Key
from whitelist_svc.cluster import Cluster
from whitelist_svc.ec2 import Ec2, code_of
from whitelist_svc.follow import Follower
from whitelist_svc.groups import Group, Kind, Owner, Wanted
from whitelist_svc.records import Records, cluster_deleting

_TRUSTED = 1_000  # clusters that may get a base group from memory before it is looked at again


@dataclass(frozen=True, slots=True)
class Standing:
    """A group that exists. `made` by this call; `fresh` = EC2 may not know it everywhere yet."""

    kind: Kind
    name: str
    group_id: str
    made: bool = False
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Remaining:
    """A group that could not be deleted and the ids of what holds it."""

    kind: Kind
    group: Group
    blockers: tuple[str, ...]


class Bases:
    """Base groups seen by this process, so that a further cluster need not look for them.

    A base is given to a cluster from memory once: who asks again has met trouble with it, or may
    have, and so has it looked for.
    """

    def __init__(self) -> None:
        self._seen: dict[str, tuple[Standing, set[str]]] = {}

    def given(self, vpc_id: str, cluster_id: str) -> Standing | None:
        standing, given = self._seen.get(vpc_id, (None, set()))
        if cluster_id in given or len(given) >= _TRUSTED:
            return None
        given.add(cluster_id)
        return standing

    def learn(self, vpc_id: str, cluster_id: str, standing: Standing) -> None:
        known = Standing(standing.kind, standing.name, standing.group_id)
        self._seen[vpc_id] = (known, {cluster_id})

    def forget(self) -> None:
        self._seen.clear()


class Keeper:
    """Owns the groups of one install; `control` are the rules of its base group."""

    def __init__(
        self,
        ec2: Ec2,
        hands: Hands,
        follower: Follower,
        records: Records,
        *,
        install: str,
        control: dict[Key, str],
    ) -> None:
        self._ec2 = ec2
        self._hands = hands
        self._follower = follower
        self._records = records
        self._install = install
        self._control = control
        self._base_lock = asyncio.Lock()
        self._known = Bases()
        self._ensuring = 0

    # -- making ---------------------------------------------------------------------------

    async def ensure(
        self, cluster_id: str, *, vpc_id: str, peers: bool
    ) -> tuple[Cluster, tuple[Standing, ...]]:
        """Make the groups of a cluster exist, with the wished rules in force.

        Raises:
            NotFound: NO_SUCH_CLUSTER.
            Conflict: CLUSTER_DELETING.
            AlreadyExists: SECURITY_GROUP_NAME_TAKEN by somebody else's group.
            CloudRefused, CloudThrottled, Unavailable: EC2.
        """
        if not vpc_id:
            raise InvalidRequest("vpc-id is missing", reason="FIELD_MISSING", field="/vpc-id")
        self._ensuring += 1
        try:
            cluster = await self._records.by_id(cluster_id)
            if not cluster.wanted:
                raise cluster_deleting()
            jobs = [self._base(vpc_id, cluster_id), self._whitelist(cluster, vpc_id)]
            if peers:
                jobs.append(self._peers(cluster, vpc_id))
            return cluster, tuple(await _together(jobs))
        finally:
            self._ensuring -= 1

    async def _base(self, vpc_id: str, cluster_id: str) -> Standing:
        known = self._known.given(vpc_id, cluster_id)
        if known is not None:
            return known
        wanted = groups.base(self._install)
        found = await self._ours(wanted, vpc_id)
        if found is not None and not self.base_plan(found):
            standing = Standing(wanted.kind, wanted.name, found.group_id)
        else:
            async with self._base_lock:
                standing = await self._standing(wanted, vpc_id)
                await self.mend_base(standing)
        self._known.learn(vpc_id, cluster_id, standing)
        return standing

    def base_plan(self, base: Group) -> Change:
        """What is wrong with a base group as seen."""
        return self._hands.plan(self._control, base.rules, keep_strange=False)

    async def mend_base(self, base: Standing) -> bool:
        """Put the base group's rules right; whether anything had to be done."""
        have = () if base.made else await self._ec2.held(base.group_id)
        applied = await self._hands.bring(base.group_id, self._control, have, fresh=base.fresh)
        return applied.changed

    async def _whitelist(self, cluster: Cluster, vpc_id: str) -> Standing:
        wanted = groups.whitelist(
            self._install,
            cluster.cluster_id,
            user=cluster.user,
            milvus_name=cluster.milvus_name,
        )
        async with self._follower.locks.of(cluster.cluster_id):
            standing = await self._standing(wanted, vpc_id, likely=bool(cluster.group_id))
            await self._follower.follow_locked(
                cluster, standing.group_id, made=standing.made, fresh=standing.fresh
            )
            return standing

    async def _peers(self, cluster: Cluster, vpc_id: str) -> Standing:
        wanted = groups.peers(
            self._install,
            cluster.cluster_id,
            user=cluster.user,
            milvus_name=cluster.milvus_name,
        )
        standing = await self._standing(wanted, vpc_id, likely=bool(cluster.group_id))
        if standing.made or not await self._ec2.held(standing.group_id):
            await self.mend_peers(standing.group_id)
        return standing

    async def mend_peers(self, group_id: str) -> None:
        """Let the members of a peers group reach each other."""
        try:
            await self._hands.patiently(lambda: self._ec2.grant_peers(group_id))
        except KiteError as refused:
            if not refusals.duplicate(code_of(refused)):
                raise

    async def _standing(self, wanted: Wanted, vpc_id: str, *, likely: bool = True) -> Standing:
        """The group, made when it is missing; `likely` = look before making."""
        found = await self._ours(wanted, vpc_id) if likely else None
        if found is not None:
            return Standing(wanted.kind, wanted.name, found.group_id)
        try:
            made = await self._ec2.create(wanted, vpc_id)
        except KiteError as refused:
            if not refusals.duplicate(code_of(refused)):
                raise
            # Made by an earlier call whose reply was lost, or somebody else's.
            adopted = await self._hands.patiently(lambda: self._visible(wanted, vpc_id))
            return Standing(wanted.kind, wanted.name, adopted.group_id, fresh=True)
        return Standing(wanted.kind, wanted.name, made, made=True, fresh=True)

    async def _visible(self, wanted: Wanted, vpc_id: str) -> Group:
        found = await self._ours(wanted, vpc_id)
        if found is None:
            code = "InvalidGroup.NotFound"
            text = f"EC2 says that a group named {wanted.name} exists but does not show it"
            raise CloudRefused(text, context={"aws-code": code})
        return found

    async def _ours(self, wanted: Wanted, vpc_id: str) -> Group | None:
        for group in await self._ec2.named([wanted.name], vpc_id=vpc_id):
            if group.owner != wanted.owner:
                raise AlreadyExists(
                    f"security group {group.group_id} has the name {wanted.name} but not our "
                    "tags; rename or delete it",
                    reason="SECURITY_GROUP_NAME_TAKEN",
                    context={"group-id": group.group_id},
                )
            return group
        return None

    # -- closing and dropping -------------------------------------------------------------

    async def close(self, cluster_id: str) -> int:
        """Revoke every rule of a cluster's whitelist group; how many."""
        async with self._follower.locks.of(cluster_id):
            revoked = 0
            for group in await self._of_cluster(cluster_id):
                if group.name == groups.whitelist_name(cluster_id):
                    have = await self._ec2.held(group.group_id)
                    revoked += len((await self._hands.bring(group.group_id, {}, have)).revoked)
            return revoked

    async def drop(self, cluster_id: str, *, last_cluster: bool) -> tuple[Remaining, ...]:
        """Delete a cluster's groups; answers with what still stands and what holds it."""
        async with self._follower.locks.of(cluster_id):
            mine = await self._of_cluster(cluster_id)
            results = await _together(self._drop_one(group) for group in mine)
        remaining = tuple(one for one in results if one is not None)
        if last_cluster and not remaining:
            await self.drop_base()
        return remaining

    async def drop_base(self) -> bool:
        """Delete the base groups when no cluster of this install has groups any more."""
        if self._ensuring:
            return False
        self._known.forget()
        standing = await self._ec2.of_install(self._install)
        if any(group.owner.cluster_id for group in standing):
            return False
        bases = [group for group in standing if group.name == groups.base(self._install).name]
        left = await _together(self._drop_one(group) for group in bases)
        return bool(bases) and not any(left)

    async def _drop_one(self, group: Group) -> Remaining | None:
        try:
            await self._ec2.delete(group.group_id)
        except KiteError as refused:
            if refusals.gone(code_of(refused)):
                return None
            if not refusals.in_use(code_of(refused)):
                raise
            return Remaining(_kind(group), group, await self._ec2.blockers(group.group_id))
        return None

    async def _of_cluster(self, cluster_id: str) -> tuple[Group, ...]:
        owner = Owner(self._install, cluster_id)
        names = [groups.whitelist_name(cluster_id), groups.peers_name(cluster_id)]
        found = await self._ec2.named(names)
        return tuple(group for group in found if group.owner == owner)


def _kind(group: Group) -> Kind:
    if not group.owner.cluster_id:
        return Kind.BASE
    return Kind.PEERS if group.name == groups.peers_name(group.owner.cluster_id) else Kind.WHITELIST


async def _together(jobs: Iterable[Awaitable[Any]]) -> list[Any]:
    """All at once; when one fails the others are let end first."""
    results = await asyncio.gather(*jobs, return_exceptions=True)
    for one in results:
        if isinstance(one, BaseException):
            raise one
    return results
