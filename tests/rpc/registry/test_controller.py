"""ControllerService: claims, fences, commits, duties."""

import asyncio

import pytest

from kite.errors import InvalidRequest, LeaseLost, NotFound, WrongState
from kite.v1 import cluster_pb2 as pb
from kite.v1 import controller_pb2
from kite.v1 import operation_pb2 as ops
from tests.rpc.registry.test_clusters import rule


def seen(state=pb.CLUSTER_STATE_LOADING, **more):
    return pb.ClusterStatus(state=state, why="seen", **more)


async def renew(registry, *held, holder="p1", seconds=30):
    request = controller_pb2.RenewRequest(
        holder=holder,
        held=[controller_pb2.Held(cluster_id=c, fence=f) for c, f in held],
        lease_seconds=seconds,
    )
    return [(h.cluster_id, h.fence) for h in (await registry.controller.Renew(request)).held]


async def test_a_claim_carries_all_that_a_loop_needs(registry):
    created = await registry.create()
    [claimed] = await registry.claim(seconds=0)
    assert claimed.cluster == created.cluster
    assert claimed.operation == created.operation
    assert (claimed.fence, claimed.lease_seconds) == (1, 30)
    assert await registry.claim("p2") == []


async def test_two_provisioners_share_the_work(registry):
    for number in range(12):
        await registry.create(f"name-{number}")
    held = await asyncio.gather(*(registry.claim(f"p{n}", most=6) for n in range(4)))
    ids = [c.cluster.cluster_id for part in held for c in part]
    ids += [c.cluster.cluster_id for c in await registry.claim("p9", most=12)]
    assert len(ids) == len(set(ids)) == 12


async def test_most_is_kept(registry):
    for number in range(3):
        await registry.create(f"name-{number}")
    assert len(await registry.claim(most=2)) == 2
    assert len(await registry.claim(most=0)) == 1


@pytest.mark.parametrize(("holder", "seconds"), [("", 30), ("p", -1), ("p", 601)])
async def test_a_claim_that_makes_no_sense(registry, holder, seconds):
    with pytest.raises(InvalidRequest):
        await registry.claim(holder, seconds=seconds)


async def test_a_commit_writes_the_seen_half_only(registry):
    await registry.create()
    [claimed] = await registry.claim()
    wished = await registry.whitelist(rule())
    status = seen(
        observed_generation=1,
        milvus_url="ec2-198-18-88-1.compute-1.amazonaws.com",
        address=pb.Address(allocation_id="eipalloc-1"),
        address_intended=True,
        nodes=[
            pb.Node(
                role=pb.ROLE_MASTER,
                state=pb.NODE_STATE_STARTING,
                token="t",
                intent=pb.LaunchIntent(client_token="t", security_group_ids=["sg-1"]),
                launches_ms=[1, 2],
                refused=[pb.Offer(instance_type="m5.large", subnet_id="subnet-a")],
            )
        ],
    )
    stored = await registry.commit(claimed, status=status)
    assert stored.status == status
    # The wish as it is now, changed behind the holder's back.
    assert stored.whitelist == wished.whitelist
    assert stored.generation == wished.generation
    assert stored.rev > wished.rev
    assert await registry.get() == stored


async def test_a_commit_without_status_changes_none(registry):
    created = (await registry.create()).cluster
    [claimed] = await registry.claim()
    assert (await registry.commit(claimed, release=True)).status == created.status


@pytest.mark.parametrize("change", [{"status": pb.ClusterStatus()}, {"operation": ops.Operation()}])
async def test_a_commit_that_says_nothing_is_refused(registry, change):
    await registry.create()
    [claimed] = await registry.claim()
    with pytest.raises(InvalidRequest):
        await registry.commit(claimed, **change)


async def test_the_operation_follows(registry):
    created = await registry.create()
    [claimed] = await registry.claim()
    operation = claimed.operation
    operation.state, operation.progress = ops.OPERATION_STATE_RUNNING, 40
    operation.steps[0].state = ops.OPERATION_STATE_SUCCEEDED
    await registry.commit(claimed, status=seen(), operation=operation)
    assert await registry.operation(created.operation.operation_id) == operation
    operation.state = ops.OPERATION_STATE_SUCCEEDED
    registry.clock.forward(seconds=3)
    await registry.commit(claimed, operation=operation)
    over = await registry.operation(created.operation.operation_id)
    assert over.ended_at_ms == registry.clock.now_ms()
    operation.state = ops.OPERATION_STATE_RUNNING
    await registry.commit(claimed, operation=operation)
    assert await registry.operation(created.operation.operation_id) == over


async def test_a_commit_for_an_older_operation_leaves_the_newer_alone(registry):
    created = await registry.create()
    [claimed] = await registry.claim()
    deleted = await registry.delete()
    operation = claimed.operation
    operation.state, operation.progress = ops.OPERATION_STATE_RUNNING, 70
    stored = await registry.commit(claimed, status=seen(), operation=operation)
    assert stored.status.state == pb.CLUSTER_STATE_DELETING
    assert await registry.operation(deleted.operation.operation_id) == deleted.operation
    first = await registry.operation(created.operation.operation_id)
    assert first.state == ops.OPERATION_STATE_CANCELLED


async def test_events_come_with_the_commit(registry):
    await registry.create()
    [claimed] = await registry.claim()
    told = [
        ops.Event(type="NodeStarting", description="d", details={"instance.id": "i-1"}, at_ms=7),
        ops.Event(type="NodeLoading", origin="whitelist"),
    ]
    await registry.commit(claimed, status=seen(), events=told)
    _, first, second = await registry.events()
    assert (first.number, first.type, first.at_ms) == (2, "NodeStarting", 7)
    assert dict(first.details) == {"instance.id": "i-1"}
    assert first.origin == "provisioner"
    assert (second.number, second.origin) == (3, "whitelist")
    assert second.at_ms == registry.clock.now_ms()


async def test_a_fence_that_is_over_writes_nothing(registry):
    await registry.create()
    [old] = await registry.claim("p1")
    registry.clock.forward(seconds=31)
    [new] = await registry.claim("p2")
    assert new.fence > old.fence
    before = await registry.get()
    for holder, fence in (("p1", old.fence), ("p1", new.fence), ("p2", old.fence)):
        late = controller_pb2.Claimed(cluster=old.cluster, fence=fence)
        with pytest.raises(LeaseLost) as caught:
            await registry.commit(late, holder, status=seen(), events=[ops.Event(type="X")])
        assert caught.value.reason == "LEASE_LOST"
    assert await registry.get() == before
    assert [e.type for e in await registry.events()] == ["ClusterCreated"]
    assert (await registry.commit(new, "p2", status=seen())).status.why == "seen"


async def test_release_and_due(registry):
    await registry.create()
    [claimed] = await registry.claim()
    await registry.commit(claimed, status=seen(), due_in_ms=5000, release=True)
    with pytest.raises(LeaseLost):
        await registry.commit(claimed, status=seen())
    assert await registry.claim("p2") == []
    registry.clock.forward(seconds=5)
    assert len(await registry.claim("p2")) == 1


async def test_renewing(registry):
    for name in ("one", "two"):
        await registry.create(name)
    one, two = ((c.cluster.cluster_id, c.fence) for c in await registry.claim())
    registry.clock.forward(seconds=25)
    assert await renew(registry, one, (two[0], 9), ("cnone", 1)) == [one]
    registry.clock.forward(seconds=10)
    assert [c.cluster.cluster_id for c in await registry.claim("p2")] == [two[0]]
    assert await renew(registry, two) == []


async def test_gone_needs_an_unwanted_cluster_and_is_final(registry):
    await registry.create()
    [claimed] = await registry.claim()
    with pytest.raises(WrongState) as caught:
        await registry.commit(claimed, gone=True)
    assert caught.value.reason == "CLUSTER_WANTED"
    await registry.delete()
    tombstone = await registry.commit(claimed, gone=True)
    assert tombstone.status.state == pb.CLUSTER_STATE_DELETED
    with pytest.raises(LeaseLost):
        await registry.commit(claimed, status=seen())
    registry.clock.forward(seconds=3600)
    assert await registry.claim("p2") == []


async def test_a_commit_to_nothing(registry):
    nothing = controller_pb2.Claimed(cluster=pb.Cluster(cluster_id="cnone"), fence=1)
    with pytest.raises(NotFound):
        await registry.commit(nothing, status=seen())


async def test_duties(registry):
    async def ask(holder, duty="sweep"):
        request = controller_pb2.ClaimDutyRequest(duty=duty, holder=holder, lease_seconds=10)
        answer = await registry.controller.ClaimDuty(request)
        return answer.granted, answer.fence

    granted = await asyncio.gather(*(ask(f"p{n}") for n in range(6)))
    assert sorted(g for g, _ in granted) == [False] * 5 + [True]
    winner = next(f"p{n}" for n, (g, _) in enumerate(granted) if g)
    registry.clock.forward(seconds=9)
    assert await ask(winner) == (True, 1)
    registry.clock.forward(seconds=9)
    assert await ask("other") == (False, 1)
    assert await ask("other", "mend") == (True, 1)
    registry.clock.forward(seconds=2)
    assert await ask("other") == (True, 2)
    with pytest.raises(InvalidRequest):
        await ask("other", "")
