"""Make a cluster's group follow the wish in the registry, whoever changes it meanwhile."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from weakref import WeakValueDictionary

from kite.clock import Clock
from whitelist_svc import groups
from whitelist_svc.apply import Hands
from whitelist_svc.change import Applied, Held
from whitelist_svc.cluster import Cluster
from whitelist_svc.ec2 import Ec2
from whitelist_svc.groups import Owner
from whitelist_svc.records import Records

_ROUNDS = 4


class Locks:
    """One lock per cluster while somebody uses it."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def of(self, cluster_id: str) -> asyncio.Lock:
        lock = self._locks.get(cluster_id)
        if lock is None:
            lock = self._locks[cluster_id] = asyncio.Lock()
        return lock


@dataclass(frozen=True, slots=True)
class InForce:
    """The wish that was followed and what came of it; no group yet = empty `group_id`."""

    cluster: Cluster
    group_id: str
    applied: Applied


class Follower:
    """Follows wishes; `install` tells our groups from others'."""

    def __init__(
        self,
        ec2: Ec2,
        hands: Hands,
        records: Records,
        clock: Clock,
        *,
        install: str,
        web_gui: int,
    ) -> None:
        self._ec2 = ec2
        self._hands = hands
        self._records = records
        self._clock = clock
        self._install = install
        self._web_gui = web_gui
        self.locks = Locks()
        # What this process applied last; a hint for telling drift from a late change, no more.
        self.applied: dict[str, int] = {}

    async def group_id(self, cluster: Cluster) -> str:
        """The whitelist group: as recorded, else by name and tags; empty when there is none."""
        if cluster.group_id:
            return cluster.group_id
        name = groups.whitelist_name(cluster.cluster_id)
        owner = Owner(self._install, cluster.cluster_id)
        found = await self._ec2.named([name])
        return next((group.group_id for group in found if group.owner == owner), "")

    async def look(self, cluster: Cluster) -> tuple[Held, ...] | None:
        """The rules in force; None when the cluster has no group."""
        group_id = await self.group_id(cluster)
        return await self._ec2.held(group_id) if group_id else None

    async def follow(
        self, cluster: Cluster, *, keep_strange: bool = False, unset: bool = False
    ) -> InForce:
        """Bring the group of a cluster to its wish as the registry has it now.

        `unset` = this is the first wish, so the group is taken for empty and not looked at.

        Raises:
            KiteError: EC2 or the registry failed; what was done so far stays done.
        """
        async with self.locks.of(cluster.cluster_id):
            group_id = await self.group_id(cluster)
            if not group_id:
                return InForce(cluster, "", Applied(()))
            return await self.follow_locked(
                cluster, group_id, keep_strange=keep_strange, unset=unset
            )

    async def follow_locked(
        self,
        cluster: Cluster,
        group_id: str,
        *,
        keep_strange: bool = False,
        made: bool = False,
        fresh: bool = False,
        unset: bool = False,
    ) -> InForce:
        """`follow` for who holds the cluster's lock.

        `made` = the group was made just now and holds nothing; `fresh` = calls may not know it yet.
        """
        total = Applied(())
        for _ in range(_ROUNDS):
            # First EC2, then the wish: every rule seen was granted for a wish stored before,
            # so a newer wish of another process is never mistaken for drift.
            have = () if made or unset else await self._ec2.held(group_id)
            cluster = await self._records.by_id(cluster.cluster_id)
            want = cluster.keys(self._clock.now_ms(), web_gui=self._web_gui)
            if unset:
                unset = False
                if (applied := await self._hands.first(group_id, want)) is None:
                    continue
            else:
                applied = await self._hands.bring(
                    group_id, want, have, keep_strange=keep_strange, fresh=fresh
                )
            total = Applied(
                applied.rules,
                total.granted + applied.granted,
                total.revoked + applied.revoked,
                total.revoked_first or applied.revoked_first,
            )
            if not applied.changed or await self._stands(cluster):
                break
            made = False
        self.applied[cluster.cluster_id] = cluster.revision
        return InForce(cluster, group_id, total)

    async def _stands(self, followed: Cluster) -> bool:
        now = await self._records.by_id(followed.cluster_id)
        return (now.revision, now.wanted) == (followed.revision, followed.wanted)
