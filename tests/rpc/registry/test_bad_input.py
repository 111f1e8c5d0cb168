"""Numbers and parts that do not fit are refused by name, over either store: none is a defect."""

import pytest

from kite.errors import InvalidRequest
from kite.v1 import adoption_pb2, adoption_pb2_grpc, cluster_pb2, registry_pb2
from kite.v1 import operation_pb2 as ops
from registry_svc import paging
from tests.rpc.registry.conftest import NAME, USER, hosted
from tests.store.world import on_mongodb


@pytest.fixture(params=["embedded", pytest.param("wire", marks=pytest.mark.wire)])
def engine(request):
    if request.param == "embedded":
        yield request.getfixturevalue("embedded")
        return
    with on_mongodb(request.getfixturevalue("wire_server").uri) as engine:
        yield engine


@pytest.fixture
async def either(engine, clock):
    async with hosted(engine, clock) as caller:
        yield caller


NUMBERS = ["9" * 30, str(2**63), "-1", "-" + "9" * 30, "1_0", " 1", ""]


async def test_a_page_token_with_a_number_that_no_page_had_is_refused(either):
    await either.create()
    for number in NUMBERS:
        token = paging.token(number, "op-x")
        with pytest.raises(InvalidRequest) as caught:
            await either.operations.ListOperations(
                ops.ListOperationsRequest(user=USER, page_token=token)
            )
        assert caught.value.reason == "INVALID_PAGE_TOKEN"


async def test_the_largest_numbers_are_answered(either):
    await either.create()
    for number in (0, 2**63 - 1):
        token = paging.token(str(number), "op-x")
        request = ops.ListOperationsRequest(user=USER, page_token=token)
        assert len((await either.operations.ListOperations(request)).operations) == bool(number)
    assert await either.events(after=2**63 - 1) == []
    assert len(await either.events(after=-(2**63))) == 1
    odd = registry_pb2.ListClustersRequest(page_token=paging.token("\0"))
    assert [c.milvus_name for c in (await either.registry.ListClusters(odd)).clusters] == [NAME]


FAR = 2**63 - 1  # no date can name it
OPERATIONS = [
    ({"progress": -5}, "/operation/progress"),
    ({"progress": 1_000_000}, "/operation/progress"),
    ({"started_at_ms": -1}, "/operation/started_at"),
    ({"ended_at_ms": FAR}, "/operation/ended_at"),
    ({"steps": [ops.Step(name="x", state=ops.OPERATION_STATE_RUNNING, ended_at_ms=-1)]},
     "/operation/steps/0/ended_at"),
]  # fmt: skip


@pytest.mark.parametrize(("more", "field"), OPERATIONS)
async def test_an_operation_that_does_not_fit_is_refused_by_field(either, more, field):
    whole = {"operation_id": "op-1", "type": "t", "user": USER, "state": 2} | more
    with pytest.raises(InvalidRequest) as caught:
        await either.operations.RecordOperation(
            ops.RecordOperationRequest(operation=ops.Operation(**whole))
        )
    assert caught.value.field == field
    assert "cannot be stored: " in caught.value.description


@pytest.mark.parametrize("at", [-1, FAR])
async def test_an_event_that_does_not_fit_is_refused(either, at):
    cluster_id = (await either.create()).cluster.cluster_id
    with pytest.raises(InvalidRequest, match="cannot be stored"):
        await either.operations.AppendEvents(
            ops.AppendEventsRequest(cluster_id=cluster_id, events=[ops.Event(type="x", at_ms=at)])
        )
    assert len(await either.events()) == 1


RUNNING = {"state": cluster_pb2.CLUSTER_STATE_RUNNING}
NODE = {"role": cluster_pb2.ROLE_MASTER, "state": cluster_pb2.NODE_STATE_RUNNING}


@pytest.mark.parametrize("odd", [{"slot": -1}, {"attempt": -(2**31)}, {"launches_ms": [-1]}])
async def test_a_commit_that_does_not_fit_is_refused_and_changes_nothing(either, odd):
    await either.create()
    [claimed] = await either.claim()
    status = cluster_pb2.ClusterStatus(**RUNNING, nodes=[cluster_pb2.Node(**NODE, **odd)])
    with pytest.raises(InvalidRequest) as caught:
        await either.commit(claimed, status=status)
    assert caught.value.field == f"/instances/0/{next(iter(odd)).removesuffix('_ms')}" + (
        "/0" if "launches_ms" in odd else ""
    )
    assert await either.get() == claimed.cluster


async def test_a_cluster_to_adopt_that_does_not_fit_is_refused_beside_the_others(either):
    made = [
        cluster_pb2.Cluster(
            cluster_id=f"c{number}aaaaaaaaaaaaaaa", user=USER, milvus_name=f"name-{number}",
            spec=cluster_pb2.ClusterSpec(
                milvus_type="M5", disk_gib=50, workers=workers, master_instance_type="m5.large",
                address_mode=cluster_pb2.ADDRESS_MODE_AUTO,
            ),
            status=cluster_pb2.ClusterStatus(**RUNNING, nodes=[cluster_pb2.Node(**NODE)]),
        )
        for number, workers in enumerate([0, -1])
    ]  # fmt: skip
    stub = adoption_pb2_grpc.AdoptionServiceStub(either.channel)
    told = await stub.AdoptClusters(adoption_pb2.AdoptClustersRequest(clusters=made, act=True))
    assert [one.outcome for one in told.clusters] == ["new", "refused"]
    assert "workers cannot be stored" in told.clusters[1].why
    assert not told.acted


async def test_a_rule_that_expires_at_no_date_is_refused(either):
    await either.create()
    odd = cluster_pb2.Rule(
        source_ip="1.2.3.4/32", port_type=cluster_pb2.PORT_TYPE_MILVUS, expires_at_ms=FAR
    )
    with pytest.raises(InvalidRequest) as caught:
        await either.whitelist(odd)
    assert caught.value.reason == "INVALID_RULE"
