"""Thousands of event streams at once in front of one BFF, most of them never read."""

from __future__ import annotations

import asyncio
import resource
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from bff.settings import Settings
from kite.v1 import operation_pb2
from tests.edge import http
from tests.overload.edge_process import EdgeProcess, edge_process
from tests.overload.listeners import LIVE, LONG, PATH, Listener, idle, open_all

PER_USER: int = Settings.model_fields["bff_streams_per_user"].default
READER = 10  # every tenth listener reads
LEFT_FILES = 8  # a request or two of our own may still be open
STORY, EVENT_BYTES = 32, 4_096
"""Events of one story: 128 KiB, more than what lies between a BFF and who does not read."""


@dataclass
class Figures:
    """What was seen in both rounds; memory in MiB, of the BFF.

    Attributes:
        refused: status, reason and Retry-After of a stream or connection beyond each limit.
        asked: statuses of plain requests meanwhile; `slowest` of them in seconds.
        ends: why streams of those who did not read ended; `cut` = the connection was gone.
        whole: readers who were told the whole story and whose stream was open then.
    """

    streams: int
    opened: int = 0
    readers: int = 0
    whole: int = 0
    refused: dict[str, tuple[int, str, str]] = field(default_factory=dict)
    asked: Counter[int] = field(default_factory=Counter)
    slowest: float = 0.0
    ends: Counter[str] = field(default_factory=Counter)
    mib: dict[str, float] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def look(self, when: str, edge: EdgeProcess) -> None:
        self.mib[when], self.files[when] = edge.mib, edge.files


async def streams(count: int, *, patience: float) -> Figures:
    """Open as many as there may be, twice; the limit of each user is the one of the settings.

    `patience` = KITE_BFF_SEND_SECONDS. What the first round took is used again by the second one
    or was never given back: that is how a leak is told from an allocator that keeps what it has.
    """
    _make_room(2 * count)
    settings = {
        "KITE_BFF_STREAMS": count,
        "KITE_BFF_CONNECTIONS": _connections(count),
        "KITE_BFF_SEND_SECONDS": patience,
    }
    async with edge_process({name: str(number) for name, number in settings.items()}) as edge:
        figures = Figures(count)
        await _clusters(edge, count)
        figures.look("before", edge)
        await _round(edge, figures, "first")
        await _too_many_connections(edge, figures)
        await _round(edge, figures, "second")
        figures.look("after", edge)
        again = Listener(0, "user-0", reads=True)
        await again.open(edge.port)
        figures.refused["a stream afterwards"] = (int(again.head.split(b" ")[1]), "", "")
        again.close()
    return figures


async def _round(edge: EdgeProcess, figures: Figures, which: str) -> None:
    count = figures.streams
    crowd = [Listener(n, f"user-{n // PER_USER}", reads=n % READER == 0) for n in range(count)]
    try:
        async with _asking(edge, figures):
            await _open(edge, crowd, figures)
            figures.look(f"{which} open", edge)
            await _tell(edge, crowd, figures, which)
    finally:
        for one in crowd:
            one.close()
    await _closed(edge, figures)


def _connections(count: int) -> int:
    return count * 6 // 5  # 12,000 for 10,000, as the settings have it


def _make_room(files: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, max(files, hard)))


async def _clusters(edge: EdgeProcess, count: int) -> None:
    """One each for as many users as it takes."""
    body = {"milvus-name": "search-cats", "milvus-type": "M5", "disk-size": 50}
    for number in range(-(-count // PER_USER) + 1):
        made = await edge.ask("POST", "/v1/milvus", f"user-{number}", body)
        assert made.status == 202, made.body


@asynccontextmanager
async def _asking(edge: EdgeProcess, figures: Figures) -> AsyncIterator[None]:
    """Somebody reads a cluster again and again meanwhile."""

    async def ask() -> None:
        while True:
            begun = time.monotonic()
            answer = await edge.ask("GET", "/v1/clusters/search-cats", "user-0")
            figures.asked[answer.status] += 1
            figures.slowest = max(figures.slowest, round(time.monotonic() - begun, 2))
            await asyncio.sleep(0.05)

    task = asyncio.create_task(ask())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _open(edge: EdgeProcess, crowd: list[Listener], figures: Figures) -> None:
    begun = time.monotonic()
    *most, last = crowd
    await open_all(most, edge.port)
    figures.refused["a user's stream"] = await _refused(edge, crowd[0].user)
    await open_all([last], edge.port)
    figures.refused["a stream"] = await _refused(edge, f"user-{len(crowd) // PER_USER + 1}")
    figures.opened += sum(b" 200 " in one.head for one in crowd)
    figures.seconds["open"] = round(time.monotonic() - begun, 1)


async def _refused(edge: EdgeProcess, user: str) -> tuple[int, str, str]:
    ask = http.request("GET", PATH, headers=LIVE, user=user)
    answer = await http.raw(edge.port, ask, then_wait=LONG)
    return answer.status, answer.reason, answer.headers.get("retry-after", "")


async def _too_many_connections(edge: EdgeProcess, figures: Figures) -> None:
    """Fill them with connections that rest; whoever comes then is told so, and room comes back."""
    before, most = edge.files, _connections(figures.streams)
    rest = [await idle(edge.port) for _ in range(most)]
    await _until(lambda: edge.files >= before + most - LEFT_FILES)
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    async with asyncio.timeout(LONG):
        over = await http.read(reader)
    figures.refused["a connection"] = over.status, over.reason, over.headers.get("retry-after", "")
    writer.close()
    for one in rest:
        one.close()
    await _until(lambda: edge.files <= before + LEFT_FILES)


async def _tell(edge: EdgeProcess, crowd: list[Listener], figures: Figures, which: str) -> None:
    """Give every cluster much to tell, and wait until all who do not read are dropped."""
    begun = time.monotonic()
    readers = [one for one in crowd if one.reads]
    reading = [asyncio.create_task(one.read()) for one in readers]
    figures.readers += len(readers)
    for story in edge.behind.world.events.values():
        story += [
            operation_pb2.Event(number=n, type="Long", description="x" * EVENT_BYTES, at_ms=1)
            for n in range(2, STORY + 1)
        ]
    watching = asyncio.create_task(_watch(edge, figures, f"{which} most"))
    await asyncio.gather(*(_dropped(edge, group) for group in _by_user(crowd)))
    watching.cancel()
    figures.ends += Counter(one.reason or "cut" for one in crowd if not one.reads)
    pairs = list(zip(readers, reading, strict=True))
    await _until(lambda: all(_whole(one) or task.done() for one, task in pairs))
    figures.whole += sum(not task.done() for task in reading)
    for task in reading:
        task.cancel()
    await asyncio.gather(*reading, return_exceptions=True)
    figures.seconds["drop"] = round(time.monotonic() - begun, 1)


def _whole(reader: Listener) -> bool:
    return b"id: %d\n" % STORY in reader.told[-2 * EVENT_BYTES :]


def _by_user(crowd: list[Listener]) -> list[list[Listener]]:
    groups: dict[str, list[Listener]] = {}
    for one in crowd:
        if not one.reads:
            groups.setdefault(one.user, []).append(one)
    return list(groups.values())


async def _dropped(edge: EdgeProcess, group: list[Listener]) -> None:
    """Wait until all these streams are over by the BFF's own word, then read what was said."""
    await _until(lambda: edge.ended[group[0].user] >= len(group))
    async with asyncio.timeout(LONG):
        await asyncio.gather(*(one.read() for one in group))


async def _watch(edge: EdgeProcess, figures: Figures, name: str) -> None:
    while True:
        figures.mib[name] = max(edge.mib, figures.mib.get(name, 0.0))
        await asyncio.sleep(0.2)


async def _closed(edge: EdgeProcess, figures: Figures) -> None:
    """All are gone, and the clusters have little to tell again."""
    for story in edge.behind.world.events.values():
        del story[1:]
    await _until(lambda: edge.files <= figures.files["before"] + LEFT_FILES)
    await _until(lambda: edge.ended.total() >= figures.streams)
    edge.ended.clear()


async def _until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(5 * LONG):
        while not true():  # noqa: ASYNC110 - what is looked at is another process
            await asyncio.sleep(0.1)
