"""The service beside the real registry: the contract that the registry in memory stands for."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from kite import errors
from kite.clock import SystemClock
from kite.rpc import client
from kite.rpc.server import RpcServer
from kite.v1 import (
    cluster_pb2,
    operation_pb2,
    operation_pb2_grpc,
    registry_pb2,
    registry_pb2_grpc,
    whitelist_pb2,
    whitelist_pb2_grpc,
)
from localcloud.strict.faults import Fault
from localcloud.strict.faults import Kind as FaultKind
from registry_svc.app import assemble
from registry_svc.settings import Settings as RegistrySettings
from registry_svc.store import open_store
from whitelist_svc import app

A, B, C = "198.18.88.11", "198.18.88.12", "198.18.88.13"


@dataclass
class Beside:
    registry: Any
    operations: Any
    whitelist: Any
    mender: Any
    ec2: Any
    cluster_id: str
    vpc: str

    async def set(self, *addresses, **more):
        request = whitelist_pb2.SetRulesRequest(user="alice", milvus_name="cats", **more)
        for address in addresses:
            request.ranges.add(source_ip=address, port_type="miluvs-port")
        return await self.whitelist.SetRules(request)

    async def ensure(self):
        request = whitelist_pb2.EnsureGroupsRequest(cluster_id=self.cluster_id, vpc_id=self.vpc)
        answer = await self.whitelist.EnsureGroups(request)
        return {one.kind: one.group_id for one in answer.groups}

    async def events(self):
        return [kind for kind, _ in await self._told()]

    async def authors(self):
        """Type and author of the events about the whitelist, in order."""
        return [one for one in await self._told() if one[0].startswith("Whitelist")]

    async def _told(self):
        answer = await self.operations.ListEvents(
            operation_pb2.ListEventsRequest(user="alice", milvus_name="cats")
        )
        return [(event.type, event.origin) for event in answer.events]

    def in_force(self, group_id):
        found = self.ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"][0]
        return {
            one["CidrIp"].removesuffix("/32")
            for item in found["IpPermissions"]
            for one in item["IpRanges"]
        }


@pytest.fixture
async def beside(strict_ec2, ec2_session, settings, tmp_path):
    kept = RegistrySettings(install="test", registry_folder=tmp_path)
    store = open_store(kept)
    registry = assemble(store, kept, SystemClock())
    backend = RpcServer("127.0.0.1:0")
    for part in registry.parts:
        backend.add(*part)
    channel = client.connect(f"127.0.0.1:{await backend.start()}", name="registry")
    built = app.build(settings, session=ec2_session, channel=channel)
    server = RpcServer("127.0.0.1:0")
    built.add_to(server)
    own = client.connect(f"127.0.0.1:{await server.start()}", name="whitelist")
    records = registry_pb2_grpc.RegistryServiceStub(channel)
    made = await records.CreateCluster(
        registry_pb2.CreateClusterRequest(
            user="alice",
            milvus_name="cats",
            milvus_type="M5",
            disk_gib=50,
            address_mode=cluster_pb2.ADDRESS_MODE_ELASTIC,
            body_hash="x",
        )
    )
    ec2 = strict_ec2.plain()
    yield Beside(
        records,
        operation_pb2_grpc.OperationServiceStub(channel),
        whitelist_pb2_grpc.WhitelistServiceStub(own),
        built.mender,
        ec2,
        made.cluster.cluster_id,
        ec2.create_vpc(CidrBlock="10.88.0.0/16")["Vpc"]["VpcId"],
    )
    await own.close()
    await server.drain(0)
    await channel.close()
    registry.broadcast.stop()
    await backend.drain(0)
    registry.threads.close()
    store.close()


async def test_from_birth_to_the_end(beside):
    group = (await beside.ensure())["whitelist"]
    assert beside.in_force(group) == set()
    answer = await beside.set(A, B)
    assert beside.in_force(group) == {A, B}
    got = await beside.operations.GetOperation(
        operation_pb2.GetOperationRequest(user="alice", operation_id=answer.operation.operation_id)
    )
    assert got.operation.type == "set-whitelist"
    await beside.set()
    assert beside.in_force(group) == set()
    await beside.set(C)
    beside.ec2.revoke_security_group_ingress(
        GroupId=group,
        IpPermissions=[
            {
                "IpProtocol": "tcp",
                "FromPort": 19530,
                "ToPort": 19530,
                "IpRanges": [{"CidrIp": f"{C}/32"}],
            }
        ],
    )
    assert await beside.mender.turn()
    assert beside.in_force(group) == {C}
    assert "WhitelistDrift" in await beside.events()
    await beside.registry.DeleteCluster(
        registry_pb2.DeleteClusterRequest(user="alice", milvus_name="cats")
    )
    with pytest.raises(errors.Conflict) as caught:
        await beside.set(A)
    assert caught.value.reason == "CLUSTER_DELETING"
    closed = await beside.whitelist.CloseGroups(
        whitelist_pb2.CloseGroupsRequest(cluster_id=beside.cluster_id)
    )
    assert closed.revoked == 1
    dropped = await beside.whitelist.DropGroups(
        whitelist_pb2.DropGroupsRequest(cluster_id=beside.cluster_id, last_cluster=True)
    )
    assert list(dropped.remaining) == []


async def test_of_first_lists_at_once_one_wins_whole(beside):
    group = (await beside.ensure())["whitelist"]
    results = await asyncio.gather(
        *(beside.set(A, one) for one in (B, C, "198.18.88.14")), return_exceptions=True
    )
    won = [one for one in results if not isinstance(one, BaseException)]
    assert won
    assert all(isinstance(one, errors.Conflict) for one in results if one not in won)
    whole = [{one.rule.source_ip.removesuffix("/32") for one in each.rules} for each in won]
    assert beside.in_force(group) in whole


async def test_the_mend_duty_is_one_processs(beside):
    assert await beside.mender.turn()
    beside.mender._records._holder = "somebody else"
    assert not await beside.mender.turn()


async def test_a_stale_revision_is_a_conflict(beside):
    await beside.ensure()
    first = await beside.set(A)
    await beside.set(B)
    with pytest.raises(errors.Conflict):
        await beside.set(C, expected_revision=first.revision)


@pytest.mark.parametrize("last", ["2001:db8::1", "fd00::/64"])
async def test_everything_we_accept_the_registry_takes(beside, last):
    answer = await beside.set(A, "203.0.113.0/24", last)
    assert len(answer.rules) == 3


class Later(SystemClock):
    """An hour from now."""

    def now_ms(self):
        return super().now_ms() + 3_600_000


async def test_the_story_names_who_changed_the_list(beside):
    await beside.ensure()
    soon = SystemClock().now_ms() + 600_000
    request = whitelist_pb2.SetRulesRequest(user="alice", milvus_name="cats")
    request.ranges.add(source_ip=A, port_type="milvus-port", expires_at_ms=soon)
    request.ranges.add(source_ip=B, port_type="milvus-port")
    await beside.whitelist.SetRules(request)
    beside.mender._clock = beside.mender._follower._clock = Later()
    assert await beside.mender.turn()
    assert await beside.authors() == [
        ("WhitelistChanged", "user"),
        ("WhitelistChanged", "whitelist"),
        ("WhitelistExpired", "whitelist"),
    ]


async def test_nobody_else_is_named(beside):
    with pytest.raises(errors.InvalidRequest) as caught:
        await beside.registry.SetWhitelist(
            registry_pb2.SetWhitelistRequest(user="alice", milvus_name="cats", origin="the king")
        )
    assert (caught.value.reason, caught.value.field) == ("INVALID_ORIGIN", "/origin")


async def begun(beside, number=1, **more):
    """A change whose process died after its user was answered."""
    change = operation_pb2.Operation(
        operation_id=f"op-{number}",
        type="set-whitelist",
        user="alice",
        milvus_name="cats",
        cluster_id=beside.cluster_id,
        state=operation_pb2.OPERATION_STATE_RUNNING,
        steps=[operation_pb2.Step(name="apply", state=operation_pb2.OPERATION_STATE_RUNNING)],
        **{"started_at_ms": 1, **more},
    )
    await beside.operations.RecordOperation(operation_pb2.RecordOperationRequest(operation=change))
    return change.operation_id


async def ended(beside, operation_id):
    request = operation_pb2.GetOperationRequest(user="alice", operation_id=operation_id)
    found = (await beside.operations.GetOperation(request)).operation
    return operation_pb2.OperationState.Name(found.state).removeprefix("OPERATION_STATE_"), found


async def test_a_change_whose_process_died_ends_when_its_list_is_in_force(beside):
    await beside.ensure()
    await beside.set(A)
    late = await begun(beside)
    await beside.mender.turn()
    state, told = await ended(beside, late)
    assert (state, told.progress, told.reason) == ("SUCCEEDED", 100, "")
    assert told.ended_at_ms
    assert told.steps[0].state == told.state


async def test_a_change_whose_process_died_is_applied_and_ends(beside):
    group = (await beside.ensure())["whitelist"]
    rule = cluster_pb2.Rule(source_ip=f"{B}/32", port_type=cluster_pb2.PORT_TYPE_MILVUS)
    await beside.registry.SetWhitelist(
        registry_pb2.SetWhitelistRequest(user="alice", milvus_name="cats", rules=[rule])
    )
    late = await begun(beside)
    await beside.mender.turn()
    assert beside.in_force(group) == {B}
    assert (await ended(beside, late))[0] == "SUCCEEDED"


async def test_a_change_without_a_group_runs_on_until_there_is_one(beside):
    await beside.set(A)
    late = await begun(beside)
    await beside.mender.turn()
    assert (await ended(beside, late))[0] == "RUNNING"
    group = (await beside.ensure())["whitelist"]
    await beside.mender.turn()
    assert beside.in_force(group) == {A}
    assert (await ended(beside, late))[0] == "SUCCEEDED"


async def test_a_change_that_ec2_refuses_ends_so_and_one_that_is_throttled_runs_on(
    beside, strict_ec2
):
    await beside.ensure()
    rule = cluster_pb2.Rule(source_ip=f"{B}/32", port_type=cluster_pb2.PORT_TYPE_MILVUS)
    await beside.registry.SetWhitelist(
        registry_pb2.SetWhitelistRequest(user="alice", milvus_name="cats", rules=[rule])
    )
    late = await begun(beside)
    young = await begun(beside, 2, started_at_ms=SystemClock().now_ms())
    refused = Fault(
        FaultKind.ERROR,
        action="AuthorizeSecurityGroupIngress",
        code="UnauthorizedOperation",
        status=403,
        times=0,
    )
    strict_ec2.api.faults.add(refused)
    await beside.mender.turn()
    state, told = await ended(beside, late)
    assert state == "FAILED"
    assert told.reason
    assert "goes on applying" in told.description
    assert (await ended(beside, young))[0] == "RUNNING"
    strict_ec2.api.faults.clear()
    await beside.mender.turn()
    assert (await ended(beside, young))[0] == "SUCCEEDED"
    assert (await ended(beside, late))[0] == "FAILED"  # the first end stays


async def test_a_change_of_a_cluster_that_went_ends_with_it(beside):
    await beside.set(A)
    late = await begun(beside)
    await beside.registry.DeleteCluster(
        registry_pb2.DeleteClusterRequest(user="alice", milvus_name="cats")
    )
    await beside.mender.turn()
    state, told = await ended(beside, late)
    assert (state, told.reason) == ("FAILED", "CLUSTER_DELETING")
