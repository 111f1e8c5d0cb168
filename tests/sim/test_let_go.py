"""A loop that is ended in the middle of a turn forgets nothing that was written down."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace

from provisioner.limits import Limits
from provisioner.loop import Loop
from tests.sim import test_turn
from tests.sim.virtual import VirtualClock
from tests.unit.provisioner.shapes import facts, node, record


class World(test_turn.World):
    """EC2's answer to whatever is done never comes."""

    def __init__(self, seen):
        super().__init__(seen)
        self.begun = asyncio.Event()

    async def act(self, record, action):
        self.acted.append(action)
        self.begun.set()
        await asyncio.get_running_loop().create_future()


class Registry(test_turn.Registry):
    """One cluster to claim."""

    def __init__(self):
        super().__init__()
        self.released = []
        self.offered = [replace(test_turn.claim(record(node())))]

    async def claim(self, most, held):
        offered, self.offered = self.offered, []
        return offered

    async def release(self, claim):
        self.released.append(claim.record.cluster_id)

    async def hints(self):
        await asyncio.get_running_loop().create_future()
        yield ""


async def test_a_cut_off_turn_leaves_its_intent_as_it_was_reserved():
    world, registry = World(facts()), Registry()
    loop = Loop(world, registry, VirtualClock(), Limits())
    running = asyncio.create_task(loop.run())
    await world.begun.wait()
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    (launch,) = world.acted
    (reserved,) = registry.writes  # nothing older was written over it
    assert reserved.record.nodes[0].intent == launch.intent
    assert registry.released == [reserved.record.cluster_id]
