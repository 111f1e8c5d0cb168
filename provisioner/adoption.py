"""Clusters as EC2 alone tells of them: records rebuilt from tags when the registry was lost. Pure.

What is rebuilt: user, name, type, disk, address mode, machines with slot and attempt, address. What
is not: the history, deletions that were under way, and clusters without a machine. A machine is
taken as one that runs Milvus, because such a machine is never ended but by its user's wish.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kite import tags
from kite.sweep import Thing
from provisioner.record import (
    Address,
    AddressMode,
    Intent,
    Node,
    NodeState,
    Record,
    Role,
    Spec,
)
from provisioner.sweep import facts
from provisioner.tokens import login_key_name, token

WHY = "taken over as EC2 shows it"


@dataclass(frozen=True, slots=True)
class Found:
    """One machine of ours, with what its tags and EC2 tell. Sizes are GiB, 0 = not seen."""

    thing: Thing
    user: str
    milvus_name: str
    milvus_type: str
    node: Node
    intent: Intent


@dataclass(frozen=True, slots=True)
class Adopted:
    """A record to take in, and when its oldest machine began (epoch milliseconds)."""

    record: Record
    born_ms: int


@dataclass(frozen=True, slots=True)
class Survey:
    """Clusters that can be taken in, and what cannot, in words."""

    clusters: tuple[Adopted, ...] = ()
    notes: tuple[str, ...] = ()


def survey(
    instances: Iterable[Mapping[str, Any]],
    volumes: Iterable[Mapping[str, Any]],
    addresses: Iterable[Mapping[str, Any]],
    *,
    install: str,
) -> Survey:
    """What EC2's answers (DescribeInstances, -Volumes, -Addresses) tell of clusters."""
    sizes = _sizes(volumes)
    ours, notes = defaultdict[str, list[Found]](list), list[str]()
    for instance in instances:
        thing = facts.instance(instance)
        if thing.ended or thing.install != install:
            continue
        if thing.proven:
            ours[thing.cluster_id].append(_found(thing, instance, sizes))
        else:
            notes.append(f"{thing.id}: its tags do not belong to the token it was launched with")
    held = {facts.address(a).cluster_id: a for a in addresses if _of(a, install)}
    clusters = []
    for cluster_id, machines in sorted(ours.items()):
        made, more = _cluster(cluster_id, machines, held.pop(cluster_id, None))
        notes += more
        clusters += [made] if made else []
    notes += [
        f"{one['AllocationId']} ({one['PublicIp']}): its cluster {cluster_id} has no machine"
        for cluster_id, one in held.items()
    ]
    return Survey(tuple(clusters), tuple(notes))


def _of(address: Mapping[str, Any], install: str) -> bool:
    return facts.address(address).install == install


def _sizes(volumes: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], int]:
    """Size by machine and device."""
    return {
        (held["InstanceId"], held["Device"]): volume["Size"]
        for volume in volumes
        for held in volume.get("Attachments", ())
    }


def _found(
    thing: Thing, instance: Mapping[str, Any], sizes: Mapping[tuple[str, str], int]
) -> Found:
    marks = tags.unpack(instance.get("Tags"))
    root = instance.get("RootDeviceName", "")
    data = [size for (of, device), size in sizes.items() if of == thing.id and device != root]
    intent = Intent(
        client_token=instance["ClientToken"],
        image_id=instance.get("ImageId", ""),
        instance_type=instance.get("InstanceType", ""),
        subnet_id=instance.get("SubnetId", ""),
        security_group_ids=tuple(
            sorted(one["GroupId"] for one in instance.get("SecurityGroups", ()))
        ),
        key_pair=login_key_name(thing.install),
        root_gib=sizes.get((thing.id, root), 0),
        data_gib=max(data, default=0),
        public_address=False,
        user_data_hash="",
        decided_at_ms=thing.born_ms,
    )
    node = Node(
        slot=thing.slot,
        role=Role.MASTER if thing.slot == 0 else Role.WORKER,
        attempt=thing.attempt,
        token=token(thing.install, thing.cluster_id, thing.slot, thing.attempt),
        state=NodeState.RUNNING,
        why=WHY,
        state_since_ms=thing.born_ms,
        intent=intent,
        instance_id=thing.id,
        key_pair=intent.key_pair,
        public_ip=instance.get("PublicIpAddress", ""),
        private_ip=instance.get("PrivateIpAddress", ""),
        launched_at_ms=thing.born_ms,
    )
    return Found(
        thing,
        user=marks.get(tags.USERNAME, ""),
        milvus_name=marks.get(tags.MILVUS_NAME, ""),
        milvus_type=marks.get(tags.TYPE, "") or intent.instance_type,
        node=node,
        intent=intent,
    )


def _cluster(
    cluster_id: str, machines: Sequence[Found], held: Mapping[str, Any] | None
) -> tuple[Adopted | None, list[str]]:
    """Of several machines of a slot the newest attempt counts; the sweep sees to the others."""
    by_slot: dict[int, Found] = {}
    for one in sorted(machines, key=lambda one: one.thing.attempt):
        by_slot[one.thing.slot] = one
    kept = [by_slot[slot] for slot in sorted(by_slot)]
    notes = [
        f"{one.thing.id}: not the newest machine of slot {one.thing.slot} of {cluster_id}"
        for one in machines
        if one not in kept
    ]
    if 0 not in by_slot:
        return None, [*notes, f"{cluster_id}: its master has no machine"]
    if not by_slot[0].intent.data_gib:
        return None, [*notes, f"{cluster_id}: no volume with our tags holds its data"]
    if len({(one.user, one.milvus_name) for one in kept}) > 1:
        return None, [*notes, f"{cluster_id}: its machines name different owners"]
    return Adopted(_record(cluster_id, kept, held), min(o.thing.born_ms for o in kept)), notes


def _record(cluster_id: str, kept: Sequence[Found], held: Mapping[str, Any] | None) -> Record:
    master, workers = kept[0], kept[1:]
    mode = _mode(master, held)
    spec = Spec(
        milvus_type=master.milvus_type,
        disk_gib=master.intent.data_gib,
        address_mode=mode,
        master_instance_type=master.intent.instance_type,
        worker_instance_type=workers[0].intent.instance_type if workers else "",
        workers=workers[-1].thing.slot if workers else 0,
    )
    auto = mode is AddressMode.AUTO
    nodes = (replace(o.node, intent=replace(o.intent, public_address=auto)) for o in kept)
    return Record(
        cluster_id=cluster_id,
        user=master.user,
        milvus_name=master.milvus_name,
        spec=spec,
        nodes=tuple(nodes),
        address=_address(held),
        address_intended=held is not None,
    )


def _mode(master: Found, held: Mapping[str, Any] | None) -> AddressMode:
    if held is not None:
        return AddressMode.ELASTIC
    return AddressMode.AUTO if master.node.public_ip else AddressMode.PRIVATE


def _address(held: Mapping[str, Any] | None) -> Address:
    if held is None:
        return Address()
    return Address(held["AllocationId"], held["PublicIp"], held.get("AssociationId", ""))
