"""S3-05, first part: a registry that was lost is rebuilt from tags; EC2 strict, services real."""

from __future__ import annotations

import pytest

from kite.cli import adopt, gc
from kite.errors import Unavailable
from kite.rpc.server import RpcServer
from kite.v1 import whitelist_pb2
from tests.cloud.provisioner import test_sweep as zombies

A, B = "198.18.88.11", "198.18.88.12"


async def lose_the_registry(house, folder):
    """Everything goes on but the records."""
    await house.halt()
    house.folder = folder
    await house.start()
    await serve(house)


async def serve(house):
    """The provisioner's own servicers, on a port."""
    server = RpcServer("127.0.0.1:0")
    house.provisioner.add_to(server)
    house.targets["provisioner"] = f"127.0.0.1:{await server.start()}"
    house.closers.append(lambda: server.drain(0))


def remote(house, name):
    return adopt.Remote(house.targets[name], name)


async def adopted(house, *, act=True, only=()):
    parts = [remote(house, name) for name in ("provisioner", "whitelist", "registry")]
    return await adopt.adopt(*parts, act=act, only=only)


async def in_force(house, name="cats"):
    request = whitelist_pb2.GetRulesRequest(user="alice", milvus_name=name)
    answer = await house.whitelist.GetRules(request)
    return {(one.rule.source_ip, one.state) for one in answer.rules}


@pytest.fixture
async def lost(house, tmp_path):
    """A running cluster with a whitelist that the registry has forgotten; as it was."""
    await house.create()
    before = await house.until("RUNNING")
    await house.allow(A, B)
    await lose_the_registry(house, tmp_path / "new")
    return before


async def test_a_cluster_comes_back_as_it_was_and_can_be_deleted(house, lost):
    machines, left = house.machines(), house.left()
    answer = await adopted(house)
    assert (answer.acted, answer.code) == (True, adopt.DONE)
    now = await house.until("RUNNING")
    for same in ("cluster_id", "user", "milvus_name", "spec"):
        assert getattr(now, same) == getattr(lost, same)
    for same in ("milvus_url", "milvus_port", "subnet_id", "address"):
        assert getattr(now.status, same) == getattr(lost.status, same)
    assert {g.group_id for g in now.status.security_groups} == {
        g.group_id for g in lost.status.security_groups
    }
    (node,), (old,) = now.status.nodes, lost.status.nodes
    for same in ("slot", "role", "attempt", "token", "instance_id", "public_ip", "private_ip"):
        assert getattr(node, same) == getattr(old, same)
    authorized = whitelist_pb2.RULE_STATE_AUTHORIZED
    assert await in_force(house) == {(f"{A}/32", authorized), (f"{B}/32", authorized)}
    assert [m["InstanceId"] for m in house.machines()] == [m["InstanceId"] for m in machines]
    assert house.left() == left
    assert len(house.installer.jobs) == 1  # Milvus went on; nothing was installed again
    await house.delete()
    await house.until("DELETED")
    assert not any(house.left().values())


async def test_by_itself_it_only_looks(house, lost):
    answer = await adopted(house, act=False)
    assert (answer.acted, answer.code) == (False, adopt.OPEN)
    assert [one.outcome for one in answer.verdicts.values()] == ["new"]
    (seen,) = answer.clusters
    assert seen.spec.milvus_type == "M5"
    assert seen.spec.disk_gib == 50
    assert [one.source_ip for one in seen.whitelist.rules] == [f"{A}/32", f"{B}/32"]
    assert (await adopted(house, act=False)).verdicts == answer.verdicts


async def test_a_rule_made_by_hand_is_told_and_not_taken_over(house, lost):
    (group,) = [g.group_id for g in lost.status.security_groups if g.kind == "whitelist"]
    house.ec2.authorize_security_group_ingress(
        GroupId=group, IpProtocol="tcp", FromPort=9091, ToPort=9091, CidrIp="198.18.88.0/24"
    )
    answer = await adopted(house, act=False)
    assert len(answer.clusters[0].whitelist.rules) == 2
    (note,) = answer.notes
    assert "198.18.88.0/24" in note


async def test_twice_is_once(house, lost):
    await adopted(house)
    again = await adopted(house)
    assert [one.outcome for one in again.verdicts.values()] == ["known"]
    assert again.code == adopt.DONE


async def test_the_sweep_keeps_hands_off_before_and_after(house, lost):
    house.strict.clock.advance(3_600)
    machines = house.machines()
    for _ in range(3):
        plan = await house.provisioner.sweeper.turn()
        house.strict.clock.advance(86_400)
    assert {f.verdict for f in plan.findings} == {"kept"}
    await adopted(house)
    await house.until("RUNNING")
    for _ in range(3):
        plan = await house.provisioner.sweeper.turn()
        house.strict.clock.advance(86_400)
    assert plan.findings == ()
    assert not plan.skipped
    assert len(house.machines()) == len(machines)


async def test_a_name_that_is_taken_refuses_all(house, lost):
    await house.create()  # before anybody thought of adopting
    await house.create("dogs")
    await house.until("RUNNING", "dogs")
    answer = await adopted(house)
    assert (answer.acted, answer.code) == (False, adopt.OPEN)
    verdict = answer.verdicts[lost.cluster_id]
    assert (verdict.outcome, verdict.why) == ("refused", "alice has another cats")


async def test_one_of_several_can_be_chosen(house, lost):
    answer = await adopted(house, only=["cother"])
    assert answer.clusters == ()
    answer = await adopted(house, only=[lost.cluster_id])
    assert len(answer.clusters) == 1
    await house.until("RUNNING")


async def test_what_was_deleted_does_not_come_back(house):
    await serve(house)
    cluster_id = await zombies.deleted(house)
    zombies.launch(house, cluster_id)
    zombies.volume(house, cluster_id)
    answer = await adopted(house)
    assert answer.clusters == ()  # no volume with its data, so nothing to take in
    assert any(cluster_id in note for note in answer.notes)


async def test_a_service_that_is_away_stops_it(house, lost):
    parts = [remote(house, name) for name in ("provisioner", "whitelist")]
    nobody = adopt.Remote("127.0.0.1:9", "registry")
    with pytest.raises(Unavailable):
        await adopt.adopt(*parts, nobody, act=True)


async def test_gc_by_rpc_finds_what_the_sweep_finds(house):
    await serve(house)
    cluster_id = await zombies.deleted(house)
    extra = zombies.launch(house, cluster_id)
    services = {n: gc.Remote(house.targets[n], n) for n in ("provisioner", "whitelist")}
    said = []

    async def pause(seconds):
        house.strict.clock.advance(seconds)

    look = await gc.collect(services, gc.Wish(), say=said.append, pause=pause)
    assert [(one.id, one.verdict) for one in look.leftovers] == [(extra, "first")]
    assert look.code == gc.LEFTOVERS
    done = await gc.collect(services, gc.Wish(act=True), say=said.append, pause=pause)
    assert [(one.id, one.removed) for one in done.leftovers] == [(extra, True)]
    assert done.code == gc.CLEAN
    assert zombies.alive(house) == set()
    clean = await gc.collect(services, gc.Wish(act=True), say=said.append, pause=pause)
    assert clean.leftovers == ()
