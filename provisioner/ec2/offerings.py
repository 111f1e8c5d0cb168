"""Which zones of ours offer an instance type: asked of EC2, remembered for some minutes.

Source: EC2 API reference, DescribeInstanceTypeOfferings. What a zone offers changes over months.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from kite.clock import Clock
from kite.errors import CloudRefused, InvalidRequest
from provisioner.ec2.client import Ec2
from provisioner.ec2.pages import pages
from provisioner.facts import Site

KEPT_SECONDS = 300.0
MOST = 20
_TYPE = re.compile(r"[a-z0-9][a-z0-9-]*\.[a-z0-9-]+")  # wildcards would match other types


class Offerings:
    """Zones by type. A type asked about within five minutes costs no call."""

    def __init__(self, ec2: Ec2, site: Callable[[], Awaitable[Site]], clock: Clock) -> None:
        self._ec2 = ec2
        self._site = site
        self._clock = clock
        self._known: dict[str, tuple[float, tuple[str, ...]]] = {}
        self._asking = asyncio.Lock()

    async def zones(self, instance_types: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Availability zones with a subnet of ours, sorted, by type; empty = nowhere.

        Raises:
            InvalidRequest: no types, too many, or what cannot be the name of one.
            KiteError: EC2 refused or was silent.
        """
        _check(instance_types)
        async with self._asking:
            now = self._clock.monotonic()
            self._known = {t: k for t, k in self._known.items() if now - k[0] < KEPT_SECONDS}
            if missing := sorted(set(instance_types) - self._known.keys()):
                site = await self._site()
                if site.lack:
                    raise CloudRefused(site.lack.description, reason=site.lack.reason)
                ours = {place.zone for place in site.places}
                offered = await self._ask(missing)
                for one in missing:
                    zones = sorted(z for t, z in offered if t == one and z in ours)
                    self._known[one] = (now, tuple(zones))
            return {one: self._known[one][1] for one in instance_types}

    async def _ask(self, instance_types: Iterable[str]) -> list[tuple[str, str]]:
        asked: dict[str, Any] = {
            "LocationType": "availability-zone",
            "Filters": [{"Name": "instance-type", "Values": list(instance_types)}],
        }
        return [
            (one["InstanceType"], one["Location"])
            async for page in pages(self._ec2, "DescribeInstanceTypeOfferings", asked)
            for one in page.get("InstanceTypeOfferings", [])
        ]


def _check(instance_types: Sequence[str]) -> None:
    if not 1 <= len(instance_types) <= MOST:
        raise InvalidRequest(
            f"instance_types must hold 1 to {MOST} names, not {len(instance_types)}",
            field="/instance_types",
        )
    for one in instance_types:
        if not _TYPE.fullmatch(one):
            raise InvalidRequest(
                f"{one[:40]!r} cannot be the name of an EC2 instance type",
                reason="INVALID_INSTANCE_TYPE",
                field="/instance_types",
            )
