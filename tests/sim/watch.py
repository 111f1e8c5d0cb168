"""Who owns what, at every moment: machines too many, and how long things were nobody's."""

from __future__ import annotations

from dataclasses import dataclass, field

from kite.v1 import cluster_pb2 as pb
from registry_svc.record import Record
from tests.sim.cloud import Cloud
from tests.sim.hosts import NEVER, Held, Host, Volume
from tests.sim.registry import Store


@dataclass(frozen=True, slots=True)
class Lost:
    """For how long a machine was nobody's: seconds, and those of them after the trouble."""

    instance_id: str
    seconds: float
    calm: float
    excused: bool


@dataclass
class Watch:
    """Looks at every launch, every commit and every end."""

    cloud: Cloud
    store: Store
    base_goes: bool = False
    extras: int = 0
    most: int = 0  # machines for one slot at a time
    longest: float = 0.0  # seconds that a machine was nobody's
    unannounced: list[str] = field(default_factory=list)
    attempts: dict[tuple[str, int], int] = field(default_factory=dict)
    taken_back: list[tuple[str, int, int]] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)
    unexcused: list[str] = field(default_factory=list)
    calm_from: float = NEVER

    def born(self, host: Host) -> None:
        if host.token not in self.store.intents:
            self.unannounced.append(host.token)
        host.excused = self._is_late(host)
        now, cluster_id = self.cloud.now, host.cluster_id
        same = [h for h in self._alive(cluster_id) if h.slot == host.slot]
        self.most = max(self.most, len(same))
        if len(same) > 1:
            self.extras += 1
            others = ", ".join(h.instance_id for h in same if h is not host)
            self.cloud.tale.fault("watch", "extra", f"{host.instance_id} beside {others}")
            if not any(one.excused for one in same):
                self.unexcused.append(f"{host.instance_id} was launched beside {others}")
        host.nobodys_since = NEVER if self._is_owned(host) else now

    def written(self, cluster_id: str) -> None:
        self._check_attempts(cluster_id)
        alive = self._alive(cluster_id)
        early = [host.instance_id for host in alive if not host.excused]
        if early and self._row(cluster_id) is None:
            self.unexcused.append(f"{cluster_id} is told to be gone and {', '.join(early)} lives")
        for host in alive:
            self._count(host, owned=self._is_owned(host))
            host.excused = host.excused and not self._is_known(host)
        for held in self.cloud.addresses.values():
            if held.cluster_id == cluster_id:
                self._count(held, owned=self.is_kept(held))

    def _check_attempts(self, cluster_id: str) -> None:
        for node in self.store.rows[cluster_id].cluster.status.nodes:
            place = (cluster_id, node.slot)
            if node.attempt < self.attempts.get(place, 0):
                self.taken_back.append((*place, self.attempts[place]))
            self.attempts[place] = node.attempt

    def forgotten(self) -> list[str]:
        """Machines of attempts that were taken back in the records: never, once one was sent."""
        tried = {(h.cluster_id, h.slot, h.attempt): h for h in self.cloud.hosts.values()}
        return [tried[one].instance_id for one in self.taken_back if one in tried]

    def _count(self, thing: Host | Held, *, owned: bool) -> None:
        if owned:
            self._over(thing)
        elif thing.nobodys_since == NEVER:
            thing.nobodys_since = self.cloud.now

    def _over(self, thing: Host | Held) -> None:
        if thing.nobodys_since != NEVER:
            seconds = self.cloud.now - thing.nobodys_since
            self.longest = max(self.longest, seconds)
            if isinstance(thing, Host):
                calm = self.cloud.now - max(thing.nobodys_since, self.calm_from, thing.veiled_until)
                excused = thing.excused or self._is_hidden(thing)
                self.lost.append(Lost(thing.instance_id, seconds, max(calm, 0.0), excused))
            thing.nobodys_since = NEVER

    def ended(self, thing: Host | Held) -> None:
        self._over(thing)

    def orphans(self) -> list[str]:
        """Ids of living machines that are nobody's now."""
        return [
            h.instance_id
            for h in self.cloud.hosts.values()
            if self.cloud.now < h.ended_at and not self._is_owned(h)
        ]

    def strays(self) -> list[str]:
        """Everything else that is nobody's now."""
        cloud = self.cloud
        found = [a.allocation_id for a in cloud.addresses.values() if not self.is_kept(a)]
        found += [v.volume_id for v in cloud.volumes.values() if not self._holds(v)]
        live = any(row.live for row in self.store.rows.values())
        for group in cloud.groups.values():
            # The base of the install may stay when its last clusters leave at the same moment.
            bare = self.base_goes and not live
            if (self._row(group.cluster_id) is None) if group.cluster_id else bare:
                found.append(group.name)
        return found + ([] if live else sorted(cloud.keys))

    def _alive(self, cluster_id: str) -> list[Host]:
        now = self.cloud.now
        hosts = self.cloud.hosts.values()
        return [h for h in hosts if h.cluster_id == cluster_id and now < h.ended_at + h.ending]

    def _row(self, cluster_id: str) -> Record | None:
        row = self.store.rows.get(cluster_id)
        return row if row is not None and row.live else None

    def _holds(self, volume: Volume) -> bool:
        """Its cluster lives, and its slot has come to no other machine."""
        row, host = self._row(volume.cluster_id), volume.host
        nodes = row.cluster.status.nodes if row else ()
        return any(n.slot == host.slot and n.attempt <= host.attempt for n in nodes)

    def _is_late(self, host: Host) -> bool:
        """Whoever sent for it gave up waiting, or another acts for its cluster by now."""
        sender, given_up = host.sender
        row = self.store.rows[host.cluster_id]
        return given_up or row.lease.holder != sender.partition(".")[0]

    def _is_hidden(self, host: Host) -> bool:
        """Its cluster was deleted while EC2 did not show it: nobody can end it before it does."""
        unwanted = not self.store.rows[host.cluster_id].cluster.spec.wanted
        return unwanted and host.veiled_until > host.nobodys_since

    def _is_known(self, host: Host) -> bool:
        row = self._row(host.cluster_id)
        nodes = row.cluster.status.nodes if row else ()
        return any(node.instance_id == host.instance_id for node in nodes)

    def _is_owned(self, host: Host) -> bool:
        row = self._row(host.cluster_id)
        return row is not None and any(_owns(node, host) for node in row.cluster.status.nodes)

    def is_kept(self, held: Held) -> bool:
        row = self._row(held.cluster_id)
        if row is None:
            return False
        known = row.cluster.status.address.allocation_id
        return known in {"", held.allocation_id}


def _owns(node: pb.Node, host: Host) -> bool:
    """A node that is done with its machine owns nothing."""
    done = node.state == pb.NODE_STATE_FAILED and not node.retiring
    if done or node.state == pb.NODE_STATE_GONE:
        return False
    if node.instance_id:
        return bool(node.instance_id == host.instance_id)
    return (node.slot, node.attempt) == (host.slot, host.attempt)
