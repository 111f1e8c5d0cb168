"""WhitelistService on the wire, with a registry beside it and no EC2 behind it."""

from __future__ import annotations

from typing import Any

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from kite import errors
from kite.rpc import client
from kite.rpc.server import RpcServer
from kite.v1 import cluster_pb2, whitelist_pb2, whitelist_pb2_grpc
from tests.rpc.whitelist.fake_registry import FakeRegistry
from whitelist_svc import app
from whitelist_svc.session import Session
from whitelist_svc.settings import Settings

MILVUS, MILVUS_EM = cluster_pb2.PORT_TYPE_MILVUS, cluster_pb2.PORT_TYPE_MILVUS_EM


class NoEc2(Session):
    """Every call finds nobody; what was asked is kept."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def call(self, operation: str, **params: Any) -> Any:
        self.asked.append(operation)
        raise errors.Unavailable("EC2 did not answer", reason="CLOUD_AWAY")

    async def pages(self, operation: str, what: str, **params: Any) -> Any:
        return await self.call(operation)

    async def close(self) -> None:
        """Nothing is open."""


class Wire:
    def __init__(self) -> None:
        self.registry = FakeRegistry()
        self.ec2 = NoEc2()
        self.channel: Any = None
        self.stub: Any = None

    async def check(self, *pairs, **more):
        request = whitelist_pb2.CheckRulesRequest(**more)
        for source_ip, port_type in pairs:
            request.ranges.add(source_ip=source_ip, port_type=port_type)
        return await self.stub.CheckRules(request)


@pytest.fixture
def settings():
    return Settings(install="test", whitelist_public=True)


@pytest.fixture
async def wire(settings):
    made = Wire()
    backend, target = await made.registry.serve()
    built = app.build(settings, session=made.ec2, channel=client.connect(target, name="registry"))
    server = RpcServer("127.0.0.1:0")
    built.add_to(server)
    made.channel = client.connect(f"127.0.0.1:{await server.start()}", name="whitelist")
    made.stub = whitelist_pb2_grpc.WhitelistServiceStub(made.channel)
    yield made
    await made.channel.close()
    await server.drain(0)
    await built.close()
    await backend.drain(0)


async def test_judging_answers_canonical_rules_and_stores_nothing(wire):
    answer = await wire.check(("1.2.3.4", "miluvs-port"), ("2001:DB8::/48", "miluvs-em-port"))
    assert [(one.source_ip, one.port_type) for one in answer.rules] == [
        ("1.2.3.4/32", MILVUS),
        ("2001:db8::/48", MILVUS_EM),
    ]
    assert list(answer.notices) == []
    assert (wire.registry.calls, wire.ec2.asked) == ([], [])


async def test_wide_ranges_need_to_be_asked_for(wire):
    with pytest.raises(errors.Forbidden) as caught:
        await wire.check(("0.0.0.0/0", "milvus-port"))
    assert (caught.value.reason, caught.value.field) == (
        "RANGE_TOO_WIDE",
        "/ip-ranges/0/source-ip",
    )
    answer = await wire.check(("0.0.0.0/0", "milvus-port"), allow_public=True)
    assert answer.rules[0].source_ip == "0.0.0.0/0"
    assert len(answer.notices) == 1


@pytest.mark.parametrize(
    ("pair", "reason", "field"),
    [
        (("1.2.3.4/33", "milvus-port"), "INVALID_CIDR", "source-ip"),
        (("10.1.2.3/24", "milvus-port"), "HOST_BITS_SET", "source-ip"),
        (("::ffff:1.2.3.4", "milvus-port"), "INVALID_RANGE", "source-ip"),
        (("1.2.3.4", "ssh"), "UNKNOWN_PORT_TYPE", "port-type"),
    ],
)
async def test_refusals_cross_with_their_field(wire, pair, reason, field):
    with pytest.raises(errors.InvalidRequest) as caught:
        await wire.check(pair)
    assert (caught.value.reason, caught.value.field) == (reason, f"/ip-ranges/0/{field}")


async def test_setting_an_unknown_cluster_asks_no_cloud(wire):
    request = whitelist_pb2.SetRulesRequest(user="alice", milvus_name="cats")
    with pytest.raises(errors.NotFound):
        await wire.stub.SetRules(request)
    assert wire.ec2.asked == []


async def test_reading_without_ec2_answers_the_wish(wire):
    wire.registry.add("c1")
    wire.registry.wish("c1", cluster_pb2.Rule(source_ip="1.2.3.4/32", port_type=MILVUS))
    request = whitelist_pb2.GetRulesRequest(user="alice", milvus_name="cats")
    answer = await wire.stub.GetRules(request)
    assert [(one.rule.source_ip, one.state) for one in answer.rules] == [
        ("1.2.3.4/32", whitelist_pb2.RULE_STATE_UNSPECIFIED)
    ]


async def test_a_registry_that_is_away_is_unavailable_and_changes_nothing(wire):
    wire.registry.add("c1")
    wire.registry.fail["SetWhitelist"] = [errors.Unavailable("away", reason="STORE_AWAY")]
    request = whitelist_pb2.SetRulesRequest(user="alice", milvus_name="cats")
    request.ranges.add(source_ip="1.2.3.4", port_type="milvus-port")
    with pytest.raises(errors.Unavailable) as caught:
        await wire.stub.SetRules(request)
    assert caught.value.reason == "STORE_AWAY"
    assert wire.ec2.asked == []


async def test_health_is_told_for_the_service(wire):
    stub = health_pb2_grpc.HealthStub(wire.channel)
    answer = await stub.Check(health_pb2.HealthCheckRequest(service=app.SERVICE), timeout=5)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
