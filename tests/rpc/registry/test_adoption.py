"""Clusters taken in from what EC2 shows, through real gRPC."""

import pytest

from kite.v1 import adoption_pb2, adoption_pb2_grpc
from kite.v1 import cluster_pb2 as pb
from kite.v1 import operation_pb2 as ops
from registry_svc.adoption import Adoption
from registry_svc.engine import Taken
from tests.rpc.registry.conftest import USER

ID = "caaaaaaaaaaaaaaaa"


def found(cluster_id=ID, *, name="cats", user=USER, instance="i-1", rules=("198.18.88.11/32",)):
    """A cluster as the surveys tell it."""
    cluster = pb.Cluster(cluster_id=cluster_id, user=user, milvus_name=name, created_at_ms=7)
    cluster.spec.MergeFrom(
        pb.ClusterSpec(
            milvus_type="M5",
            disk_gib=50,
            address_mode=pb.ADDRESS_MODE_ELASTIC,
            master_instance_type="m5.large",
        )
    )
    cluster.status.state = pb.CLUSTER_STATE_RUNNING
    cluster.status.nodes.add(
        slot=0, role=pb.ROLE_MASTER, attempt=2, state=pb.NODE_STATE_RUNNING, instance_id=instance
    )
    for cidr in rules:
        cluster.whitelist.rules.add(source_ip=cidr, port_type=pb.PORT_TYPE_MILVUS)
    return cluster


async def adopt(registry, *clusters, act=True):
    stub = adoption_pb2_grpc.AdoptionServiceStub(registry.channel)
    request = adoption_pb2.AdoptClustersRequest(clusters=clusters, act=act, request_id="req-1")
    answer = await stub.AdoptClusters(request)
    return [(one.cluster_id, one.outcome) for one in answer.clusters], answer


async def test_a_cluster_is_taken_in_whole(registry):
    outcomes, answer = await adopt(registry, found())
    assert (outcomes, answer.acted) == ([(ID, "new")], True)
    cluster = await registry.get("cats")
    assert cluster.spec.wanted
    assert (cluster.generation, cluster.rev, cluster.whitelist.revision) == (1, 1, 1)
    assert (cluster.created_at_ms, cluster.status.milvus_port) == (7, "19530")
    assert [rule.source_ip for rule in cluster.whitelist.rules] == ["198.18.88.11/32"]
    assert cluster.status.nodes == found().status.nodes
    request = ops.GetOperationRequest(user=USER, operation_id=cluster.operation_id)
    operation = (await registry.operations.GetOperation(request)).operation
    assert (operation.type, operation.request_id) == ("adopt-cluster", "req-1")
    assert operation.state == ops.OPERATION_STATE_SUCCEEDED
    (event,) = await registry.events("cats")
    assert (event.type, event.origin) == ("ClusterAdopted", "operator")
    (claimed,) = await registry.claim()  # due at once: somebody looks after it
    assert claimed.cluster.cluster_id == ID


async def test_without_act_nothing_is_written(registry):
    outcomes, answer = await adopt(registry, found(), act=False)
    assert (outcomes, answer.acted) == ([(ID, "new")], False)
    assert not (await adopt(registry, act=False))[0]
    assert await registry.claim() == []


async def test_the_same_facts_are_no_news(registry):
    await adopt(registry, found())
    outcomes, answer = await adopt(registry, found())
    assert (outcomes, answer.acted) == ([(ID, "known")], True)
    assert len(await registry.events("cats")) == 1


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (found(name="dogs"), f"the registry knows it as {USER}/cats"),
        (found(user="bob"), f"the registry knows it as {USER}/cats"),
        (found(instance="i-2"), "the registry knows it with i-1"),
    ],
)
async def test_other_facts_under_the_same_id_refuse_all(registry, other, why):
    await adopt(registry, found())
    before = await registry.get("cats")
    outcomes, answer = await adopt(registry, other, found("cbbbbbbbbbbbbbbbb", name="birds"))
    assert outcomes == [(ID, "refused"), ("cbbbbbbbbbbbbbbbb", "new")]
    assert answer.clusters[0].why == why
    assert not answer.acted
    assert await registry.get("cats") == before
    assert len(await registry.claim()) == 1


async def test_a_cluster_without_machine_in_the_records_is_not_overwritten(registry):
    made = (await registry.create("cats")).cluster
    outcomes, answer = await adopt(registry, found(made.cluster_id))
    assert outcomes == [(made.cluster_id, "refused")]
    assert answer.clusters[0].why == "the registry knows it with no machine"


async def test_a_name_that_is_taken_is_refused(registry):
    await registry.create("cats")
    outcomes, answer = await adopt(registry, found())
    assert outcomes == [(ID, "refused")]
    assert answer.clusters[0].why == f"{USER} has another cats"


async def test_two_of_one_name_are_both_refused(registry):
    outcomes, _ = await adopt(registry, found(), found("cbbbbbbbbbbbbbbbb"))
    assert outcomes == [(ID, "refused"), ("cbbbbbbbbbbbbbbbb", "refused")]


async def test_a_deleted_cluster_stays_deleted_and_stands_in_nobodys_way(registry):
    gone = (await registry.create("cats")).cluster
    await registry.gone("cats")
    outcomes, answer = await adopt(registry, found(gone.cluster_id), found())
    assert outcomes == [(gone.cluster_id, "deleted"), (ID, "new")]
    assert answer.acted
    assert (await registry.get("cats")).cluster_id == ID


@pytest.mark.parametrize(
    "broken",
    [
        found(user="*"),
        found(name="{{ x }}"),
        found(""),
        found(rules=("198.18.88.11/24",)),
        pb.Cluster(cluster_id=ID, user=USER, milvus_name="cats"),
    ],
    ids=["user", "name", "id", "rule", "empty"],
)
async def test_what_could_never_have_been_created_is_refused(registry, broken):
    ((_, outcome),), answer = await adopt(registry, broken)
    assert (outcome, answer.acted) == ("refused", False)
    assert answer.clusters[0].why


async def test_without_machines_there_is_nothing_to_take_in(registry):
    empty = found()
    del empty.status.nodes[:]
    assert (await adopt(registry, empty))[0] == [(ID, "refused")]


async def test_a_quota_is_no_reason_to_lose_clusters(registry):
    clusters = [found(f"c{n:016d}", name=f"n{n}", instance=f"i-{n}") for n in range(30)]
    outcomes, _ = await adopt(registry, *clusters)
    assert {outcome for _, outcome in outcomes} == {"new"}
    assert len(registry.store.quota_numbers(USER)) == 30


async def test_who_is_overtaken_is_told(registry, monkeypatch):
    def taken(record):
        raise Taken("name")

    monkeypatch.setattr(registry.store, "insert", taken)
    adoption = Adoption(registry.store, registry.clock)
    verdicts, acted = adoption.adopt([found()], act=True, request_id="")
    assert ([one.outcome for one in verdicts], acted) == (["refused"], True)
