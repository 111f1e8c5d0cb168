"""News of clusters: one watch of the registry for everybody who waits in this process.

However many wait for a change, the registry has one stream to feed. Who listens is woken, never
sent anything, so a slow listener costs an event flag and no queue. The watch begins with the first
listener and is begun again whenever it breaks; whoever may have missed a change meanwhile is woken.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TypeAlias

from kite.errors import KiteError
from kite.telemetry import logs
from kite.v1 import cluster_pb2, registry_pb2, registry_pb2_grpc

_log = logs.get(__name__)
Key: TypeAlias = tuple[str, str]  # user, milvus-name
_AGAIN_SECONDS = 0.5
_LOOKS = 32


class Listener:
    """One who waits for changes of one cluster.

    Attributes:
        doubt: the cluster may be gone; whoever cares asks the registry and sets it False.
    """

    __slots__ = ("_woken", "doubt")

    def __init__(self) -> None:
        self._woken = asyncio.Event()
        self.doubt = True

    def wake(self) -> None:
        self._woken.set()

    async def news(self, seconds: float) -> bool:
        """Wait for a change, `seconds` at most; at once when one came since the last time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        news = self._woken.is_set()
        self._woken.clear()
        return news


class News:
    """Wakes listeners; `looks` bounds how many of them ask the registry at the same time."""

    def __init__(self, registry: registry_pb2_grpc.RegistryServiceAsyncStub) -> None:
        self._registry = registry
        self._listeners: defaultdict[Key, set[Listener]] = defaultdict(set)
        self._watch: asyncio.Task[None] | None = None
        self.looks = asyncio.Semaphore(_LOOKS)

    @contextmanager
    def listen(self, user: str, milvus_name: str) -> Iterator[Listener]:
        """A listener for one cluster, for as long as the block runs."""
        if self._watch is None:
            self._watch = asyncio.create_task(self._watching())
        listener, key = Listener(), (user, milvus_name)
        self._listeners[key].add(listener)
        try:
            yield listener
        finally:
            self._listeners[key].discard(listener)
            if not self._listeners[key]:
                del self._listeners[key]

    def wake_all(self) -> None:
        for listeners in self._listeners.values():
            for listener in listeners:
                listener.wake()

    async def close(self) -> None:
        """End the watch and wake everybody, once and for all."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait([self._watch])
        self.wake_all()

    async def _watching(self) -> None:
        while True:
            try:
                await self._until_it_breaks()
            except KiteError as broke:
                _log.info("the watch of clusters broke off; watching again", why=str(broke))
            except Exception:  # noqa: BLE001 - listeners outlive a defect
                _log.exception("the watch of clusters hit a defect")
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _until_it_breaks(self) -> None:
        live: set[Key] = set()
        caught_up = False
        async for change in self._registry.WatchClusters(registry_pb2.WatchClustersRequest()):
            if change.caught_up:
                self._after_a_gap(live)
                caught_up = True
                live.clear()
            elif caught_up:
                self._changed(change.cluster)
            else:
                live.add((change.cluster.user, change.cluster.milvus_name))

    def _changed(self, cluster: cluster_pb2.Cluster) -> None:
        for listener in self._listeners.get((cluster.user, cluster.milvus_name), ()):
            listener.doubt = listener.doubt or bool(cluster.deleted_at_ms)
            listener.wake()

    def _after_a_gap(self, live: set[Key]) -> None:
        """What changed while nobody watched is not known, so everybody looks."""
        for key, listeners in self._listeners.items():
            for listener in listeners:
                listener.doubt = listener.doubt or key not in live
                listener.wake()
