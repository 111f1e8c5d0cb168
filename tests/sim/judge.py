"""What must be true in the end."""

from __future__ import annotations

from kite.sweep import Policy
from kite.v1 import operation_pb2 as op
from provisioner.facts import Machine
from provisioner.record import ClusterState, Node, NodeState, Record
from registry_svc import stories
from registry_svc.record import Record as Row
from tests.sim import causes
from tests.sim.cloud import Cloud
from tests.sim.hosts import Host, at
from tests.sim.registry import Store
from tests.sim.watch import Watch

SWEPT = 15 * 60.0  # seconds: two sightings by whoever has the duty, when nothing hinders
POLICY = Policy()  # the sweep's own, whatever a test does to that of the days
# Seconds. Boot, SSH, install and Milvus together take up to 160 here, an end 5.
PROMPT = {stories.CREATE: 200.0, stories.DELETE: 15.0}
_ENDED = (op.OPERATION_STATE_SUCCEEDED, op.OPERATION_STATE_FAILED)
_HEALTHY = {ClusterState.RUNNING, ClusterState.DEGRADED}


def on_the_way(watch: Watch, *, patience: float) -> list[str]:
    """What must not have happened, however it ended."""
    found = [f"launched {token} without a committed intent" for token in watch.unannounced]
    found += [f"the attempt of {one} was taken back" for one in watch.forgotten()]
    found += watch.unexcused
    for one in watch.lost:
        if one.seconds > (patience if one.excused else 0.0) or one.calm > SWEPT:
            times = f"{one.seconds:.1f} s, {one.calm:.1f} s of them in calm"
            found.append(f"{one.instance_id} was nobody's for {times}")
    if watch.most > 2:  # the one that is waited for, and one that came late
        found.append(f"{watch.most} machines for one slot at a time")
    return found


def slow(store: Store) -> list[str]:
    """What took longer than it may when nothing is in its way."""
    found, now = [], store.clock.now_ms()
    for one in store.records.told.values():
        seconds = ((one.ended_at_ms or now) - one.started_at_ms) / 1000
        if seconds > PROMPT[one.type]:
            found.append(f"{one.type} of {one.cluster_id} took {seconds:.0f} s")
    return found


def unsettled(cloud: Cloud, store: Store, watch: Watch) -> list[str]:
    """What must not stay so: every sentence that stays is a defect."""
    found = [f"machine {one} is nobody's" for one in watch.orphans()]
    found += [f"{one} is left" for one in watch.strays()]
    for cluster_id, row in store.rows.items():
        found += [f"{cluster_id}: {what}" for what in _of_one(cloud, store, cluster_id, row)]
    return found


def kept(cloud: Cloud, store: Store) -> set[str]:
    """Of these sentences, those that are right for now: the sweep keeps volumes for so long."""
    ends = {
        one: row.cluster.deleted_at_ms / 1000 for one, row in store.rows.items() if not row.live
    }
    now, longest = at(cloud.now).timestamp(), POLICY.tomb_volume_ms / 1000 + SWEPT
    return {
        f"{volume.volume_id} is left"
        for volume in cloud.volumes.values()
        if now < ends.get(volume.cluster_id, 0) + longest
    }


def _of_one(cloud: Cloud, store: Store, cluster_id: str, row: Row) -> list[str]:
    alive = [h for h in cloud.hosts.values() if h.cluster_id == cluster_id and h.alive(cloud.now)]
    if not store.wanted(cluster_id):
        if row.live:
            return [f"is not gone: {store.record(cluster_id)}"]
        if row.operation.state != op.OPERATION_STATE_SUCCEEDED:
            return [f"its deletion is told as {row.operation.state}"]
        return [f"left {host.instance_id}" for host in alive]
    record = store.record(cluster_id)
    found = [w for node in record.nodes for w in _of_node(cloud, node, alive)]
    found += [w for node in record.nodes for w in _of_failed(cloud, record, node)]
    zones = {host.subnet_id for host in alive}
    found += [f"has machines in {len(zones)} zones"] if len(zones) > 1 else []
    found += _of_whole(record, row)
    return found


def _of_whole(record: Record, row: Row) -> list[str]:
    found = []
    if len(record.nodes) != 1 + record.spec.workers:
        found.append(f"has {len(record.nodes)} nodes")
    if record.state is ClusterState.FAILED:
        if record.reason not in {node.reason for node in record.nodes} or not record.why:
            found.append(f"failed because of {record.reason}: {record.why}")
    elif record.state not in _HEALTHY:
        found.append(f"is {record.state} for ever: {record.why}")
    elif not record.address.association_id or not record.milvus_url:
        found.append("runs without its address")
    # A create waits for the machine that somebody stopped by hand: it has not failed yet.
    if row.operation.state not in _ENDED and record.reason != "INSTANCE_STOPPED":
        found.append(f"its operation is told as {row.operation.state}")
    return found


def _of_failed(cloud: Cloud, record: Record, node: Node) -> list[str]:
    """The world must have given cause; every other failure is our own fault."""
    met = causes.past(cloud, record.cluster_id, node.slot, alone=len(record.nodes) == 1)
    if node.state is not NodeState.FAILED or causes.caused(node.reason, met):
        return []
    return [f"node {node.slot} failed without a cause: {node.reason}: {node.why}"]


def _of_node(cloud: Cloud, node: Node, alive: list[Host]) -> list[str]:
    mine = [host for host in alive if host.slot == node.slot]
    if node.state is NodeState.FAILED:
        return [f"failed node {node.slot} keeps {host.instance_id}" for host in mine]
    if node.state is not NodeState.RUNNING:
        return [f"node {node.slot} is {node.state} for ever: {node.why} {node.reason}"]
    if len(mine) != 1 or mine[0].instance_id != node.instance_id:
        return [f"node {node.slot} has {[h.instance_id for h in mine]}, not {node.instance_id}"]
    host = mine[0]
    if node.reason == "INSTANCE_STOPPED":
        return [] if host.stopped else [f"node {node.slot} is told to be stopped"]
    if node.reason or host.machine(cloud.now) is not Machine.RUNNING or not host.secured:
        return [f"node {node.slot} is told to run, but {host} {node.reason}"]
    return []
