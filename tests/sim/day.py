"""A day of trouble, then calm; and what must be true of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from provisioner.facts import Machine
from provisioner.record import ClusterState
from tests.sim.chance import Chance, Odds, odds_of
from tests.sim.cloud import Cloud
from tests.sim.process import Process
from tests.sim.registry import Store
from tests.sim.virtual import run

TROUBLE, LAST_NEWS, CALM = 1500.0, 200.0, 4 * 3600.0


@dataclass
class Day:
    """One seed: its cloud, its store, and its processes one after the other."""

    seed: int
    odds: Odds | None = None
    cloud: Cloud = field(init=False)
    store: Store = field(init=False)
    faults: list[str] = field(default_factory=list)
    crashes: int = 0
    deleted: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.store = Store()
        self.cloud = Cloud(Chance(self.seed, self.odds or odds_of(self.seed)))
        self.cloud.intents = self.store.intents

    async def live(self) -> None:
        chance = self.cloud.chance
        names = [f"c{n}" for n in range(chance.dice.choice((1, 1, 2)))]
        keepers = [asyncio.create_task(self._keeper(n)) for n in range(chance.dice.choice((1, 2)))]
        stories = [asyncio.create_task(self._story(name)) for name in names]
        await asyncio.sleep(TROUBLE)
        chance.calm = True
        await asyncio.gather(*stories)
        if chance.dice.random() < 0.3:
            await self._delete_all(names)
        await self._settle(names)
        for keeper in keepers:
            keeper.cancel()
        await asyncio.gather(*keepers, return_exceptions=True)
        self._judge(names)

    async def _keeper(self, number: int) -> None:
        """Starts a process again a while after it died."""
        rounds = 0
        while True:
            process = Process(f"p{number}.{rounds}", self.cloud, self.store)
            process.start()
            try:
                await process.dead.wait()
                self.crashes += 1
            finally:
                await process.stop()
            rounds += 1
            await asyncio.sleep(self.cloud.chance.between(0, 45))

    async def _story(self, name: str) -> None:
        """What the user and the neighbours of this cluster do."""
        dice = self.cloud.chance.dice
        await asyncio.sleep(dice.uniform(0, 30))
        self.store.create(name)
        if dice.random() < 0.3:
            await asyncio.sleep(dice.expovariate(1 / 200))
            for host in self.cloud.alive(name):
                self.cloud.end(host)
        if dice.random() < 0.5:
            await asyncio.sleep(dice.expovariate(1 / 200))
            self.store.delete(name)
            self.deleted.add(name)

    async def _delete_all(self, names: list[str]) -> None:
        """Somebody tidies up: everything goes at almost the same time."""
        for name in names:
            await asyncio.sleep(self.cloud.chance.between(0, 2))
            if name not in self.deleted:
                self.store.delete(name)
                self.deleted.add(name)

    async def _settle(self, names: list[str]) -> None:
        await asyncio.sleep(LAST_NEWS)
        end = asyncio.get_running_loop().time() + CALM
        while asyncio.get_running_loop().time() < end:
            if all(self._rests(name) for name in names):
                return
            await asyncio.sleep(30)

    def _rests(self, name: str) -> bool:
        if name in self.deleted:
            return self.store.rows[name].gone
        record = self.store.record(name)
        still = not any(node.retiring for node in record.nodes)
        return still and record.state in {ClusterState.RUNNING, ClusterState.FAILED}

    def _judge(self, names: list[str]) -> None:
        cloud = self.cloud
        # A process that stood still longer than its lease may do one thing more than it should;
        # the machine is ended again at once, which the rest of the judgement demands.
        if cloud.most > (2 if cloud.chance.odds.freeze else 1):
            self.faults.append(f"{cloud.most} machines for one slot at a time")
        self.faults += [f"launched {t} without a committed intent" for t in cloud.unannounced]
        for name in names:
            self._judge_one(name)
        if all(self.store.rows[n].gone for n in names):
            left = [*cloud.addresses, *cloud.groups, *(["base"] if cloud.base else [])]
            self.faults += [f"{thing} is left" for thing in left]

    def _judge_one(self, name: str) -> None:
        alive, row = self.cloud.alive(name), self.store.rows[name]
        if name in self.deleted:
            owned = [i for i, c in self.cloud.owners.items() if c == name]
            if not row.gone:
                self.faults.append(f"{name} is not gone: {self.store.record(name)}")
            if alive or name in self.cloud.groups or set(owned) & set(self.cloud.addresses):
                self.faults.append(f"{name} left something behind")
            return
        record = self.store.record(name)
        node = record.nodes[0] if record.nodes else None
        match record.state:
            case ClusterState.RUNNING:
                good = len(alive) == 1 and node and node.instance_id == alive[0].instance_id
                good = good and alive[0].machine(self.cloud.now) is Machine.RUNNING
                good = good and alive[0].secured
            case ClusterState.FAILED:
                good = not alive and bool(record.reason) and bool(record.why)
            case _:
                good = False
        if not good:
            self.faults.append(f"{name}: {[h.instance_id for h in alive]} {record}")


def live(day: Day) -> Day:
    run(day.live())
    return day
