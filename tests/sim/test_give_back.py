"""A cluster whose visit failed is let go of, so that it need not wait for the lease to end."""

from __future__ import annotations

import asyncio
import contextlib

from kite.errors import LeaseLost, Unavailable
from provisioner.limits import Limits
from provisioner.loop import Loop
from tests.sim import test_turn
from tests.sim.virtual import VirtualClock
from tests.unit.provisioner.shapes import facts, node, record


class Registry(test_turn.Registry):
    """One cluster to claim; its answers in order are exceptions or None."""

    def __init__(self, *answers):
        super().__init__()
        self.answers = list(answers)
        self.asked = []
        self.offered = [test_turn.claim(record(node()))]
        self.done = asyncio.Event()

    def _answer(self, what):
        self.asked.append((what, asyncio.get_running_loop().time()))
        answer = self.answers.pop(0) if self.answers else None
        if not self.answers:
            self.done.set()
        if answer:
            raise answer

    async def claim(self, most, held):
        offered, self.offered = self.offered, []
        return offered

    async def renew(self, held):
        return {cluster_id: asyncio.get_running_loop().time() + 30 for cluster_id, _ in held}

    async def commit(self, claim, write):
        self._answer("commit")
        return await super().commit(claim, write)

    async def release(self, claim):
        self._answer("release")

    async def hints(self):
        await asyncio.get_running_loop().create_future()
        yield ""


async def lived(registry):
    loop = Loop(test_turn.World(facts()), registry, VirtualClock(), Limits())
    running = asyncio.create_task(loop.run())
    await registry.done.wait()
    await asyncio.sleep(1)
    left = dict(loop._visits)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    return left


async def test_it_is_given_back_as_soon_as_the_registry_answers():
    registry = Registry(Unavailable("away"), Unavailable("away"), Unavailable("away"), None)
    assert await lived(registry) == {}
    assert [what for what, _ in registry.asked] == ["commit", "release", "release", "release"]
    times = [at for _, at in registry.asked]
    assert times == sorted(set(times))  # with a pause before each


async def test_what_is_somebody_elses_by_now_is_left_alone():
    registry = Registry(Unavailable("away"), LeaseLost("over"))
    assert await lived(registry) == {}
    assert [what for what, _ in registry.asked] == ["commit", "release"]


async def test_who_lost_the_lease_gives_nothing_back():
    registry = Registry(LeaseLost("over"))
    assert await lived(registry) == {}
    assert [what for what, _ in registry.asked] == ["commit"]
