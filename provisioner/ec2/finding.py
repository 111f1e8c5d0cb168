"""The site as found last: once, and again when a launch doubts it or when it lacks something.

What a setting names and EC2 does not have (any more) hinders launches alone: clusters that live
are looked after, and deleted, all the same.
"""

import asyncio

from kite.clock import Clock
from kite.errors import KiteError
from provisioner.ec2 import network
from provisioner.ec2.client import Ec2
from provisioner.facts import Site

LACKING_SECONDS = 10.0
"""How long it is left alone when something was missing: somebody has to put it right."""


class SiteFinder:
    """One per process."""

    def __init__(self, ec2: Ec2, wanted: network.Wanted, clock: Clock) -> None:
        self._ec2 = ec2
        self._wanted = wanted
        self._clock = clock
        self._site: Site | None = None
        self._looked = 0.0
        self._doubted = True
        self._looking = asyncio.Lock()

    @property
    def install(self) -> str:
        return self._wanted.install

    def doubt(self) -> None:
        """A launch was refused for a place that the site names: it may be gone."""
        self._doubted = True

    async def site(self) -> Site:
        """The site, with its `lack` when nothing can be launched there.

        Raises:
            KiteError: EC2 is silent, and nothing was ever found.
        """
        async with self._looking:
            if self._site is None or self._doubted or self._lacks():
                self._site = await self._look(self._site)
            return self._site

    def _lacks(self) -> bool:
        since = self._clock.monotonic() - self._looked
        return self._site is not None and bool(self._site.lack) and since >= LACKING_SECONDS

    async def _look(self, before: Site | None) -> Site:
        try:
            found = await network.find(self._ec2, self._wanted)
        except KiteError:
            if before is None:
                raise
            return before  # EC2 is silent: what was found is the best that is known
        self._looked, self._doubted = self._clock.monotonic(), False
        return found
