"""The parts of the service put together, for `__main__` and for tests that host it themselves."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc

from kite.clock import Clock, SystemClock
from kite.rpc import client, sweep_rpc
from kite.rpc.server import RpcServer
from kite.rpc.sweep_book import SweepBook, lease_seconds
from kite.rpc.sweep_rpc import SweepRpc
from kite.sweeping import Sweeper
from kite.v1 import adoption_pb2_grpc, sweep_pb2_grpc, whitelist_pb2_grpc
from whitelist_svc import groups, survey_rpc, sweep
from whitelist_svc.apply import Hands, Pause
from whitelist_svc.ec2 import Ec2
from whitelist_svc.follow import Follower
from whitelist_svc.keep import Keeper
from whitelist_svc.mend import How, Mender
from whitelist_svc.records import Records
from whitelist_svc.service import Whitelists
from whitelist_svc.session import Session
from whitelist_svc.settings import Settings
from whitelist_svc.survey_rpc import SurveyRpc
from whitelist_svc.whitelist_rpc import WhitelistRpc

SERVICE = "kite.v1.WhitelistService"
Servicer = tuple[Callable[[Any, grpc.aio.Server], None], Any, str]


@dataclass(frozen=True, slots=True)
class App:
    """`servicers` are arguments of RpcServer.add; `mender` and `sweeper` are the loops."""

    rpc: WhitelistRpc
    for_operators: tuple[Servicer, ...]
    mender: Mender
    sweeper: Sweeper
    whitelists: Whitelists
    keeper: Keeper
    session: Session
    channel: grpc.aio.Channel

    @property
    def servicers(self) -> tuple[Servicer, ...]:
        register = whitelist_pb2_grpc.add_WhitelistServiceServicer_to_server
        return ((register, self.rpc, SERVICE), *self.for_operators)

    def add_to(self, server: RpcServer) -> None:
        for register, servicer, name in self.servicers:
            server.add(register, servicer, name)

    async def close(self) -> None:
        """Let changes in progress end, then let go of EC2 and the registry."""
        await self.rpc.settle()
        await self.session.close()
        await self.channel.close()


def build(
    settings: Settings,
    *,
    session: Session | None = None,
    channel: grpc.aio.Channel | None = None,
    clock: Clock | None = None,
    pause: Pause = asyncio.sleep,
    holder: str = "",
) -> App:
    """The service over EC2 (`session`) and the registry (`channel`); both are made when absent."""
    clock = clock or SystemClock()
    session = session or Session(region=settings.region, endpoint=settings.ec2_endpoint)
    channel = channel or client.connect(settings.registry, name="registry")
    ec2 = Ec2(session)
    # The same name after a restart, so that a duty need not wait for the old lease to end.
    holder = holder or f"{socket.gethostname()}/{settings.whitelist_listen}"
    records = Records(channel, holder=holder)
    policy = settings.policy
    hands = Hands(ec2, clock, pause, limit=policy.per_family)
    follower = Follower(
        ec2, hands, records, clock, install=settings.install, web_gui=policy.web_gui
    )
    keeper = Keeper(
        ec2,
        hands,
        follower,
        records,
        install=settings.install,
        control=groups.base_rules(settings.whitelist_control_cidrs),
    )
    how = How(
        install=settings.install,
        seconds=settings.whitelist_mend_seconds,
        strict=settings.whitelist_strict,
        web_gui=policy.web_gui,
    )
    whitelists = Whitelists(records, follower, clock, policy=policy, pause=pause)
    mender = Mender(ec2, hands, follower, keeper, records, clock, pause, how)
    sweeper = Sweeper(
        sweep.SweepCloud(session, ec2, settings.install),
        _book(settings, channel, holder),
        settings.sweep_policy,
        install=settings.install,
        seconds=settings.whitelist_sweep_seconds,
        mode=settings.whitelist_sweep,
        pause=pause,
    )
    rpc = WhitelistRpc(whitelists, keeper)
    operators = _for_operators(settings, ec2, sweeper)
    return App(rpc, operators, mender, sweeper, whitelists, keeper, session, channel)


def _for_operators(settings: Settings, ec2: Ec2, sweeper: Sweeper) -> tuple[Servicer, ...]:
    sweeps = sweep_pb2_grpc.add_SweepServiceServicer_to_server
    survey = adoption_pb2_grpc.add_SurveyServiceServicer_to_server
    surveyor = SurveyRpc(ec2, install=settings.install, web_gui=settings.policy.web_gui)
    return (
        (sweeps, SweepRpc(sweeper, settings.sweep_policy), sweep_rpc.SERVICE),
        (survey, surveyor, survey_rpc.SERVICE),
    )


def _book(settings: Settings, channel: grpc.aio.Channel, holder: str) -> SweepBook:
    lease = lease_seconds(settings.whitelist_sweep_seconds)
    return SweepBook(channel, sweep.read, duty="sweep-groups", holder=holder, seconds=lease)
