"""Machines of the simulated EC2. Times are seconds of the loop."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from provisioner.facts import Machine
from tests.sim.virtual import EPOCH_MS

NEVER = float("inf")
SHOWN_AFTER_END = 3600.0  # EC2 user guide: terminated instances stay visible for a while
_BEGIN = datetime.fromtimestamp(EPOCH_MS / 1000, tz=UTC)


def at(seconds: float) -> datetime:
    """EC2's own time."""
    return _BEGIN + timedelta(seconds=seconds)


@dataclass(slots=True)
class Host:
    """A machine and what runs on it. `ended_at` is when it began to end."""

    instance_id: str
    cluster_id: str
    slot: int
    attempt: int
    token: str
    subnet_id: str
    groups: tuple[str, ...]
    tags: dict[str, str]
    born: float
    shown_at: float
    found_at: float  # by its tags
    running_at: float
    ssh_at: float
    ended_at: float = NEVER
    veiled_until: float = 0.0
    ending: float = 5.0
    reason: str = ""
    stopped: bool = False
    stops: int = 0  # how often somebody stopped it
    installs: list[str] = field(default_factory=list)  # how each run on it ended
    association: str = ""
    public_ip: str = ""
    installed_at: float = NEVER
    speaks_at: float = 3.0  # Milvus answers so long after its install
    secured: bool = False
    nobodys_since: float = NEVER
    sender: tuple[str, bool] = ("", False)
    excused: bool = False  # it came when nobody who acted for its cluster waited for it any more
    later: dict[str, str] = field(default_factory=dict)  # tags that a second call would put on

    def machine(self, now: float) -> Machine:
        if now >= self.ended_at:
            over = now >= self.ended_at + self.ending
            return Machine.TERMINATED if over else Machine.SHUTTING_DOWN
        if self.stopped:
            return Machine.STOPPED
        return Machine.RUNNING if now >= self.running_at else Machine.PENDING

    def alive(self, now: float) -> bool:
        """It costs money, or holds on to its groups."""
        return now < self.ended_at + self.ending

    def shown(self, now: float) -> bool:
        from_then = max(self.shown_at, self.veiled_until)
        return from_then <= now < self.ended_at + self.ending + SHOWN_AFTER_END

    @property
    def private_ip(self) -> str:
        return "10.0.0." + self.instance_id[2:]

    def api(self, now: float) -> dict[str, Any]:
        """As DescribeInstances shows it."""
        return {
            "InstanceId": self.instance_id,
            "State": {"Name": self.machine(now).value},
            "StateReason": {"Message": self.reason} if self.reason else {},
            "ClientToken": self.token,
            "PublicIpAddress": self.public_ip,
            "PrivateIpAddress": self.private_ip,
            "SubnetId": self.subnet_id,
            "LaunchTime": at(self.born),
            "CreateTime": at(self.born),
            "Tags": [{"Key": k, "Value": v} for k, v in self.tags.items()],
        }


@dataclass(slots=True)
class Held:
    """An elastic address."""

    allocation_id: str
    public_ip: str
    cluster_id: str
    tags: dict[str, str]
    found_at: float
    association: str = ""
    nobodys_since: float = NEVER

    def api(self) -> dict[str, Any]:
        return {
            "AllocationId": self.allocation_id,
            "PublicIp": self.public_ip,
            "AssociationId": self.association,
            "Tags": [{"Key": k, "Value": v} for k, v in self.tags.items()],
        }


@dataclass(slots=True)
class Volume:
    """The data volume of a machine, or what stayed of it. `found_at` is by its tags."""

    host: Host
    found_at: float

    @property
    def volume_id(self) -> str:
        return f"vol-{self.host.instance_id}"

    @property
    def cluster_id(self) -> str:
        return self.host.cluster_id

    def api(self, now: float) -> dict[str, Any]:
        return {
            "VolumeId": self.volume_id,
            "State": "in-use" if self.host.alive(now) else "available",
            "CreateTime": at(self.host.born),
            "Tags": [{"Key": k, "Value": v} for k, v in self.host.tags.items()],
        }
