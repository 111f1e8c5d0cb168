"""Calls that arrive twice, or late: what they did, they do once, and to the cluster they meant."""

import pytest

from kite.errors import Conflict, InvalidRequest, KiteError, LeaseLost, NotFound
from kite.v1 import registry_pb2
from tests.rpc.registry.conftest import NAME, USER
from tests.rpc.registry.test_clusters import rule

FIRST, SECOND = "call-one", "call-two"


async def delete(registry, cluster_id, *, name=NAME, user=USER):
    request = registry_pb2.DeleteClusterRequest(user=user, milvus_name=name, cluster_id=cluster_id)
    return await registry.registry.DeleteCluster(request)


async def ended(registry, **more):
    """A cluster of the name, from its create to its end."""
    cluster = (await registry.create(**more)).cluster
    await registry.gone()
    return cluster


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


@pytest.mark.parametrize("key", [{}, {"idempotency_key": "k", "body_hash": "h"}])
async def test_a_create_repeated_after_a_deletion_makes_no_second_cluster(registry, key):
    await registry.create(call_id=FIRST, **key)
    await registry.delete()
    for _ in ("while it goes", "when it has gone"):
        with pytest.raises(Conflict) as caught:
            await registry.create(call_id=FIRST, **key)
        assert caught.value.reason == "CLUSTER_DELETING"
        for claimed in await registry.claim("undertaker"):
            await registry.commit(claimed, "undertaker", gone=True)
    with pytest.raises(NotFound):
        await registry.get()


@pytest.mark.parametrize("later", [1, 3])
async def test_a_create_repeated_however_late_is_known(registry, later):
    await ended(registry, call_id=FIRST)
    for n in range(later):
        await ended(registry, call_id=f"later-{n}")
    with pytest.raises(Conflict):
        await registry.create(call_id=FIRST)


async def test_the_key_of_a_create_outlives_its_call(registry):
    key = {"idempotency_key": "k", "body_hash": "h"}
    made = await registry.create(call_id=FIRST, **key)
    again = await registry.create(call_id=SECOND, **key)
    assert (again.created, again.cluster) == (False, made.cluster)


async def test_calls_of_two_users_are_never_one(registry):
    mine = await registry.create(call_id=FIRST)
    with pytest.raises(KiteError):
        await registry.create(call_id=FIRST, user="somebody-else")
    assert (await registry.get()) == mine.cluster


# -- delete ------------------------------------------------------------------------------------


async def test_a_repeated_delete_never_ends_a_newer_cluster(registry):
    made = (await registry.create()).cluster
    asked = await delete(registry, made.cluster_id)
    joined = await delete(registry, made.cluster_id)
    assert joined.operation == asked.operation
    [claimed] = await registry.claim()
    await registry.commit(claimed, gone=True)
    for _ in ("nobody has the name", "another has it"):
        late = await delete(registry, made.cluster_id)
        assert late.cluster.cluster_id == made.cluster_id
        assert late.operation.operation_id == asked.operation.operation_id
        newer = (await registry.create()).cluster
    assert (await registry.get()).spec.wanted
    assert (await delete(registry, newer.cluster_id)).cluster.cluster_id == newer.cluster_id


@pytest.mark.parametrize("whose", [{"user": "somebody-else"}, {"name": "other-cats"}])
async def test_nobody_deletes_by_an_id_of_others(registry, whose):
    made = (await registry.create()).cluster
    with pytest.raises(NotFound) as caught:
        await delete(registry, made.cluster_id, **whose)
    assert caught.value.reason == "NO_SUCH_CLUSTER"
    assert (await registry.get()).spec.wanted


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


@pytest.mark.parametrize("back", [0, 5], ids=["at once", "the clock was set back"])
async def test_no_revision_of_an_earlier_cluster_is_one_of_the_later(registry, clock, back):
    await registry.create()
    await registry.whitelist(rule())
    await registry.gone()
    clock.forward(seconds=-back)
    await registry.create()
    await registry.whitelist(rule("9.9.9.9/32"))
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
    await registry.commit(claimed)  # without a number: the door stays shut
    with pytest.raises(LeaseLost, match="too late"):
        await registry.commit(claimed, number=2, commit_id="b")
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


@pytest.mark.parametrize("present", [True, False])
async def test_an_id_that_is_too_long_is_refused(registry, present):
    if present:
        await registry.create()
    with pytest.raises(InvalidRequest) as caught:
        await registry.create(call_id="x" * 65)
    assert caught.value.field == "/call_id"


async def test_a_commits_number_is_no_negative_one(registry):
    await registry.create()
    [claimed] = await registry.claim()
    with pytest.raises(InvalidRequest) as caught:
        await registry.commit(claimed, number=-1)
    assert caught.value.field == "/number"
