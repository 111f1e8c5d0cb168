"""A change that EC2 keeps waiting is answered as being applied, and never taken back then."""

from __future__ import annotations

import asyncio

import pytest

from kite import errors
from kite.rpc import client
from kite.v1 import cluster_pb2, operation_pb2
from localcloud.strict.faults import Kind
from tests.cloud.whitelist.conftest import (
    AUTHORIZED,
    AUTHORIZING,
    CLUSTER,
    GRANT,
    REVOKE,
    A,
    B,
    C,
    at,
    failing,
    wished,
)
from whitelist_svc import app, report, service
from whitelist_svc.session import Session

RUNNING = operation_pb2.OPERATION_STATE_RUNNING
SUCCEEDED = operation_pb2.OPERATION_STATE_SUCCEEDED
FAILED = operation_pb2.OPERATION_STATE_FAILED


@pytest.fixture
def patience(world):
    world.app.whitelists._patience = 0.2


async def settled(world) -> None:
    await asyncio.wait_for(world.app.whitelists.settle(), 20)


async def in_force(world, address: str) -> None:
    """Set and done, also when the machine was too busy for the patience."""
    await world.set(address)
    await settled(world)


async def ended(world) -> operation_pb2.Operation:
    await settled(world)
    return world.registry.operations[-1]


async def test_a_slow_change_is_answered_and_comes_into_force(world, group, patience):
    world.fault(Kind.DELAY, GRANT, seconds=1.0, times=1)
    answer = await world.set(A)
    assert [one.state for one in answer.rules] == [AUTHORIZING]
    assert report.BEING_APPLIED in answer.notices
    assert (answer.operation.state, answer.granted) == (RUNNING, 0)
    assert world.registry.operations == [answer.operation]
    assert wished(world) == [f"{A}/32"]
    over = await ended(world)
    assert (over.operation_id, over.state) == (answer.operation.operation_id, SUCCEEDED)
    assert set(world.in_force(group)) == at(A)
    assert [one.state for one in (await world.get()).rules] == [AUTHORIZED]


async def test_a_slow_change_that_fails_stays_wished_and_is_mended(world, group, patience):
    await in_force(world, A)
    world.fault(Kind.DELAY, GRANT, seconds=1.0, times=1)
    world.fault(Kind.ERROR, GRANT, code="UnauthorizedOperation", times=1)
    answer = await world.set(B)
    assert report.BEING_APPLIED in answer.notices
    operation = await ended(world)
    assert operation.operation_id == answer.operation.operation_id
    assert (operation.state, operation.reason) == (FAILED, "CLOUD_PERMISSION")
    assert "goes on applying" in operation.description
    assert [one.type for one in world.registry.events] == ["WhitelistWaiting"]
    assert wished(world) == [f"{B}/32"]
    assert set(world.in_force(group)) == at(A)
    await world.app.mender.turn()
    assert set(world.in_force(group)) == at(B)


async def test_what_stays_in_the_way_is_told_once(world, group, patience):
    world.registry.wish(CLUSTER, cluster_pb2.Rule(source_ip=f"{B}/32", port_type=1))
    world.fault(Kind.ERROR, GRANT, code="UnauthorizedOperation", times=0)
    for _ in range(3):
        await world.app.mender.turn()
    assert [one.type for one in world.registry.events] == ["WhitelistWaiting"]
    world.strict.api.faults.clear()
    await world.app.mender.turn()
    assert set(world.in_force(group)) == at(B)


async def test_an_operation_has_its_id_though_its_begin_could_not_be_recorded(
    world, group, patience
):
    world.fault(Kind.DELAY, GRANT, seconds=1.0, times=1)
    world.registry.fail["RecordOperation"] = [errors.Internal("x"), errors.Internal("x")]
    answer = await world.set(A)
    assert answer.operation.operation_id
    assert (await ended(world)).operation_id == answer.operation.operation_id


async def test_the_same_list_sent_twice_is_not_taken_back_by_one_of_them(world, group, patience):
    """The first is refused after the second was told that the list is stored."""
    await in_force(world, A)
    world.fault(Kind.DELAY, GRANT, seconds=2.0, times=1)
    world.fault(Kind.ERROR, GRANT, code="UnauthorizedOperation", times=1)
    world.app.whitelists._patience = 5
    followed = asyncio.Event()
    world.registry.after_get = followed.set
    first = asyncio.create_task(world.set(B))
    await followed.wait()
    world.app.whitelists._patience = 0.2
    second = await world.set(B)
    assert report.BEING_APPLIED in second.notices
    with pytest.raises(errors.CloudRefused):
        await first
    await ended(world)
    assert wished(world) == [f"{B}/32"]
    assert set(world.in_force(group)) == at(B)


async def test_a_change_that_is_being_undone_is_not_answered_as_being_applied(
    world, group, patience
):
    """EC2 refused within the patience; putting back what was done takes longer."""
    await in_force(world, A)
    world.app.whitelists._patience = 2
    world.fault(Kind.ERROR, REVOKE, code="UnauthorizedOperation", times=1)
    world.fault(Kind.DELAY, REVOKE, seconds=3.0, times=1, skip=1)
    error = await failing(world, B)
    assert (error.reason, error.context["restored"]) == ("CLOUD_PERMISSION", "true")
    assert wished(world) == [f"{A}/32"]


async def test_who_sent_the_same_list_is_not_told_of_success_when_it_is_taken_back(world, group):
    """The first is refused; the second gets it in force before the first has taken it back."""
    await world.set(A)
    world.fault(Kind.ERROR, GRANT, code="UnauthorizedOperation", times=1)
    world.fault(Kind.DELAY, GRANT, seconds=0.3, times=1)
    followed, second_is_in_force = asyncio.Event(), asyncio.Event()
    world.registry.after_get = followed.set
    first = asyncio.create_task(world.set(B))
    await followed.wait()
    world.registry.before_set = second_is_in_force.wait
    second = asyncio.create_task(world.set(B))
    while set(world.in_force(group)) != at(B):  # noqa: ASYNC110 - EC2 tells no event
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.3)
    second_is_in_force.set()
    with pytest.raises(errors.CloudRefused):
        await first
    with pytest.raises(errors.Conflict, match="somebody changed it"):
        await second
    assert wished(world) == [f"{A}/32"]
    assert set(world.in_force(group)) == at(A)


async def test_who_looks_only_after_it_was_taken_back_is_told_too(world, group, monkeypatch):
    """EC2 was silent at the second's first look; at the next one, the first's end is long over."""
    await world.set(A)
    world.fault(Kind.ERROR, GRANT, code="UnauthorizedOperation", times=1)
    taking_back, second_has_looked = asyncio.Event(), asyncio.Event()

    async def first_waits():
        world.fault(Kind.ERROR, "DescribeSecurityGroupRules", code="InternalError", times=1)
        taking_back.set()
        await second_has_looked.wait()

    async def second_waits(_):
        second_has_looked.set()
        await asyncio.wait({first})

    def stored():
        world.registry.before_set = first_waits

    world.registry.after_get = stored
    monkeypatch.setattr(world.app.whitelists, "_pause", second_waits)
    first = asyncio.create_task(world.set(B))
    await taking_back.wait()
    second = asyncio.create_task(world.set(B))
    with pytest.raises(errors.CloudRefused):
        await first
    with pytest.raises(errors.Conflict, match="somebody changed it"):
        await second
    assert wished(world) == [f"{A}/32"]


async def test_who_joined_a_list_that_is_replaced_later_is_answered_like_its_owner(world, group):
    """Both were told that it is being applied; that another follows it is no failure of theirs."""
    await in_force(world, A)
    world.app.whitelists._patience = 0.2
    world.fault(Kind.DELAY, GRANT, seconds=1.0, times=1)
    first, second = await asyncio.gather(world.set(B), world.set(B))
    for one in (first, second):
        assert report.BEING_APPLIED in one.notices
    world.app.whitelists._patience = 20
    await world.set(C)
    await ended(world)
    ends = {one.operation_id: one for one in world.registry.operations}
    for one in (first, second):
        assert ends[one.operation.operation_id].state == SUCCEEDED
    assert world.registry.events == []
    assert set(world.in_force(group)) == at(C)


# -- reading -----------------------------------------------------------------------------------


@pytest.fixture
async def deaf(monkeypatch):
    """An EC2 that accepts and never answers."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "kite")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "kite")
    taken = []

    async def take(_, writer):
        taken.append(writer)

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    session = Session(region="us-east-1", endpoint=f"http://127.0.0.1:{port}")
    session._built()
    yield session
    server.close()
    for writer in taken:
        writer.close()
    await session.close()


async def test_a_reader_is_told_unknown_when_ec2_keeps_silent(world, group, deaf):
    await world.set(A)
    silent = app.build(
        world.settings, session=deaf, channel=world.channel, clock=world.pauses.clock
    )
    silent.whitelists._look = 0.2
    lines, revision = await asyncio.wait_for(silent.whitelists.get("alice", "cats"), 5)
    assert [(one.entry.cidr, one.state) for one in lines] == [(f"{A}/32", report.State.UNKNOWN)]
    assert revision == 2


def test_a_reader_is_told_before_the_edge_gives_up():
    assert service.LOOK_SECONDS <= client.READ_SECONDS - 1
