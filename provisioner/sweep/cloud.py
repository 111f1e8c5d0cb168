"""EC2 as the sweep uses it: everything with our tag, page by page; one removal at a time."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar, assert_never

from kite import tags
from kite.errors import Internal, KiteError
from kite.refusals import gone
from kite.sweep import Kind, Look, Thing
from kite.sweeping import time_of
from provisioner.ec2.client import Ec2
from provisioner.ec2.pages import pages
from provisioner.sweep import facts

PAGE = 1000
_KEYS = {
    "DescribeInstances": "Reservations",
    "DescribeVolumes": "Volumes",
    "DescribeAddresses": "Addresses",
}
_WHOLE = frozenset({"DescribeAddresses"})  # EC2 gives it without pages
T = TypeVar("T")
Make: TypeAlias = Callable[[dict[str, Any]], Iterable[T]]


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
        machines, told = await self._all("DescribeInstances", _machines)
        volumes, _ = await self._all("DescribeVolumes", lambda one: (facts.volume(one),))
        addresses, _ = await self._all("DescribeAddresses", lambda one: (facts.address(one),))
        return Look(told, (*machines, *volumes, *addresses))

    async def raw(self) -> Raw:
        """As `look`, before anything is made of it."""
        machines, told = await self._all("DescribeInstances", lambda one: one["Instances"])
        volumes, _ = await self._all("DescribeVolumes", lambda one: (one,))
        addresses, _ = await self._all("DescribeAddresses", lambda one: (one,))
        return Raw(machines, volumes, addresses, told)

    async def _all(self, action: str, make: Make[T]) -> tuple[list[T], int]:
        """What is made of all pages, and EC2's time at the first: ages are never told too great."""
        found, told = list[T](), 0
        size = {} if action in _WHOLE else {"MaxResults": PAGE}
        async for page in pages(self._ec2, action, {"Filters": self._filters, **size}):
            told = told or time_of(page)
            for one in page.get(_KEYS[action], []):
                found += make(one)
        return found, told

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


def _machines(reservation: dict[str, Any]) -> Iterable[Thing]:
    return map(facts.instance, reservation["Instances"])
