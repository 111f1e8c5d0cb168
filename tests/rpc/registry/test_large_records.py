"""Listings and claims of records so large that 500 of them are no message."""

from itertools import chain

import pytest

from kite.rpc.client import MAX_MESSAGE_BYTES
from kite.rpc.sweep_book import SweepBook
from kite.v1 import operation_pb2 as ops
from kite.v1 import registry_pb2
from provisioner.sweep import facts
from tests.rpc.registry.conftest import NAME, USER
from tests.rpc.registry.test_clusters import rule
from tests.rpc.registry.test_operations import over, record
from whitelist_svc.records import Records

HOW_MANY = 40
# Five times what a user may wish (60 + 60 rules, notes of 200): fewer clusters do.
RULES = [rule(f"115.236.{n}.{m}/32", note="x" * 1_000) for n in range(2) for m in range(60)]


@pytest.fixture
async def full(registry):
    """Clusters that are more than a message together."""
    for n in range(HOW_MANY):
        await registry.create(f"name-{n:02}", user=f"user-{n // 10}", rules=RULES)
    bytes_each = (await registry.get("name-00", user="user-0")).ByteSize()
    assert bytes_each * HOW_MANY > MAX_MESSAGE_BYTES
    return registry


async def test_sweeps_and_the_mending_loop_read_every_cluster(full):
    book = SweepBook(
        full.channel,
        lambda clusters: facts.read(clusters, install="kite1"),
        duty="sweep",
        holder="s1",
        seconds=90,
    )
    assert len((await book.live()).clusters) == HOW_MANY
    found = await Records(full.channel, holder="w1").every()
    assert sorted(c.milvus_name for c in found) == [f"name-{n:02}" for n in range(HOW_MANY)]


async def test_a_page_that_bytes_end_goes_on_where_it_ended(full):
    seen, token, pages = [], "", 0
    while token or not pages:
        page = await full.registry.ListClusters(
            registry_pb2.ListClustersRequest(page_size=500, page_token=token)
        )
        assert page.ByteSize() < MAX_MESSAGE_BYTES * 0.6
        seen += [c.milvus_name for c in page.clusters]
        token, pages = page.next_page_token, pages + 1
    assert seen == [f"name-{n:02}" for n in range(HOW_MANY)]
    assert 1 < pages < 5


async def test_claims_are_no_more_than_an_answer_holds(full):
    claims = []
    while more := await full.claim(most=100):
        claims.append([one.cluster.milvus_name for one in more])
    assert len(claims) > 1
    assert sorted(chain(*claims)) == [f"name-{n:02}" for n in range(HOW_MANY)]


async def test_operations_and_events_are_read_to_the_last(registry):
    cluster_id = (await registry.create()).cluster.cluster_id
    begun = len(await registry.events())
    long = "x" * 500_000
    for n in range(10):
        await record(registry, over(f"op-{n}", description=long, started_at_ms=n))
        told = ops.Event(type=f"T{n}", description=long)
        request = ops.AppendEventsRequest(cluster_id=cluster_id, events=[told])
        await registry.operations.AppendEvents(request)

    listed, token = [], ""
    while token or not listed:
        request = ops.ListOperationsRequest(user=USER, milvus_name=NAME, page_token=token)
        page = await registry.operations.ListOperations(request)
        listed += [o.operation_id for o in page.operations]
        token = page.next_page_token
    assert listed[-10:] == [f"op-{n}" for n in reversed(range(10))]

    events = []
    while more := await registry.events(after=events[-1].number if events else 0, size=500):
        events += more
    assert [e.type for e in events[begun:]] == [f"T{n}" for n in range(10)]
