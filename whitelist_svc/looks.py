"""Looks at EC2 for readers: few at once, so that they never keep changes from it.

A reader gives up after seconds, but the thread that asks EC2 for it is held until EC2 answers or
its call times out. So a look has a place until it really ends, and there are fewer places than
threads (session.THREADS); who gets none in time is told that nothing is known.
"""

from __future__ import annotations

import asyncio

from whitelist_svc.change import Held
from whitelist_svc.cluster import Cluster
from whitelist_svc.follow import Follower

PLACES = 4


class Looks:
    """At most `PLACES` looks are under way."""

    def __init__(self, follower: Follower) -> None:
        self._follower = follower
        self._places = asyncio.Semaphore(PLACES)
        self._running: set[asyncio.Task[tuple[Held, ...] | None]] = set()

    async def at(self, cluster: Cluster) -> tuple[Held, ...] | None:
        """As Follower.look; who is cancelled leaves a look behind that keeps its place."""
        await self._places.acquire()
        look = asyncio.create_task(self._follower.look(cluster))
        self._running.add(look)
        look.add_done_callback(self._ended)
        return await asyncio.shield(look)

    def _ended(self, look: asyncio.Task[tuple[Held, ...] | None]) -> None:
        self._places.release()
        self._running.discard(look)
        if not look.cancelled():
            look.exception()  # its reader may be gone

    async def settle(self) -> None:
        """Wait for looks whose readers have gone."""
        await asyncio.gather(*self._running, return_exceptions=True)
