"""A day of trouble, then calm; and what must be true of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

from provisioner.record import ClusterState, NodeState
from tests.sim import ear, judge
from tests.sim.actor import Actor
from tests.sim.chance import Chance, Odds, odds_of
from tests.sim.cloud import Cloud
from tests.sim.process import GroupSweep, Process
from tests.sim.registry import Store
from tests.sim.tale import Tale
from tests.sim.virtual import Stuck, run
from tests.sim.watch import Watch

TROUBLE, CALM, LOOK = 900.0, 2 * 3600.0, 30.0


@dataclass(frozen=True)
class Plan:
    """Who takes part; None is left to the dice. `script` forces a fault at a moment of p1.0."""

    odds: Odds | None = None
    processes: int | None = None
    clusters: int | None = None
    workers: int | None = None
    trouble: float = TROUBLE
    tidy: float = 0.2  # how likely all is deleted at once in the end
    script: tuple[tuple[int | str, str], ...] = ()
    base_goes: bool = False  # with the last cluster, without a rest
    prompt: bool = False  # nothing goes wrong, so every wish comes true in its time
    patience: float = TROUBLE + judge.SWEPT  # seconds that a machine that came late may be nobody's


@dataclass
class Day:
    """One seed: its cloud, its store, and its processes one after the other."""

    seed: int
    plan: Plan = field(default_factory=Plan)
    wrong_ways: list[str] = field(default_factory=list)
    wrong_ends: list[str] = field(default_factory=list)
    moments: list[str] = field(default_factory=list)
    lasted: float = 0.0
    asked: int = 0

    def __post_init__(self) -> None:
        self.tale = Tale()
        self.chance = Chance(self.seed, self.plan.odds or odds_of(self.seed))
        self.away_until: dict[str, float] = {}
        self.alive: list[Actor] = []

    @property
    def faults(self) -> list[str]:
        return self.wrong_ends + self.wrong_ways

    @property
    def ends(self) -> list[ClusterState]:
        """The states of the clusters that users still want."""
        wanted = [one for one in self.store.rows if self.store.wanted(one)]
        return [self.store.record(one).state for one in wanted]

    async def live(self) -> None:
        self.cloud = Cloud(self.chance, self.tale)
        self.store = Store(self.tale, chance=self.chance)
        self.watch = Watch(self.cloud, self.store, base_goes=self.plan.base_goes)
        self.cloud.born, self.cloud.ended = self.watch.born, self.watch.ended
        self.store.written = self.watch.written
        story, plan = self.chance.story, self.plan
        count = plan.processes or story.choice((1, 2, 2, 3))
        clusters = plan.clusters or story.choice((1, 1, 1, 2, 3))
        keepers = [asyncio.create_task(self._keeper(n)) for n in range(count + 1)]
        troubles = asyncio.create_task(self._troubles())
        stories = [asyncio.create_task(self._story(f"cats{n}")) for n in range(clusters)]
        await asyncio.sleep(plan.trouble)
        self._calm()
        await asyncio.gather(*stories)
        troubles.cancel()
        if story.random() < plan.tidy:
            await self._tidy()
        await self._settle()
        for keeper in keepers:
            keeper.cancel()
        await asyncio.gather(*keepers, return_exceptions=True)
        self.wrong_ways = judge.on_the_way(self.watch, patience=plan.patience) + ear.heard
        if plan.prompt:
            self.wrong_ways += judge.slow(self.store)
        self.wrong_ends = judge.unsettled(self.cloud, self.store, self.watch)
        self.lasted = self.cloud.now

    async def _tidy(self) -> None:
        """Everything is deleted at almost the same time."""
        for cluster_id in list(self.store.rows):
            await asyncio.sleep(self.chance.story.uniform(0, 2))
            self.store.delete(cluster_id)

    def _calm(self) -> None:
        self.chance.calm = True
        self.watch.calm_from = self.cloud.now
        self.store.quiet_from_ms = self.store.clock.now_ms()
        self.away_until.clear()
        for actor in self.alive:
            actor.wall.skew = 0.0
        self.tale.tell("day", "calm from now on")

    async def _keeper(self, number: int) -> None:
        """Starts a process again a while after it ended; number 0 is a whitelist service."""
        rounds = 0
        while True:
            first = (number, rounds) == (1, 0)
            actor = Actor(
                f"{'p' if number else 'w'}{number}.{rounds}",
                self.chance,
                self.tale,
                self.away_until,
                dict(self.plan.script) if first else {},
                self.moments if first else [],
            )
            make = Process if number else GroupSweep
            self.alive.append(actor)
            make(actor, self.cloud, self.store).start()
            try:
                await actor.ended.wait()
            finally:
                self.alive.remove(actor)
                await actor.bury()
                self.asked += len(actor.moments) // 2
            rounds += 1
            await asyncio.sleep(self.chance.between(0, 45))

    # neighbours ---------------------------------------------------------------------------------

    async def _troubles(self) -> None:
        """What comes by the minute."""
        chance = self.chance
        while True:
            await asyncio.sleep(60)
            for actor in list(self.alive):
                if chance.hits("drain"):
                    actor.drain()
                if chance.hits("skew"):
                    actor.wall.skew = chance.between(-600, 600)
                    self.tale.fault(actor.name, "skew", f"{actor.wall.skew:.0f} s")
            for what in ("cloud", "registry"):
                if chance.hits("away"):
                    seconds = chance.between(5, 600)
                    self.away_until[what] = self.cloud.now + seconds
                    self.tale.fault(what, "away", f"for {seconds:.0f} s")
            if chance.hits("forbidden"):
                seconds = chance.between(5, 300)
                self.cloud.forbidden_until = self.cloud.now + seconds
                self.tale.fault("ec2", "forbidden", f"for {seconds:.0f} s")

    async def _story(self, name: str) -> None:
        """What the user and the neighbours of this name do."""
        story, odds = self.chance.story, self.chance.odds
        await asyncio.sleep(story.uniform(0, 30))
        for life in range(2):
            cluster_id = f"{name}-{life}"
            workers = self.plan.workers
            if workers is None:
                workers = story.choice((0, 0, 0, 0, 1, 2, 3))
            self.store.create(cluster_id, name, workers=workers)
            neighbours = [asyncio.create_task(self._outside(cluster_id))]
            if self.chance.late.random() < odds.veil:
                neighbours.append(asyncio.create_task(self._veil(cluster_id)))
            deleted = story.random() < odds.deleted
            if deleted:
                soon = story.random() < 0.4  # while it is still being made
                await asyncio.sleep(story.uniform(0, 20) if soon else story.expovariate(1 / 250))
                self.store.delete(cluster_id)
            await asyncio.gather(*neighbours)
            if not deleted or story.random() >= odds.again:
                return
            latest = self.cloud.now + CALM
            while self.store.rows[cluster_id].live:  # until then the name is taken
                if self.cloud.now > latest:
                    return  # the judge will say so
                await asyncio.sleep(5)
            await asyncio.sleep(story.uniform(0, 10))

    async def _outside(self, cluster_id: str) -> None:
        """Somebody ends or stops machines by hand."""
        story, odds = self.chance.story, self.chance.odds
        if story.random() < odds.killed:
            await asyncio.sleep(story.expovariate(1 / 200))
            for host in self._some(cluster_id):
                self.tale.fault("ops", "killed", host.instance_id)
                self.cloud.end(host, "User initiated")
        if story.random() < odds.stopped:
            await asyncio.sleep(story.expovariate(1 / 200))
            for host in self._some(cluster_id):
                self.tale.fault("ops", "stopped", host.instance_id)
                host.stopped, host.stops = True, host.stops + 1
                if story.random() < 0.5:
                    await asyncio.sleep(story.uniform(1, 900))
                    host.stopped = False
                    self.tale.tell("ops", f"starts {host.instance_id} again")

    async def _veil(self, cluster_id: str) -> None:
        """EC2 does not show machines of which it is written that they run."""
        late = self.chance.late
        await asyncio.sleep(late.expovariate(1 / 400))
        row = self.store.rows[cluster_id]
        running = [n for n in self.store.record(cluster_id).nodes if n.state is NodeState.RUNNING]
        for node in running if row.live else ():
            seconds = late.uniform(1, 900)
            self.cloud.hosts[node.instance_id].veiled_until = self.cloud.now + seconds
            self.tale.fault("ec2", "veil", f"{node.instance_id} for {seconds:.0f} s")

    def _some(self, cluster_id: str) -> list:  # type: ignore[type-arg]
        now = self.cloud.now
        mine = [
            h
            for h in self.cloud.hosts.values()
            if h.cluster_id == cluster_id and h.running_at <= now < h.ended_at
        ]
        return [h for h in mine if self.chance.story.random() < 0.6]

    async def _settle(self) -> None:
        """All of it within hours, but for what the sweep has promised to keep for longer."""
        end = self.cloud.now + CALM
        while left := judge.unsettled(self.cloud, self.store, self.watch):
            if self.cloud.now >= end and not judge.kept(self.cloud, self.store).issuperset(left):
                return
            await asyncio.sleep(LOOK)


def live(seed: int, plan: Plan | None = None) -> Day:
    """One day, lived."""
    day = Day(seed, plan or Plan())
    ear.heard.clear()
    try:
        run(day.live())
    except Stuck as stuck:
        day.wrong_ends.append(str(stuck))
    return day


def calm_odds(**more: float) -> Odds:
    """No trouble but these."""
    return replace(Odds(deleted=0.0, again=0.0), **more)
