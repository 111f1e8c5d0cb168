"""The one door to blocking work: a bounded pool of threads with a bounded queue before it."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from kite.errors import Unavailable

P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """Runs blocking calls; refuses more than `waiting` that wait for a thread."""

    def __init__(self, count: int, *, waiting: int) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="registry")
        self._most = count + waiting
        self._inside = 0
        self._away = False

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of `work`; a caller that goes away does not stop it.

        Raises:
            Unavailable: REGISTRY_BUSY, STORE_AWAY, and whatever `work` raises.
        """
        if self._away:
            raise Unavailable(
                "the registry's database does not answer; try again",
                reason="STORE_AWAY",
                retry_after=2,
            )
        if self._inside >= self._most:
            raise Unavailable(
                "the registry has too many calls waiting; try again",
                reason="REGISTRY_BUSY",
                retry_after=1,
            )
        return await self.submit(work, *args, **kwargs)

    def away(self, *, away: bool) -> None:
        """While the store is away nobody waits for it: a crowd would wait longer than it can."""
        self._away = away

    async def submit(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """As `run`, whatever is known: for whoever looks whether the store is back."""
        self._inside += 1
        future = self._pool.submit(work, *args, **kwargs)
        loop = asyncio.get_running_loop()
        future.add_done_callback(lambda _: _tell(loop, self._left))
        return await asyncio.wrap_future(future)

    def _left(self) -> None:
        self._inside -= 1

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


def _tell(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(callback)
