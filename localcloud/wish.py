"""What EC2 says there shall be, read from its own descriptions. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address
from typing import Any


class Wanted(StrEnum):
    """What shall become of a host."""

    RUN = "run"
    REST = "rest"
    GONE = "gone"


STATES = {
    "pending": Wanted.RUN,
    "running": Wanted.RUN,
    "stopping": Wanted.REST,
    "stopped": Wanted.REST,
}
"""Every other state of an instance means that it ends or has ended."""


@dataclass(frozen=True)
class Wish:
    """One instance as EC2 describes it now."""

    instance_id: str
    wanted: Wanted
    pending: bool
    stopping: bool
    private: IPv4Address
    public: IPv4Address | None
    groups: frozenset[str]
    key_name: str | None
    root_device: str
    tags: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Attached:
    """One volume on an instance."""

    volume_id: str
    device: str
    gib: int


def wishes(reservations: Iterable[Mapping[str, Any]]) -> dict[str, Wish]:
    """By instance id, from `Reservations` of describe_instances; ended ones are left out."""
    found = (
        _wish(instance) for reservation in reservations for instance in reservation["Instances"]
    )
    return {wish.instance_id: wish for wish in found if wish is not None}


def members(living: Iterable[Wish]) -> dict[str, tuple[IPv4Address, ...]]:
    """Private addresses by group id, sorted."""
    found: dict[str, set[IPv4Address]] = {}
    for wish in living:
        for group in wish.groups:
            found.setdefault(group, set()).add(wish.private)
    return {group: tuple(sorted(addresses)) for group, addresses in found.items()}


def volumes(described: Iterable[Mapping[str, Any]]) -> dict[str, tuple[Attached, ...]]:
    """By instance id, in order of device, from `Volumes` of describe_volumes."""
    found: dict[str, list[Attached]] = {}
    for volume in described:
        for attachment in volume.get("Attachments", ()):
            one = Attached(volume["VolumeId"], attachment["Device"], volume["Size"])
            found.setdefault(attachment["InstanceId"], []).append(one)
    return {
        instance: tuple(sorted(some, key=lambda one: one.device))
        for instance, some in found.items()
    }


def split(attached: Iterable[Attached], root_device: str) -> tuple[Attached, tuple[Attached, ...]]:
    """The root volume and the data volumes. Raises LookupError when there is no volume at all."""
    some = list(attached)
    if not some:
        raise LookupError("the instance has no volume")
    root = next((one for one in some if one.device == root_device), some[0])
    return root, tuple(one for one in some if one is not root)


def _wish(instance: Mapping[str, Any]) -> Wish | None:
    state = instance["State"]["Name"]
    if state not in STATES or not instance.get("PrivateIpAddress"):
        return None
    interfaces = instance.get("NetworkInterfaces", ())
    public = instance.get("PublicIpAddress")
    return Wish(
        instance_id=instance["InstanceId"],
        wanted=STATES[state],
        pending=state == "pending",
        stopping=state == "stopping",
        private=IPv4Address(instance["PrivateIpAddress"]),
        public=IPv4Address(public) if public else None,
        groups=frozenset(g["GroupId"] for one in interfaces for g in one.get("Groups", ())),
        key_name=instance.get("KeyName"),
        root_device=instance.get("RootDeviceName") or "",
        tags=tuple((tag["Key"], tag["Value"]) for tag in instance.get("Tags", ())),
    )
