"""The loop that puts back what drifted and closes what expired.

One process of an install does it at a time (a duty lease in the registry); when two should overlap
nothing is harmed, because every act starts from a fresh look and is repeatable.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kite.clock import Clock
from kite.errors import CloudThrottled, Conflict, KiteError
from kite.telemetry import logs
from kite.v1 import operation_pb2
from whitelist_svc import groups, rules, story, unfinished
from whitelist_svc.apply import Hands, Pause
from whitelist_svc.change import Applied, Key, strange
from whitelist_svc.cluster import Cluster
from whitelist_svc.ec2 import Ec2
from whitelist_svc.follow import Follower
from whitelist_svc.groups import Group, Kind, Owner
from whitelist_svc.keep import Keeper, Standing
from whitelist_svc.records import SERVICE, Records
from whitelist_svc.rules import Entry
from whitelist_svc.story import Told

_log = logs.get(__name__)
DUTY = "mend"
_LEAST_LEASE = 30


@dataclass(frozen=True, slots=True)
class How:
    """Settings of the loop; `strict` = rules nobody wished are removed, not only reported."""

    install: str
    seconds: float
    strict: bool
    web_gui: int


class Mender:
    """Looks every `seconds`; one look is one listing of groups and one of clusters."""

    def __init__(
        self,
        ec2: Ec2,
        hands: Hands,
        follower: Follower,
        keeper: Keeper,
        records: Records,
        clock: Clock,
        pause: Pause,
        how: How,
    ) -> None:
        self._ec2 = ec2
        self._hands = hands
        self._follower = follower
        self._keeper = keeper
        self._records = records
        self._clock = clock
        self._pause = pause
        self._how = how
        self._reported: dict[str, frozenset[str]] = {}
        self._waiting: dict[str, str] = {}
        self._next_end_ms = 0

    async def run(self) -> None:
        """For ever; a turn that fails is logged and the next one tries again."""
        while True:
            try:
                await self.turn()
            except KiteError as failed:
                _log.warning("mending failed; next turn tries again", reason=failed.reason)
            except Exception as defect:  # noqa: BLE001 - the loop outlives a defect
                _log.error("mending hit a defect", exc_info=defect)
            await self._pause(self._until_next())

    def _until_next(self) -> float:
        """Seconds to the next look: sooner when an entry ends before."""
        ahead = (self._next_end_ms - self._clock.now_ms()) / 1000
        return min(self._how.seconds, ahead) if ahead > 0 else self._how.seconds

    async def turn(self) -> bool:
        """One look at everything; False when another process has the duty."""
        lease = max(_LEAST_LEASE, int(self._how.seconds * 2))
        if not await self._records.duty(DUTY, seconds=lease):
            return False
        # First what runs, then EC2, then the wishes: what was wished by then is seen in force.
        running = await self._running()
        standing = await self._ec2.of_install(self._how.install)
        clusters = await self._records.every()
        by_owner = {group.owner: group for group in standing if _is_whitelist(group)}
        came: dict[str, KiteError | None] = {}
        for cluster in clusters:
            group = by_owner.get(Owner(self._how.install, cluster.cluster_id))
            if group is not None or not cluster.wanted:
                came[cluster.cluster_id] = None
            try:
                await self._cluster(cluster, group)
                self._waiting.pop(cluster.cluster_id, None)
            except KiteError as failed:
                came[cluster.cluster_id] = failed
                await self._stuck(cluster, failed)
        without = {one.cluster_id for one in clusters} - came.keys()
        ends = (one for one in running if one.cluster_id not in without)
        await self._end(ends, came, {c.cluster_id for c in clusters if c.wanted})
        await self._bases(standing, alone=not clusters)
        await self._peers(standing)
        self._next_end_ms = rules.next_end_ms(
            (entry for cluster in clusters for entry in cluster.entries), self._clock.now_ms()
        )
        self._forget_all_but({cluster.cluster_id for cluster in clusters})
        return True

    async def _running(self) -> tuple[operation_pb2.Operation, ...]:
        try:
            return await self._records.running()
        except KiteError as failed:
            _log.warning("no word of the changes that run", reason=failed.reason)
            return ()

    async def _end(
        self,
        running: Iterable[operation_pb2.Operation],
        came: Mapping[str, KiteError | None],
        wanted: Container[str],
    ) -> None:
        """Tell the end of changes whose process may be dead; whoever lives tells the same."""
        for one in running:
            now = self._clock.now_ms()
            end = unfinished.ending(
                wanted=one.cluster_id in wanted,
                failed=came.get(one.cluster_id),
                age_ms=now - one.started_at_ms,
            )
            if end is None:
                continue
            try:
                await self._records.end(one, end.description, end.reason, now_ms=now)
            except KiteError as failed:
                _log.warning("the end of a change could not be told", reason=failed.reason)

    async def _stuck(self, cluster: Cluster, failed: KiteError) -> None:
        """Each reason is told once, until the list is in force."""
        cluster_id = cluster.cluster_id
        _log.warning("a whitelist could not be mended", cluster=cluster_id, reason=failed.reason)
        if self._waiting.get(cluster_id) == failed.reason or isinstance(failed, CloudThrottled):
            return
        if await self._records.tell_waiting(cluster_id, self._clock.now_ms(), failed):
            self._waiting[cluster_id] = failed.reason

    def _forget_all_but(self, cluster_ids: set[str]) -> None:
        notes: tuple[dict[str, Any], ...] = (self._reported, self._waiting, self._follower.applied)
        for each in notes:
            for gone in each.keys() - cluster_ids:
                del each[gone]

    async def _cluster(self, cluster: Cluster, group: Group | None) -> None:
        known = self._follower.applied.get(cluster.cluster_id, cluster.revision)
        late = known != cluster.revision
        cluster, expired = await self._expire(cluster)
        applied = Applied(())
        if group is not None:
            applied = await self._bring(cluster, group)
        told = list(story.mended(applied, expired=expired, late=late)) if cluster.wanted else []
        if group is not None and not self._how.strict:
            told += self._by_hand(cluster, group)
        for one in told:
            _log.info("whitelist event", cluster=cluster.cluster_id, type=one.type)
        if told:
            await self._records.tell(cluster.cluster_id, self._clock.now_ms(), told)

    async def _expire(self, cluster: Cluster) -> tuple[Cluster, tuple[Entry, ...]]:
        """Drop entries whose time is over from the wish; which ones."""
        live = rules.live(cluster.entries, self._clock.now_ms())
        over = tuple(entry for entry in cluster.entries if entry not in live)
        if not over or not cluster.wanted:
            return cluster, ()
        try:
            return await self._records.wish(cluster, live, origin=SERVICE), over
        except Conflict:
            # A user was faster; what is over in the newer list goes next turn.
            return await self._records.by_id(cluster.cluster_id), over

    async def _bring(self, cluster: Cluster, group: Group) -> Applied:
        keep = not self._how.strict
        if self._hands.plan(self._want(cluster), group.rules, keep_strange=keep):
            return (await self._follower.follow(cluster, keep_strange=keep)).applied
        self._follower.applied[cluster.cluster_id] = cluster.revision
        return Applied(())

    def _want(self, cluster: Cluster) -> Mapping[Key, str]:
        return cluster.keys(self._clock.now_ms(), web_gui=self._how.web_gui)

    def _by_hand(self, cluster: Cluster, group: Group) -> list[Told]:
        """Without strict mode: report rules made by hand, each set of them once."""
        found = strange(want=self._want(cluster), have=group.rules)
        names = frozenset(story.texts(found))
        news = names and names != self._reported.get(cluster.cluster_id)
        self._reported[cluster.cluster_id] = names
        return [story.by_hand(found)] if news else []

    async def _bases(self, standing: tuple[Group, ...], *, alone: bool) -> None:
        name = groups.base(self._how.install).name
        bases = [group for group in standing if group.name == name]
        if bases and alone and await self._keeper.drop_base():
            _log.info("base group dropped: no cluster is left")
            return
        for base in bases:
            if self._keeper.base_plan(base) and await self._keeper.mend_base(
                Standing(Kind.BASE, name, base.group_id)
            ):
                _log.warning("base group put right", group=base.group_id)

    async def _peers(self, standing: tuple[Group, ...]) -> None:
        for group in standing:
            if group.name == groups.peers_name(group.owner.cluster_id) and not group.rules:
                await self._keeper.mend_peers(group.group_id)
                _log.warning("peers group put right", group=group.group_id)


def _is_whitelist(group: Group) -> bool:
    return group.name == groups.whitelist_name(group.owner.cluster_id)
