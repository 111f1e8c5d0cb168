"""Calls that arrive twice, or late: what they did, they do once, and to the cluster they meant."""

import pytest

from kite.errors import Conflict, InvalidRequest, LeaseLost, NotFound
from kite.v1 import registry_pb2
from tests.rpc.registry.conftest import NAME, USER
from tests.rpc.registry.test_clusters import rule

FIRST, SECOND = "call-one", "call-two"


async def delete(registry, call_id):
    request = registry_pb2.DeleteClusterRequest(user=USER, milvus_name=NAME, call_id=call_id)
    return await registry.registry.DeleteCluster(request)


async def whitelist(registry, cluster_id, *rules):
    request = registry_pb2.SetWhitelistRequest(
        user=USER, milvus_name=NAME, rules=rules, cluster_id=cluster_id
    )
    return (await registry.registry.SetWhitelist(request)).cluster


# -- create ------------------------------------------------------------------------------------


async def test_a_repeated_create_made_the_cluster(registry):
    first = await registry.create(call_id=FIRST)
    again = await registry.create(call_id=FIRST)
    assert (again.created, again.cluster) == (True, first.cluster)


async def test_another_create_did_not(registry):
    await registry.create(call_id=FIRST)
    assert not (await registry.create(call_id=SECOND)).created
    assert not (await registry.create()).created


async def test_a_create_without_an_id_is_never_taken_for_a_repetition(registry):
    await registry.create()
    assert not (await registry.create()).created
    gone = await registry.gone()
    assert (await registry.create()).cluster.cluster_id != gone.cluster_id


async def test_a_create_repeated_after_the_end_makes_no_second_cluster(registry):
    made = await registry.create(call_id=FIRST)
    await registry.gone()
    late = await registry.create(call_id=FIRST)
    assert (late.created, late.cluster.cluster_id) == (True, made.cluster.cluster_id)
    with pytest.raises(NotFound):
        await registry.get()


async def test_a_create_with_a_key_repeated_after_the_end_is_known_too(registry):
    key = {"idempotency_key": "k", "body_hash": "h"}
    made = await registry.create(call_id=FIRST, **key)
    assert (await registry.create(call_id=FIRST, **key)).created
    assert not (await registry.create(call_id=SECOND, **key)).created
    await registry.gone()
    late = await registry.create(call_id=FIRST, **key)
    assert (late.created, late.cluster.cluster_id) == (True, made.cluster.cluster_id)


# -- delete ------------------------------------------------------------------------------------


async def test_a_delete_repeated_after_the_end_is_answered_with_it(registry):
    made = await registry.create()
    asked = await delete(registry, FIRST)
    [claimed] = await registry.claim()
    await registry.commit(claimed, gone=True)
    late = await delete(registry, FIRST)
    assert late.cluster.cluster_id == made.cluster.cluster_id
    assert late.operation.operation_id == asked.operation.operation_id
    with pytest.raises(NotFound):
        await delete(registry, SECOND)


async def test_a_repeated_delete_never_ends_a_newer_cluster(registry):
    made = await registry.create()
    await delete(registry, FIRST)
    [claimed] = await registry.claim()
    await registry.commit(claimed, gone=True)
    newer = await registry.create()
    late = await delete(registry, FIRST)
    assert late.cluster.cluster_id == made.cluster.cluster_id
    assert (await registry.get()).spec.wanted
    assert (await delete(registry, SECOND)).cluster.cluster_id == newer.cluster.cluster_id


# -- a name that is used again -----------------------------------------------------------------


async def test_a_list_for_an_earlier_cluster_is_not_the_later_ones(registry):
    earlier = (await registry.create()).cluster
    await whitelist(registry, earlier.cluster_id, rule())
    await registry.gone()
    later = (await registry.create()).cluster
    with pytest.raises(Conflict, match="another cluster by now"):
        await whitelist(registry, earlier.cluster_id, rule("9.9.9.9/32"))
    assert list((await registry.get()).whitelist.rules) == []
    assert (await whitelist(registry, later.cluster_id, rule())).whitelist.rules


async def test_no_revision_of_an_earlier_cluster_is_one_of_the_later(registry):
    await registry.create()
    await registry.whitelist(rule())
    gone = await registry.gone()
    later = (await registry.create(rules=[rule()])).cluster
    assert later.rev > gone.rev
    assert later.whitelist.revision > gone.whitelist.revision
    for rev in range(1, gone.rev + 1):
        with pytest.raises(Conflict):
            await registry.delete(rev=rev)
    for revision in range(1, gone.whitelist.revision + 1):
        with pytest.raises(Conflict):
            await registry.whitelist(rule("9.9.9.9/32"), revision=revision)


# -- commits -----------------------------------------------------------------------------------


async def test_a_commit_that_is_carried_out_late_changes_nothing(registry):
    await registry.create()
    [claimed] = await registry.claim()
    await registry.commit(claimed, number=1, commit_id="a", operation=running(claimed, 10))
    newest = await registry.commit(claimed, number=3, commit_id="c", operation=running(claimed, 30))
    with pytest.raises(LeaseLost, match="too late"):
        await registry.commit(claimed, number=2, commit_id="b", operation=running(claimed, 20))
    assert await registry.get() == newest
    assert (await registry.operation(newest.operation_id)).progress == 30
    again = await registry.commit(claimed, number=3, commit_id="c", operation=running(claimed, 30))
    assert again == newest


async def test_numbers_begin_anew_with_each_claim(registry, clock):
    """A process that was started again counts from one."""
    await registry.create()
    [claimed] = await registry.claim()
    await registry.commit(claimed, number=7, release=True)
    clock.forward(seconds=3600)
    [again] = await registry.claim("p2")
    await registry.commit(again, "p2", number=1)


def running(claimed, progress):
    operation = type(claimed.operation)()
    operation.CopyFrom(claimed.operation)
    operation.progress = progress
    return operation


# -- bad input ---------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["create", "delete"])
async def test_an_id_that_no_record_could_hold_is_refused(registry, call):
    long = "x" * 65
    with pytest.raises(InvalidRequest) as caught:
        await (registry.create(call_id=long) if call == "create" else delete(registry, long))
    assert caught.value.field == "/call_id"
    with pytest.raises(NotFound):
        await registry.get()
