"""The site as found last: once, and again when a launch doubts it or when it lacks something.

What a setting names and EC2 does not have (any more) hinders launches alone: clusters that live
are looked after, and deleted, all the same.
"""

import asyncio
import contextvars

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
        self._looking: asyncio.Task[Site] | None = None

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
        if self._looking is None:
            if self._site is not None and not self._doubted and not self._lacks():
                return self._site
            # Whoever began it may be cancelled, or act under a guard: the look is everybody's.
            look = asyncio.create_task(self._found(self._site), context=contextvars.Context())
            self._looking = look
            look.add_done_callback(self._ended)
        return await asyncio.shield(self._looking)

    def _ended(self, look: asyncio.Task[Site]) -> None:
        self._looking = None
        if not look.cancelled() and look.exception() is None:
            self._site = look.result()

    def _lacks(self) -> bool:
        since = self._clock.monotonic() - self._looked
        return self._site is not None and bool(self._site.lack) and since >= LACKING_SECONDS

    async def _found(self, before: Site | None) -> Site:
        self._doubted = False
        try:
            found = await network.find(self._ec2, self._wanted)
        except BaseException as failed:
            self._doubted = True
            if before is None or not isinstance(failed, KiteError):
                raise
            return before  # EC2 is silent: what was found is the best that is known
        self._looked = self._clock.monotonic()
        return found
