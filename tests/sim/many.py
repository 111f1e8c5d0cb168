"""Many days at once, on all cores, and what they come to in figures."""

from __future__ import annotations

import gc
import multiprocessing
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from provisioner.record import ClusterState
from tests.sim.day import Day, live

CHUNK = 25


@dataclass
class Figures:
    """Sums over days. `bad` holds what was wrong, by seed; `longest` is in seconds."""

    days: int = 0
    bad: dict[int, list[str]] = field(default_factory=dict)
    faults: Counter[str] = field(default_factory=Counter)
    moments: int = 0
    launches: int = 0
    clusters: int = 0
    wanted: int = 0  # of them in the end
    running: int = 0  # of those
    extras: int = 0
    most: int = 0
    longest: float = 0.0
    hours: float = 0.0

    def add(self, day: Day) -> None:
        self.days += 1
        if day.faults:
            self.bad[day.seed] = day.faults
        self.faults.update(day.tale.told)
        self.moments += day.asked
        self.launches += len(day.cloud.hosts)
        self.clusters += len(day.store.rows)
        ends = day.ends
        self.wanted += len(ends)
        self.running += sum(one is ClusterState.RUNNING for one in ends)
        self.extras += day.watch.extras
        self.most = max(self.most, day.watch.most)
        self.longest = max(self.longest, day.watch.longest)
        self.hours += day.lasted / 3600

    def join(self, other: Figures) -> None:
        self.days += other.days
        self.bad |= other.bad
        self.faults.update(other.faults)
        for name in ("moments", "launches", "clusters", "wanted", "running", "extras", "hours"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.most = max(self.most, other.most)
        self.longest = max(self.longest, other.longest)

    def text(self) -> str:
        told = ", ".join(f"{count:,} {kind}" for kind, count in sorted(self.faults.items()))
        return (
            f"{self.days:,} days ({self.hours:,.0f} hours), {self.clusters:,} clusters, "
            f"{self.launches:,} machines, {self.moments:,} calls\n"
            f"troubles: {told}\n"
            f"{self.running:,} of {self.wanted:,} wanted clusters run in the end, the others "
            "met what their reasons say\n"
            f"wrong ends: {len(self.bad)}; temporary extra machines: {self.extras} "
            f"(at most {self.most} for one slot); "
            f"longest time that something was nobody's: {self.longest:.0f} s"
        )


def lived(seeds: Iterable[int]) -> Figures:
    """These days, one after the other, in this process."""
    found = Figures()
    gc.disable()  # days make no garbage in circles worth looking for while they last
    try:
        for seed in seeds:
            found.add(live(seed))
    finally:
        gc.enable()
        gc.collect()
    return found


def chunks(first: int, count: int) -> Iterator[range]:
    for begin in range(first, first + count, CHUNK):
        yield range(begin, min(begin + CHUNK, first + count))


def many(first: int, count: int, heard: Callable[[Figures], None] = lambda _: None) -> Figures:
    """`count` days from seed `first` on, on all cores; `heard` is told the sums so far."""
    found = Figures()
    with pool() as workers:
        for part in workers.map(lived, chunks(first, count)):
            found.join(part)
            heard(found)
    return found


def pool() -> ProcessPoolExecutor:
    """A worker per core."""
    return ProcessPoolExecutor(os.cpu_count() or 1, multiprocessing.get_context("spawn"))
