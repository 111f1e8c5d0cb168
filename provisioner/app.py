"""The parts of the service put together, for `__main__` and for tests that host it themselves."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import grpc

from kite.clock import Clock, SystemClock
from kite.rpc import client, sweep_rpc
from kite.rpc.server import RpcServer
from kite.rpc.sweep_book import SweepBook, lease_seconds
from kite.rpc.sweep_rpc import SweepRpc
from kite.sweeping import Sweeper
from kite.v1 import adoption_pb2_grpc, provisioner_pb2_grpc, sweep_pb2_grpc
from provisioner import survey_rpc
from provisioner.ec2 import client as ec2_client
from provisioner.ec2 import network
from provisioner.ec2.client import Ec2
from provisioner.ec2.finding import SiteFinder
from provisioner.ec2.offerings import Offerings
from provisioner.groups import Groups
from provisioner.holder import holder_name
from provisioner.install.runner import Installer
from provisioner.installs import Installer as InstallerLike
from provisioner.installs import Installs, Secrets
from provisioner.loop import Loop, Pace
from provisioner.milvus.probe import MilvusProbe
from provisioner.provisioner_rpc import ProvisionerRpc
from provisioner.reach import ssh_answers
from provisioner.registry import RegistryClient
from provisioner.registry_time import RegistryTime
from provisioner.settings import Settings
from provisioner.survey_rpc import SurveyRpc
from provisioner.sweep import facts as sweep_facts
from provisioner.sweep.cloud import SweepCloud
from provisioner.world import Ec2World, Probe

SERVICE = "kite.v1.ProvisionerService"
Servicer = tuple[Callable[[Any, grpc.aio.Server], None], Any, str]


@dataclass(frozen=True, slots=True)
class App:
    """`servicers` are arguments of RpcServer.add; `loop.run()` and `sweeper.run()` are the work."""

    rpc: ProvisionerRpc
    for_operators: tuple[Servicer, ...]
    loop: Loop
    sweeper: Sweeper
    world: Ec2World
    ec2: Ec2
    installs: Installs
    channels: tuple[grpc.aio.Channel, ...]

    @property
    def servicers(self) -> tuple[Servicer, ...]:
        register = provisioner_pb2_grpc.add_ProvisionerServiceServicer_to_server
        return ((register, self.rpc, SERVICE), *self.for_operators)

    def add_to(self, server: RpcServer) -> None:
        for register, servicer, name in self.servicers:
            server.add(register, servicer, name)

    async def close(self) -> None:
        """Cancel installs and let go of EC2 and the other services."""
        await self.installs.close()
        self.ec2.close()
        await asyncio.gather(*(channel.close() for channel in self.channels))


@dataclass(frozen=True, slots=True)
class Parts:
    """What a test may bring in the place of the real thing; None = made from the settings."""

    clients: Callable[[], Any] | None = None
    registry: grpc.aio.Channel | None = None
    whitelist: grpc.aio.Channel | None = None
    installer: InstallerLike | None = None
    probe: Probe | None = None
    ssh: Callable[[str], Awaitable[bool]] | None = None
    clock: Clock | None = None
    holder: str = ""


def build(settings: Settings, parts: Parts | None = None) -> App:
    """The service over EC2, the registry, the whitelist service and Ansible."""
    parts = parts or Parts()
    clock = RegistryTime(parts.clock or SystemClock())
    registry = parts.registry or client.connect(settings.registry, name="registry")
    whitelist = parts.whitelist or client.connect(settings.whitelist, name="whitelist")
    secret = settings.secret.get_secret_value()
    ec2 = Ec2(parts.clients or _clients(settings), clock)
    installs = Installs(
        parts.installer or Installer(settings.install_settings),
        Secrets(settings.install, secret),
        settings.variables,
    )
    holder = parts.holder or holder_name(settings.install, settings.provisioner_listen)
    records = RegistryClient(
        registry,
        holder=holder,
        lease_seconds=settings.provisioner_lease_seconds,
        clock=clock,
    )
    world = Ec2World(
        ec2,
        SiteFinder(ec2, _wanted(settings), clock),
        secret=secret,
        registry=records,
        groups=Groups(whitelist),
        installs=installs,
        probe=parts.probe or MilvusProbe(),
        ssh=parts.ssh or partial(ssh_answers, port=settings.provisioner_ssh_port),
    )
    loop = Loop(world, records, clock, settings.limits, _pace(settings))
    rpc = ProvisionerRpc(installs, loop.nudge, Offerings(ec2, world.site, clock).zones)
    cloud = SweepCloud(ec2, settings.install)
    sweeper = _sweeper(settings, cloud, registry, holder)
    operators = _for_operators(settings, world, cloud, sweeper)
    return App(rpc, operators, loop, sweeper, world, ec2, installs, (registry, whitelist))


def _for_operators(
    settings: Settings, world: Ec2World, cloud: SweepCloud, sweeper: Sweeper
) -> tuple[Servicer, ...]:
    sweep = sweep_pb2_grpc.add_SweepServiceServicer_to_server
    survey = adoption_pb2_grpc.add_SurveyServiceServicer_to_server
    return (
        (sweep, SweepRpc(sweeper, settings.sweep_policy), sweep_rpc.SERVICE),
        (survey, SurveyRpc(cloud, world.site, settings.install), survey_rpc.SERVICE),
    )


def _sweeper(
    settings: Settings, cloud: SweepCloud, registry: grpc.aio.Channel, holder: str
) -> Sweeper:
    seconds = settings.provisioner_sweep_seconds
    return Sweeper(
        cloud,
        SweepBook(
            registry,
            partial(sweep_facts.read, install=settings.install),
            duty="sweep",
            holder=holder,
            seconds=lease_seconds(seconds),
        ),
        settings.sweep_policy,
        install=settings.install,
        seconds=seconds,
        mode=settings.provisioner_sweep,
    )


def _clients(settings: Settings) -> Callable[[], Any]:
    return lambda: ec2_client.build(settings.region, settings.ec2_endpoint)


def _wanted(settings: Settings) -> network.Wanted:
    return network.Wanted(
        install=settings.install,
        region=settings.region,
        image_id=settings.provisioner_image_id,
        image_name=settings.provisioner_image_name,
        subnet_ids=settings.provisioner_subnets,
        root_gib=settings.provisioner_root_gib,
        reach=settings.provisioner_reach,
    )


def _pace(settings: Settings) -> Pace:
    return Pace(
        claims=settings.provisioner_claims,
        acting=settings.provisioner_concurrency,
        renew_seconds=settings.provisioner_lease_seconds / 3,
    )
