"""The processes that are put to the test, as they are down to their wires.

Real are the loop, the turn, every decision, Ec2World with its hands and eyes, and the registry's
client; simulated are EC2 itself, the other services, hosts and time.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from kite.errors import Unavailable
from kite.rpc.sweep_book import SweepBook
from kite.sweep import Mode, Policy
from kite.sweeping import Sweeper
from provisioner import guard
from provisioner.ec2 import network
from provisioner.ec2.finding import SiteFinder
from provisioner.facts import Answer, Machine, Reach
from provisioner.groups import Groups as GroupsClient
from provisioner.installs import Installs, Secrets
from provisioner.limits import Limits
from provisioner.loop import Loop, Pace
from provisioner.registry import RegistryClient
from provisioner.registry_time import RegistryTime
from provisioner.sweep import facts as sweep_facts
from provisioner.sweep.cloud import SweepCloud
from provisioner.world import Ec2World
from tests.sim import swift
from tests.sim.actor import Actor
from tests.sim.cloud import Cloud
from tests.sim.groups import Groups
from tests.sim.hosts import Host
from tests.sim.installer import Installer
from tests.sim.registry import Store
from tests.sim.wire import CLOUD, HOST, REGISTRY, Over, Wire
from whitelist_svc import sweep as whitelist_sweep
from whitelist_svc.ec2 import Ec2 as WhitelistEc2

LIMITS = Limits(poll_ms=2_000, settled_ms=60_000)
PACE = Pace(poll_seconds=20.0, reread_seconds=6.0)
SECRET = "a secret of the simulator"
swift.prepare()
INSTALL, LEASE = "sim", 30
POLICY, MODE = Policy(), Mode.ON
SWEEP_SECONDS, DUTY_SECONDS = 60, 120
WANTED = network.Wanted(INSTALL, "us-east-1", "ami-1", "", (), 20, Reach.PUBLIC)


class Process:
    """One provisioner, put together as provisioner.app.build does it."""

    def __init__(self, actor: Actor, cloud: Cloud, store: Store) -> None:
        self.actor = actor
        self.cloud = cloud
        self.wire = wire = actor.wire
        wire.sent = store.underway.append
        self.clock, holder = RegistryTime(actor.wall), actor.holder
        registry: Any = Channel(wire, REGISTRY, store.answer, store)
        whitelist: Any = Channel(wire, CLOUD, Groups(cloud).answer, store)
        door: Any = Door(wire, cloud)
        records = RegistryClient(
            registry, holder=actor.holder, lease_seconds=LEASE, clock=self.clock
        )
        world = Ec2World(
            door,
            SiteFinder(door, WANTED, self.clock),
            secret=SECRET,
            registry=records,
            groups=GroupsClient(whitelist),
            installs=Installs(Installer(actor, cloud), Secrets(INSTALL, SECRET), {}),
            probe=Probe(wire, cloud),
            ssh=self._ssh,
        )
        read = functools.partial(sweep_facts.read, install=INSTALL)
        book = SweepBook(registry, read, duty="sweep", holder=holder, seconds=DUTY_SECONDS)
        self.loop = Loop(world, records, self.clock, LIMITS, PACE, chance=lambda: 0.5)
        self.sweeper = _sweeper(SweepCloud(door, INSTALL), book)

    def start(self) -> None:
        self.actor.start(self.loop.run, self.sweeper.run)

    async def _ssh(self, address: str) -> bool:
        def answers() -> bool:
            host = by_address(self.cloud, address)
            return host is not None and self.cloud.now >= host.ssh_at

        return bool(await self.wire.ask(f"ssh {address}", answers, HOST))


def _sweeper(cloud: Any, book: SweepBook) -> Sweeper:
    return Sweeper(cloud, book, POLICY, install=INSTALL, seconds=SWEEP_SECONDS, mode=MODE)


class GroupSweep:
    """The sweeping half of one whitelist service, put together as whitelist_svc.app.build does."""

    def __init__(self, actor: Actor, cloud: Cloud, store: Store) -> None:
        self.actor = actor
        actor.wire.sent = store.underway.append
        registry: Any = Channel(actor.wire, REGISTRY, store.answer, store)
        session: Any = Session(actor.wire, Groups(cloud))
        book = SweepBook(
            registry,
            whitelist_sweep.read,
            duty="sweep-groups",
            holder=actor.holder,
            seconds=DUTY_SECONDS,
        )
        door = whitelist_sweep.SweepCloud(session, WhitelistEc2(session), INSTALL)
        self.sweeper = _sweeper(door, book)

    def start(self) -> None:
        self.actor.start(self.sweeper.run)


@dataclass
class Session:
    """whitelist_svc.session.Session, as far as the sweep needs it."""

    wire: Wire
    groups: Groups

    async def call(self, method: str, **asked: Any) -> dict[str, Any]:
        act = getattr(self.groups, method)
        found = await self.wire.ask(method, lambda: act(asked), CLOUD)
        return dict(found)

    async def pages(self, method: str, key: str, **asked: Any) -> list[Any]:
        return list((await self.call(method, **asked))[key])


@dataclass
class Door:
    """provisioner.ec2.client.Ec2, without threads and botocore."""

    wire: Wire
    cloud: Cloud

    async def call(
        self, action: str, parameters: dict[str, Any], *, once: bool = False
    ) -> dict[str, Any]:
        def act() -> dict[str, Any]:
            self.cloud.sender = self.wire.sender.name, self.wire.given_up
            return self.cloud.do(action, parameters)

        guard.current()()
        return dict(await self.wire.ask(action, act, CLOUD))


_REPEATED = frozenset({"Commit", "Renew", "ClaimDuty", "GetCluster", "ListClusters"})


@dataclass
class Channel:
    """What generated stubs take for a grpc.aio.Channel."""

    wire: Wire
    kind: Any
    answer: Callable[[str, Any], Any]
    store: Store

    def unary_unary(self, path: str, **_: Any) -> Callable[..., Awaitable[Any]]:
        what = path.rpartition("/")[2]

        async def call(request: Any, **_: Any) -> Any:
            for tries in range(2):
                try:
                    return await self.wire.ask(what, lambda: self.answer(path, request), self.kind)
                except Unavailable:  # the real channel repeats what may be repeated
                    if tries or what not in _REPEATED or not self.wire.chance.coin():
                        raise
            raise AssertionError

        return call

    def unary_stream(self, path: str, **_: Any) -> Callable[..., AsyncIterator[Any]]:
        return lambda request: self._hints()

    async def _hints(self) -> AsyncIterator[Any]:
        """Some hints get lost, and now and then the stream breaks."""
        from kite.v1.controller_pb2 import WatchHintsResponse

        mine: asyncio.Queue[str] = asyncio.Queue()
        self.store.watchers.append(mine)
        try:
            while True:
                hint = await mine.get()
                if self.wire.sender.over:
                    raise Over
                if self.wire.chance.hits("registry"):
                    raise Unavailable("sim: hints broke off")
                yield WatchHintsResponse(cluster_id=hint)
        finally:
            self.store.watchers.remove(mine)


@dataclass
class Probe:
    """Milvus over its own port."""

    wire: Wire
    cloud: Cloud

    async def look(self, address: str, password: str) -> Answer:
        def answer() -> Answer:
            host = by_address(self.cloud, address)
            if host is None or self.cloud.now < host.installed_at + host.speaks_at:
                return Answer.SILENT
            return Answer.ANSWERS if host.secured else Answer.UNSECURED

        found: Answer = await self.wire.ask(f"look {address}", answer, HOST)
        return found

    async def secure(self, address: str, password: str) -> None:
        def secure() -> None:
            host = by_address(self.cloud, address)
            if host is None:
                raise Unavailable("sim: nobody at this address")
            host.secured = True

        await self.wire.ask(f"secure {address}", secure, HOST)


def by_address(cloud: Cloud, address: str) -> Host | None:
    for host in cloud.hosts.values():
        if address in (host.private_ip, host.public_ip) and (
            host.machine(cloud.now) is Machine.RUNNING
        ):
            return host
    return None
