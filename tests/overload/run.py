"""One overload: services as processes, a throttled EC2, a crowd; what came of it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos import cloud
from tests.chaos.audit import look
from tests.chaos.troupe import Troupe, hostless_settings
from tests.overload.crowd import Crowd

LIMITED = "RequestLimitExceeded"
PUBLISHED = (5.0, 2.0)
"""Size of the bucket of RunInstances and its refill a second, as AWS has it."""
MENDED_SECONDS = 60


@dataclass
class Outcome:
    """Figures of a run; memory in MiB, before the crowd and at most, by service."""

    ended: Counter = field(default_factory=Counter)
    deleted: Counter = field(default_factory=Counter)
    documents: list[dict[str, Any]] = field(default_factory=list)
    crowd: Crowd | None = None
    before: dict[str, float] = field(default_factory=dict)
    most: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    calls: int = 0
    refused: int = 0
    left: list[str] = field(default_factory=list)


def overload(
    folder: Path, *, users: int, clusters: int, rate: tuple[float, float] = PUBLISHED
) -> Outcome:
    """Run it; EC2 says no as its documents have it, and machines are the only thing pretended.

    A `rate` of launches below the published one is an account that others use too.
    """
    with ExitStack() as stack:
        running = stack.enter_context(cloud.running(folder))
        settings = hostless_settings(running.ready, folder)
        settings["KITE_REGISTRY_CLUSTERS_PER_USER"] = str(clusters)
        troupe = Troupe(folder / "run", settings)
        stack.callback(troupe.stop)
        troupe.start_all()
        outcome = Outcome(crowd=Crowd(troupe.url, users, clusters))
        return asyncio.run(_measured(running, troupe, outcome, rate))


async def _measured(
    running: cloud.Cloud, troupe: Troupe, outcome: Outcome, rate: tuple[float, float]
) -> Outcome:
    warm = Crowd(troupe.url, 1, 1)
    await warm.follow(await warm.create())
    await warm.delete()
    known = len(running.control("GET", "calls")["calls"])
    rates = {"RunInstances": list(rate)}
    running.control("POST", "knobs", {"throttled": True, "rates": rates})
    outcome.before = _memory(troupe)
    watching = asyncio.create_task(_watch(troupe, outcome))
    try:
        await _story(outcome)
    finally:
        watching.cancel()
    seen = running.control("GET", "calls")["calls"][known:]
    outcome.calls = len(seen)
    outcome.refused = sum(one["code"] == LIMITED for one in seen)
    outcome.left = await asyncio.to_thread(_left, running)
    return outcome


async def _story(outcome: Outcome) -> None:
    crowd = outcome.crowd
    begun = time.monotonic()

    def took(what: str) -> None:
        nonlocal begun
        outcome.seconds[what] = round(time.monotonic() - begun, 1)
        begun = time.monotonic()

    operations = await crowd.create()
    took("accepted")
    outcome.ended = await crowd.follow(operations)
    took("ended")
    await crowd.whitelist()
    took("whitelisted")
    outcome.documents = await crowd.documents()
    took("read")
    outcome.deleted = await crowd.delete()
    took("deleted")


async def _watch(troupe: Troupe, outcome: Outcome) -> None:
    while True:
        for name, mib in _memory(troupe).items():
            outcome.most[name] = max(mib, outcome.most.get(name, 0.0))
        await asyncio.sleep(0.2)


def _memory(troupe: Troupe) -> dict[str, float]:
    """VmRSS of every service, MiB."""
    found = {}
    for name in troupe.names:
        lines = Path(f"/proc/{troupe.pid(name)}/status").read_text().splitlines()
        kib = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
        found[name] = round(kib / 1024, 1)
    return found


def _left(running: cloud.Cloud) -> list[str]:
    """Also the base group, which may outlive its last clusters until the mending loop comes."""
    end = time.monotonic() + MENDED_SECONDS
    while (found := _things(running)) and time.monotonic() < end:
        time.sleep(1)
    return found


def _things(running: cloud.Cloud) -> list[str]:
    return [str(one)[:200] for each in vars(look(running.ec2)).values() for one in each]
