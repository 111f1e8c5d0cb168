"""The whole service over gRPC: strict EC2 behind it, a registry in memory beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from kite.clock import SystemClock
from kite.errors import KiteError
from kite.rpc import client
from kite.rpc.server import RpcServer
from kite.v1 import whitelist_pb2, whitelist_pb2_grpc
from localcloud.strict.faults import Fault
from tests.rpc.whitelist.fake_registry import FakeRegistry
from tests.worlds.strict import NoLimits
from whitelist_svc import app
from whitelist_svc.session import Session
from whitelist_svc.settings import Settings

CLUSTER = "caaaaaaaaaaaaaaaa"
GRANT, REVOKE = "AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress"
A, B, C, D = (f"198.18.88.{n}" for n in (11, 12, 13, 14))
AUTHORIZED = whitelist_pb2.RULE_STATE_AUTHORIZED
AUTHORIZING = whitelist_pb2.RULE_STATE_AUTHORIZING


class Pauses:
    """Waits that take no time; `clock` moves instead."""

    def __init__(self) -> None:
        self.waited: list[float] = []
        self.clock = FakeClock()

    async def __call__(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.clock.now += seconds


class FakeClock(SystemClock):
    now = 1_800_000_000.0

    def now_ms(self) -> int:
        return int(self.now * 1000)

    def monotonic(self) -> float:
        return self.now


@dataclass
class World:
    strict: Any
    registry: FakeRegistry
    session: Session
    settings: Settings
    channel: Any = None
    pauses: Pauses = field(default_factory=Pauses)
    app: app.App = None  # type: ignore[assignment]
    stub: Any = None
    vpc: str = ""

    @property
    def ec2(self) -> Any:
        """The hands of an operator: moto without rules, faults and log."""
        return self.strict.plain()

    def fault(self, kind: Any, action: str, **more: Any) -> None:
        self.strict.api.faults.add(Fault(kind, action=action, **more))

    def since(self) -> int:
        return self.strict.api.calls.last

    def writes(self, since: int = 0) -> list[str]:
        seen = self.strict.api.calls.all(since=since)
        return [one.action for one in seen if not one.describing]

    def reads(self, since: int = 0) -> int:
        return sum(one.describing for one in self.strict.api.calls.all(since=since))

    async def ensure(self, cluster_id: str = CLUSTER, *, peers: bool = False) -> dict[str, str]:
        answer = await self.stub.EnsureGroups(
            whitelist_pb2.EnsureGroupsRequest(cluster_id=cluster_id, vpc_id=self.vpc, peers=peers)
        )
        return {one.kind: one.group_id for one in answer.groups}

    async def set(self, *ranges: tuple[str, str] | str, **more: Any) -> Any:
        pairs = [(one, "milvus-port") if isinstance(one, str) else one for one in ranges]
        request = whitelist_pb2.SetRulesRequest(
            user="alice",
            milvus_name="cats",
            ranges=[whitelist_pb2.WishedRange(source_ip=a, port_type=b) for a, b in pairs],
            **more,
        )
        return await self.stub.SetRules(request)

    async def get(self) -> Any:
        request = whitelist_pb2.GetRulesRequest(user="alice", milvus_name="cats")
        return await self.stub.GetRules(request)

    def in_force(self, group_id: str) -> dict[tuple[str, int], str]:
        """(range, port) to rule id, as an outsider reads it."""
        found = self.ec2.describe_security_group_rules(
            Filters=[{"Name": "group-id", "Values": [group_id]}]
        )["SecurityGroupRules"]
        return {
            (one.get("CidrIpv4") or one.get("CidrIpv6") or "", one.get("FromPort", -1)): one[
                "SecurityGroupRuleId"
            ]
            for one in found
            if not one["IsEgress"]
        }


@pytest.fixture(scope="session")
def ec2_session(_strict_session):
    """One client per process, as in production."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "kite")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "kite")
        session = Session(
            region="us-east-1", endpoint=_strict_session.api.endpoint, buckets=NoLimits()
        )
        session._built()
    yield session
    session._pool.shutdown()


@pytest.fixture
def settings() -> Settings:
    return Settings(install="test", whitelist_control_cidrs="10.88.0.0/16, 2001:db8::/32")


@pytest.fixture
async def world(strict_ec2, ec2_session, settings) -> AsyncIterator[World]:
    registry = FakeRegistry()
    registry.add(CLUSTER)
    backend, target = await registry.serve()
    made = World(strict_ec2, registry, ec2_session, settings)
    made.vpc = made.ec2.create_vpc(CidrBlock="10.88.0.0/16")["Vpc"]["VpcId"]
    made.channel = client.connect(target, name="registry")
    made.app = app.build(
        settings,
        session=ec2_session,
        channel=made.channel,
        clock=made.pauses.clock,
        pause=made.pauses,
    )
    server = RpcServer("127.0.0.1:0")
    made.app.add_to(server)
    port = await server.start()
    async with client.connect(f"127.0.0.1:{port}", name="whitelist") as channel:
        made.stub = whitelist_pb2_grpc.WhitelistServiceStub(channel)
        yield made
    await server.drain(0)
    await made.channel.close()
    await backend.drain(0)


@pytest.fixture
async def group(world: World) -> str:
    """The whitelist group of a cluster whose record knows it."""
    group_id = (await world.ensure())["whitelist"]
    world.registry.record_group(CLUSTER, group_id)
    return group_id


def at(*addresses: str) -> set[tuple[str, int]]:
    """What `World.in_force` shows when these addresses may use Milvus."""
    return {(f"{one}/32", 19530) for one in addresses}


def wished(world: World) -> list[str]:
    return [one.source_ip for one in world.registry.clusters[CLUSTER].whitelist.rules]


async def failing(world: World, *ranges: tuple[str, str] | str) -> KiteError:
    with pytest.raises(KiteError) as caught:
        await world.set(*ranges)
    return caught.value
