"""RegistryService, as the edge and the whitelist service call it."""

import asyncio

import pytest

from kite.errors import (
    AlreadyExists,
    Conflict,
    InvalidRequest,
    NotFound,
    OverLimit,
    WrongState,
)
from kite.v1 import cluster_pb2 as pb
from kite.v1 import operation_pb2 as ops
from kite.v1 import registry_pb2
from tests.rpc.registry.conftest import NAME, USER, hosted
from tests.store.test_documents import SEED, like, status


def rule(cidr="115.236.166.154/32", port=pb.PORT_TYPE_MILVUS, **more):
    return pb.Rule(source_ip=cidr, port_type=port, **more)


async def test_the_seeds_create(registry):
    answer = await registry.create(request_id="req-1")
    assert answer.created
    cluster = answer.cluster
    assert (cluster.user, cluster.milvus_name, cluster.spec.milvus_type) == (USER, NAME, "M5")
    assert (cluster.spec.disk_gib, cluster.spec.master_instance_type) == (50, "m5.large")
    assert (cluster.spec.workers, cluster.spec.wanted) == (0, True)
    assert cluster.spec.address_mode == pb.ADDRESS_MODE_ELASTIC
    assert (cluster.generation, cluster.rev) == (1, 1)
    assert cluster.status.state == pb.CLUSTER_STATE_STARTING
    assert cluster.status.milvus_port == "19530"
    assert list(cluster.whitelist.rules) == []
    operation = answer.operation
    assert operation.operation_id == cluster.operation_id
    assert (operation.type, operation.request_id) == ("create-cluster", "req-1")
    assert operation.state == ops.OPERATION_STATE_PENDING
    assert {s.state for s in operation.steps} == {ops.OPERATION_STATE_PENDING}
    assert await registry.get() == cluster
    assert await registry.operation(operation.operation_id) == operation
    assert [e.type for e in await registry.events()] == ["ClusterCreated"]


async def test_a_cluster_id_fits_every_aws_name(registry):
    ids = {(await registry.create(f"name-{n}")).cluster.cluster_id for n in range(5)}
    assert len(ids) == 5
    assert all(len(i) == 17 and i[0] == "c" and i.isalnum() and i.islower() for i in ids)


async def test_twenty_creates_in_parallel_make_one_cluster(registry):
    answers = await asyncio.gather(*(registry.create() for _ in range(20)))
    assert sum(a.created for a in answers) == 1
    assert len({a.cluster.cluster_id for a in answers}) == 1
    assert len({a.operation.operation_id for a in answers}) == 1
    listed = await registry.registry.ListClusters(registry_pb2.ListClustersRequest())
    assert len(listed.clusters) == 1


async def test_two_users_have_clusters_of_the_same_name_apart(registry):
    mine = (await registry.create()).cluster
    theirs = (await registry.create(user="somebody-else")).cluster
    assert mine.cluster_id != theirs.cluster_id
    await registry.whitelist(rule())
    assert list((await registry.get(user="somebody-else")).whitelist.rules) == []
    await registry.gone(user="somebody-else")
    assert (await registry.get()).spec.wanted
    for call in (registry.get, registry.delete, registry.whitelist, registry.events):
        with pytest.raises(NotFound) as caught:
            await call(user="somebody-third")
        assert caught.value.reason == "NO_SUCH_CLUSTER"
    with pytest.raises(NotFound) as caught:
        await registry.operation(mine.operation_id, user="somebody-else")
    assert caught.value.reason == "NO_SUCH_OPERATION"
    assert (await registry.operation(mine.operation_id, user="")).user == USER


@pytest.mark.parametrize(
    "change",
    [
        {"disk": 51},
        {"milvus_type": "M10"},
        {"address_mode": pb.ADDRESS_MODE_PRIVATE},
        {"rules": [rule()]},
        {"body_hash": "other"},
    ],
)
async def test_a_taken_name_with_another_body_is_refused(registry, change):
    await registry.create()
    with pytest.raises(AlreadyExists) as caught:
        await registry.create(**change)
    assert (caught.value.reason, caught.value.field) == ("NAME_TAKEN", "/milvus-name")


async def test_the_body_hash_of_the_caller_counts(registry):
    assert (await registry.create(body_hash="h")).created
    assert not (await registry.create(body_hash="h", disk=60)).created


async def test_keys(registry):
    first = await registry.create(idempotency_key="k", body_hash="h")
    again = await registry.create(idempotency_key="k", body_hash="h")
    assert (again.created, again.cluster) == (False, first.cluster)
    with pytest.raises(InvalidRequest) as caught:
        await registry.create("another", idempotency_key="k", body_hash="h2")
    assert caught.value.reason == "IDEMPOTENCY_KEY_REUSED"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"name": "sg-x"}, "RESERVED_NAME"),
        ({"name": "Search"}, "INVALID_NAME"),
        ({"name": ""}, "INVALID_NAME"),
        ({"user": ""}, "INVALID_USERNAME"),
        ({"user": "a|b"}, "INVALID_USERNAME"),
        ({"milvus_type": "M6"}, "UNKNOWN_TYPE"),
        ({"milvus_type": ""}, "UNKNOWN_TYPE"),
        ({"disk": 7}, "DISK_TOO_SMALL"),
        ({"disk": 2**31 - 1}, "DISK_TOO_LARGE"),
        ({"rules": [rule("10.0.0.1")]}, "INVALID_RULE"),
        ({"rules": [pb.Rule(source_ip="10.0.0.1/32")]}, "INVALID_RULE"),
        ({"address_mode": 99}, "INVALID_REQUEST"),
        ({"idempotency_key": "k" * 256}, "INVALID_IDEMPOTENCY_KEY"),
    ],
)
async def test_what_is_no_cluster_is_refused_and_leaves_nothing(registry, change, reason):
    with pytest.raises(InvalidRequest) as caught:
        await registry.create(**change)
    assert caught.value.reason == reason
    listed = await registry.registry.ListClusters(registry_pb2.ListClustersRequest())
    assert list(listed.clusters) == []


async def test_rules_may_come_with_the_create(registry):
    wished = rule(note="office", expires_at_ms=5)
    cluster = (await registry.create(rules=[wished])).cluster
    assert list(cluster.whitelist.rules) == [wished]
    assert cluster.whitelist.revision == 1


async def test_the_quota(embedded, clock):
    async with hosted(embedded, clock, clusters_per_user=2) as registry:
        await registry.create("one")
        await registry.create("two")
        with pytest.raises(OverLimit) as caught:
            await registry.create("three")
        assert caught.value.reason == "QUOTA_EXCEEDED"
        assert not (await registry.create("two")).created
        assert (await registry.create("three", user="other")).created
        await registry.gone("one")
        assert (await registry.create("three")).created


async def test_delete_and_delete_again(registry):
    created = await registry.create()
    deleted = await registry.delete()
    cluster = deleted.cluster
    assert not cluster.spec.wanted
    assert cluster.status.state == pb.CLUSTER_STATE_DELETING
    assert cluster.generation == 2
    assert cluster.rev > created.cluster.rev
    assert (deleted.operation.type, deleted.operation.request_id) == (
        "delete-cluster",
        "req-delete",
    )
    assert await registry.delete(rev=1) == deleted
    first = await registry.operation(created.operation.operation_id)
    assert first.state == ops.OPERATION_STATE_CANCELLED
    assert first.ended_at_ms
    with pytest.raises(Conflict) as caught:
        await registry.create()
    assert caught.value.reason == "CLUSTER_DELETING"
    with pytest.raises(WrongState) as refused:
        await registry.whitelist(rule())
    assert refused.value.reason == "CLUSTER_DELETING"


async def test_the_end_of_a_cluster(registry):
    created = await registry.create()
    tombstone = await registry.gone()
    assert tombstone.status.state == pb.CLUSTER_STATE_DELETED
    assert tombstone.deleted_at_ms == registry.clock.now_ms()
    operation = await registry.operation(tombstone.operation_id)
    assert operation.state == ops.OPERATION_STATE_SUCCEEDED
    assert operation.progress == 100
    with pytest.raises(NotFound):
        await registry.get()
    with pytest.raises(NotFound):
        await registry.delete()
    assert await registry.get(include_deleted=True) == tombstone
    by_id = {"name": "", "user": "", "cluster_id": tombstone.cluster_id}
    assert await registry.get(**by_id, include_deleted=True) == tombstone
    with pytest.raises(NotFound):
        await registry.get(**by_id)
    types = [e.type for e in await registry.events()]
    assert types == ["ClusterCreated", "ClusterDeleting", "ClusterDeleted"]
    again = await registry.create()
    assert again.created
    assert again.cluster.cluster_id != created.cluster.cluster_id


async def test_a_delete_of_what_was_seen_before_a_change_is_refused(registry):
    seen = (await registry.create()).cluster
    await registry.whitelist(rule())
    with pytest.raises(Conflict):
        await registry.delete(rev=seen.rev)
    assert (await registry.delete(rev=(await registry.get()).rev)).operation


async def test_a_lease_does_not_change_what_readers_compare(registry):
    seen = (await registry.create()).cluster
    [claimed] = await registry.claim()
    assert claimed.cluster.rev == seen.rev
    later = pb.ClusterStatus()
    later.CopyFrom(seen.status)
    later.observed_at_ms = 99
    looked = await registry.commit(claimed, status=later)
    assert (looked.rev, looked.status.observed_at_ms) == (seen.rev, 99)
    later.why = "another"
    assert (await registry.commit(claimed, status=later)).rev == seen.rev + 1


async def test_the_whitelist(registry):
    created = (await registry.create()).cluster
    wished = [rule(note="a"), rule(port=pb.PORT_TYPE_MILVUS_EM, expires_at_ms=9)]
    first = await registry.whitelist(*wished)
    assert list(first.whitelist.rules) == wished
    assert (first.whitelist.revision, first.generation) == (2, created.generation + 1)
    assert await registry.whitelist(*wished) == first
    with pytest.raises(Conflict):
        await registry.whitelist(rule(), revision=7)
    empty = await registry.whitelist(revision=2)
    assert (list(empty.whitelist.rules), empty.whitelist.revision) == ([], 3)
    with pytest.raises(InvalidRequest):
        await registry.whitelist(rule("10.1.2.3/8"))


async def test_pages(registry):
    for user in ("alice", "bob"):
        for number in range(4):
            await registry.create(f"name-{number}", user=user)
    await registry.gone("name-1", user="bob")

    async def pages(user, size):
        token = ""
        while True:
            page = await registry.registry.ListClusters(
                registry_pb2.ListClustersRequest(user=user, page_size=size, page_token=token)
            )
            yield [c.milvus_name for c in page.clusters]
            token = page.next_page_token
            if not token:
                return

    assert [p async for p in pages("alice", 4)] == [[f"name-{n}" for n in range(4)]]
    assert [p async for p in pages("bob", 2)] == [["name-0", "name-2"], ["name-3"]]
    assert [len(p) async for p in pages("", 3)] == [3, 3, 1]
    assert [p async for p in pages("nobody", 0)] == [[]]
    for bad in ({"page_token": "%%"}, {"page_size": -1}, {"page_size": 501}):
        with pytest.raises(InvalidRequest):
            await registry.registry.ListClusters(registry_pb2.ListClustersRequest(**bad))


async def test_get_needs_to_know_which(registry):
    for request in ({}, {"user": USER}, {"milvus_name": NAME}):
        with pytest.raises(InvalidRequest):
            await registry.registry.GetCluster(registry_pb2.GetClusterRequest(**request))


async def test_plans(registry):
    plans = (await registry.registry.ListPlans(registry_pb2.ListPlansRequest())).plans
    [m5] = [p for p in plans if p.name == "M5"]
    assert (m5.master_instance_type, m5.workers) == ("m5.large", 0)
    assert (m5.min_disk_gib, m5.max_disk_gib) == (8, 16384)
    assert len(plans) > 1


async def test_a_full_instance_type_is_a_plan(registry):
    cluster = (await registry.create(milvus_type="R6i.xlarge")).cluster
    assert cluster.spec.milvus_type == "R6i.xlarge"
    assert cluster.spec.master_instance_type == "r6i.xlarge"


async def test_the_stored_document_is_the_seeds(registry, embedded):
    await registry.create()
    [claimed] = await registry.claim()
    await registry.commit(claimed, status=status())
    [stored] = embedded.bound.clusters.collection.find({"username": USER})
    assert like(SEED, stored) == SEED


@pytest.mark.parametrize(
    ("milvus_type", "name", "master"),
    [("m5", "M5", "m5.large"), ("C5.Large", "c5.large", "c5.large")],
)
async def test_one_type_tells_the_plan_it_stands_for(registry, milvus_type, name, master):
    request = registry_pb2.ListPlansRequest(milvus_type=milvus_type)
    (plan,) = (await registry.registry.ListPlans(request)).plans
    assert (plan.name, plan.master_instance_type) == (name, master)


async def test_a_type_that_stands_for_nothing_is_refused(registry):
    with pytest.raises(InvalidRequest) as caught:
        await registry.registry.ListPlans(registry_pb2.ListPlansRequest(milvus_type="zz.huge"))
    assert caught.value.reason == "UNKNOWN_TYPE"
