"""Changes to whoever watches: at once from this process, a little later from other ones.

Each watcher has a bounded queue; one that does not keep up is cut off and must subscribe again,
so that a slow reader costs memory to nobody.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Self

from kite.clock import Clock
from kite.errors import KiteError, Unavailable
from kite.telemetry import logs
from registry_svc.record import Record
from registry_svc.store import Store
from registry_svc.threads import Threads

_log = logs.get(__name__)
# How far clocks of registry processes may differ before a change is seen late.
SKEW_MS = 10_000
# How long it is known that a deletion was told: longer than a look for changes goes back, and than
# older news of the cluster can be on its way.
TOLD_SECONDS = 6 * SKEW_MS / 1000
Wants = Callable[[Record], bool]


class Subscription:
    """Changes one watcher wants, in order; use as a context manager."""

    def __init__(self, broadcast: "Broadcast", wants: Wants, size: int) -> None:
        self._broadcast = broadcast
        self._wants = wants
        self._queue: asyncio.Queue[Record] = asyncio.Queue(size)
        self._cut: KiteError | None = None
        self._news = asyncio.Event()

    def __enter__(self) -> Self:
        self._broadcast.enter(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._broadcast.leave(self)

    def offer(self, record: Record) -> None:
        if self._cut or not self._wants(record):
            return
        try:
            self._queue.put_nowait(record)
        except asyncio.QueueFull:
            self.cut(
                Unavailable(
                    "this watcher is too slow and was cut off; watch again",
                    reason="WATCHER_TOO_SLOW",
                )
            )
        self._news.set()

    def cut(self, why: KiteError) -> None:
        """End it; what is still queued is dropped."""
        self._cut = why
        self._news.set()

    async def next(self, *, seconds: float | None = None) -> Record | None:
        """The next change, or None when none came within `seconds` (None = wait).

        Raises:
            Unavailable: WATCHER_TOO_SLOW, REGISTRY_STOPPING.
        """
        with contextlib.suppress(TimeoutError):
            # wait_for may swallow a cancellation before Python 3.12.
            async with asyncio.timeout(seconds):
                await self._news.wait()
        if self._cut:
            raise self._cut
        if self._queue.empty():
            return None
        record = self._queue.get_nowait()
        if self._queue.empty():
            self._news.clear()
        return record

    async def changes(self) -> AsyncIterator[Record]:
        while True:
            record = await self.next()
            if record:
                yield record


class Broadcast:
    """Fans changes of the store out; looks for other writers only while somebody watches."""

    def __init__(
        self, store: Store, threads: Threads, clock: Clock, *, queue: int, rescan_ms: int
    ) -> None:
        self._store = store
        self._threads = threads
        self._clock = clock
        self._size = queue
        self._seconds = rescan_ms / 1000
        self._watchers: set[Subscription] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._scan: asyncio.Task[None] | None = None
        # Highest write told per cluster, so that late news never overtakes newer.
        self._told: dict[str, int] = {}
        # Deleted ones among them, and when that was told (monotonic seconds); oldest first.
        self._over: deque[tuple[float, str]] = deque()
        self._stopped = False
        store.listen(self._changed)

    @property
    def rescan_seconds(self) -> float | None:
        """How long a watcher should wait before it looks for itself; None = need not look."""
        return self._seconds if self._store.shared else None

    def subscribe(self, wants: Wants) -> Subscription:
        return Subscription(self, wants, self._size)

    def enter(self, watcher: Subscription) -> None:
        self._loop = asyncio.get_running_loop()
        self._watchers.add(watcher)
        if self._stopped:
            watcher.cut(_stopping())
        elif self._store.shared and self._scan is None:
            self._scan = asyncio.create_task(self._rescan())

    def leave(self, watcher: Subscription) -> None:
        self._watchers.discard(watcher)
        if not self._watchers and self._scan:
            self._scan.cancel()
            self._scan = None
        if not self._watchers:
            self._told.clear()
            self._over.clear()

    def stop(self) -> None:
        """End every watch; for shutdown."""
        self._stopped = True
        for watcher in self._watchers:
            watcher.cut(_stopping())

    def _changed(self, record: Record) -> None:
        # Comes from a thread of the pool.
        loop = self._loop
        if loop and self._watchers and not loop.is_closed():
            loop.call_soon_threadsafe(self._publish, record)

    def _publish(self, record: Record) -> None:
        known = self._told.get(record.cluster.cluster_id, 0)
        if record.writes <= known:
            return
        self._told[record.cluster.cluster_id] = record.writes
        self._forget_over()
        if not record.live:
            self._over.append((self._clock.monotonic(), record.cluster.cluster_id))
        for watcher in tuple(self._watchers):
            watcher.offer(record)

    def _forget_over(self) -> None:
        """A watch may last for months; what is deleted and told has no more news."""
        limit = self._clock.monotonic() - TOLD_SECONDS
        while self._over and self._over[0][0] < limit:
            self._told.pop(self._over.popleft()[1], None)

    async def _rescan(self) -> None:
        since = self._clock.now_ms()
        while True:
            await asyncio.sleep(self._seconds)
            begun = self._clock.now_ms()
            try:
                found = await self._threads.run(self._store.changed_since, since - SKEW_MS)
            except KiteError as failed:
                _log.warning("looking for changes failed", reason=failed.reason)
                continue
            except Exception:  # noqa: BLE001 - watchers outlive a defect
                _log.exception("looking for changes hit a defect")
                continue
            since = begun
            for record in sorted(found, key=lambda r: r.changed_at_ms):
                self._publish(record)


def _stopping() -> Unavailable:
    return Unavailable("the registry is stopping; watch again", reason="REGISTRY_STOPPING")
