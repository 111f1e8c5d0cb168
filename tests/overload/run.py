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


def overload(folder: Path, *, users: int, clusters: int) -> Outcome:
    """Run it; EC2 says no as its documents have it, and machines are the only thing pretended."""
    with ExitStack() as stack:
        running = stack.enter_context(cloud.running(folder))
        settings = hostless_settings(running.ready, folder)
        settings["KITE_REGISTRY_CLUSTERS_PER_USER"] = str(clusters)
        troupe = Troupe(folder / "run", settings)
        stack.callback(troupe.stop)
        troupe.start_all()
        return asyncio.run(_measured(running, troupe, users=users, clusters=clusters))


async def _measured(running: cloud.Cloud, troupe: Troupe, *, users: int, clusters: int) -> Outcome:
    warm = Crowd(troupe.url, 1, 1)
    await warm.follow(await warm.create())
    await warm.delete()
    running.control("POST", "knobs", {"throttled": True})
    outcome = Outcome(crowd=Crowd(troupe.url, users, clusters), before=_memory(troupe))
    watching = asyncio.create_task(_watch(troupe, outcome))
    try:
        await _story(outcome)
    finally:
        watching.cancel()
    codes = running.control("GET", "calls")["calls"]
    outcome.calls = len(codes)
    outcome.refused = sum(one["code"] == LIMITED for one in codes)
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
    sight = look(running.ec2)
    things = (sight.instances, sight.volumes, sight.addresses, sight.interfaces)
    return [str(one)[:200] for each in things for one in each]
