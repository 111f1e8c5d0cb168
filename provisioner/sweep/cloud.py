"""EC2 as the sweep uses it: everything with our tag, page by page; one removal at a time."""

from dataclasses import dataclass
from typing import Any, assert_never

from kite import tags
from kite.errors import Internal, KiteError, Unavailable
from kite.refusals import gone
from kite.sweep import Kind, Look, Thing
from kite.sweeping import time_of
from provisioner.ec2.client import Ec2
from provisioner.sweep import facts

PAGE, MOST_PAGES = 1000, 1000


@dataclass(frozen=True, slots=True)
class Raw:
    """EC2's own answers: everything with the install's tag; `now_ms` by EC2."""

    instances: list[dict[str, Any]]
    volumes: list[dict[str, Any]]
    addresses: list[dict[str, Any]]
    now_ms: int


class SweepCloud:
    """Machines, volumes and addresses of one install."""

    def __init__(self, ec2: Ec2, install: str) -> None:
        self._ec2 = ec2
        self._filters = [{"Name": f"tag:{tags.INSTALL}", "Values": [install]}]

    async def look(self) -> Look:
        """Raises KiteError when any page is missing: half a picture is none."""
        raw = await self.raw()
        things = (
            *map(facts.instance, raw.instances),
            *map(facts.volume, raw.volumes),
            *map(facts.address, raw.addresses),
        )
        return Look(raw.now_ms, things)

    async def raw(self) -> Raw:
        """As `look`, before anything is made of it."""
        reservations, told = await self._pages("DescribeInstances", "Reservations")
        volumes, _ = await self._pages("DescribeVolumes", "Volumes")
        answer = await self._ec2.call("DescribeAddresses", {"Filters": self._filters})
        machines = [one for found in reservations for one in found.get("Instances", [])]
        return Raw(machines, volumes, answer.get("Addresses", []), told)

    async def _pages(self, action: str, key: str) -> tuple[list[dict[str, Any]], int]:
        """All pages, and EC2's time at the first: ages are never told too great."""
        found: list[dict[str, Any]] = []
        told, more = 0, dict[str, str]()
        for _ in range(MOST_PAGES):
            answer = await self._ec2.call(
                action, {"Filters": self._filters, "MaxResults": PAGE, **more}
            )
            told = told or time_of(answer)
            found += answer.get(key, [])
            if not answer.get("NextToken"):
                return found, told
            more = {"NextToken": answer["NextToken"]}
        raise Unavailable(f"{action}: EC2's pages do not end", reason="CLOUD_AWAY")

    async def remove(self, thing: Thing) -> None:
        try:
            await self._remove(thing)
        except KiteError as failed:
            if not gone(failed.context.get("aws-code", "")):
                raise

    async def _remove(self, thing: Thing) -> None:
        match thing.kind:
            case Kind.INSTANCE:
                await self._ec2.call("TerminateInstances", {"InstanceIds": [thing.id]})
            case Kind.VOLUME:
                await self._ec2.call("DeleteVolume", {"VolumeId": thing.id})
            case Kind.ADDRESS:
                await self._ec2.call("ReleaseAddress", {"AllocationId": thing.id})
            case Kind.GROUP:
                raise Internal("security groups are the whitelist service's")
            case _ as never:
                assert_never(never)
