"""Why a node may fail: to each reason, what the world must have done to that very node before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from provisioner.limits import Limits
from tests.sim.chance import SUBNETS, TYPES
from tests.sim.cloud import Cloud
from tests.sim.hosts import NEVER, Host

LIMITS = Limits()  # the product's own, whatever a test does to those of the days
CUT = "CUT"  # an install whose process died over it


@dataclass(frozen=True, slots=True)
class Past:
    """What one slot met: the machines it had, offers and calls that EC2 refused it."""

    hosts: tuple[Host, ...]
    dry: frozenset[tuple[str, str]]
    codes: frozenset[str]
    alone: bool  # it may go to any zone: its cluster has no other slot

    def installs(self, *ends: str) -> int:
        """The most that one machine met of these ends."""
        return max((sum(one in ends for one in h.installs) for h in self.hosts), default=0)


def past(cloud: Cloud, cluster_id: str, slot: int, *, alone: bool) -> Past:
    refused = cloud.refused.get((cluster_id, slot), {})
    shared = cloud.refused.get((cluster_id, None), {})  # its address is the whole cluster's
    hosts = tuple(h for h in cloud.hosts.values() if (h.cluster_id, h.slot) == (cluster_id, slot))
    # A wait for capacity begins after the machine before it; one that came late ends none.
    since = max((h.born for h in hosts if not h.excused), default=0.0)
    return Past(
        hosts,
        frozenset(
            (kind, subnet)
            for (code, kind, subnet), at in refused.items()
            if code == "dry" and at >= since
        ),
        frozenset(code for code, *_ in refused | shared),
        alone,
    )


def caused(reason: str, met: Past) -> bool:
    """Whether the world gave cause for a failure with this reason; no other has any."""
    return reason in _CAUSES and _CAUSES[reason](met)


def _dry(met: Past) -> bool:
    """Every type in every zone; a machine with others beside it stays in their zone."""
    zones = [all((kind, subnet) in met.dry for kind in TYPES) for subnet in SUBNETS]
    return all(zones) if met.alone else any(zones)


def _lame(host: Host) -> bool:
    """It could not get to a running Milvus."""
    ended_by_others = host.reason in {"Server.InternalError", "User initiated"}
    return ended_by_others or host.stops > 0 or NEVER in {host.running_at, host.ssh_at}


_CAUSES: dict[str, Callable[[Past], bool]] = {
    "INSUFFICIENT_CAPACITY": _dry,
    "QUOTA_EXCEEDED": lambda met: "quota" in met.codes,
    "INSTANCE_LOST": lambda met: any(h.reason == "User initiated" for h in met.hosts),
    "LAUNCH_LOOP": lambda met: sum(map(_lame, met.hosts)) >= LIMITS.launches_per_hour,
    "TASK_FAILED": lambda met: met.installs("TASK_FAILED") > 0,
    "UNREACHABLE": lambda met: met.installs("UNREACHABLE") >= LIMITS.install_tries,
    "DEADLINE": lambda met: met.installs("DEADLINE") > 0,
    "INSTALL_TOO_LONG": lambda met: met.installs("DEADLINE", "UNREACHABLE", CUT) > 0,
    "MILVUS_NOT_HEALTHY": lambda met: any(h.speaks_at == NEVER for h in met.hosts),
}
