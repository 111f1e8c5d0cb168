"""EC2's answers and the records as facts for the sweep. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from kite import tags
from kite.sweep import Kind, Known, Live, Slot, Thing
from kite.v1 import cluster_pb2
from provisioner.facts import ENDED, Machine
from provisioner.packing import unpack_cluster
from provisioner.record import Node, NodeState, Record
from provisioner.tokens import proves, token

# A machine that is told to be lost may hold data: should EC2 show it alive, people decide.
_LOST = "INSTANCE_LOST"


def instance(found: Mapping[str, Any]) -> Thing:
    """One instance of DescribeInstances."""
    marks = tags.unpack(found.get("Tags"))
    owner = tags.owner_of(marks)
    named = (owner.install, owner.cluster, owner.slot, owner.attempt) if owner else None
    return Thing(
        Kind.INSTANCE,
        found["InstanceId"],
        install=marks.get(tags.INSTALL, ""),
        cluster_id=marks.get(tags.CLUSTER, ""),
        slot=owner.slot if owner else -1,
        attempt=owner.attempt if owner else -1,
        born_ms=_ms(found.get("LaunchTime")),
        ended=Machine(found["State"]["Name"]) in ENDED,
        proven=named is not None and proves(found.get("ClientToken", ""), *named),
        name=marks.get(tags.MILVUS_NAME, ""),
    )


def volume(found: Mapping[str, Any]) -> Thing:
    """One volume of DescribeVolumes."""
    marks = tags.unpack(found.get("Tags"))
    owner = tags.owner_of(marks)
    return Thing(
        Kind.VOLUME,
        found["VolumeId"],
        install=marks.get(tags.INSTALL, ""),
        cluster_id=marks.get(tags.CLUSTER, ""),
        slot=owner.slot if owner else -1,
        attempt=owner.attempt if owner else -1,
        born_ms=_ms(found.get("CreateTime")),
        used=found["State"] in {"creating", "in-use"},
        ended=found["State"] in {"deleting", "deleted"},
        name=marks.get(tags.MILVUS_NAME, ""),
    )


def address(found: Mapping[str, Any]) -> Thing:
    """One address of DescribeAddresses; EC2 does not tell its age."""
    marks = tags.unpack(found.get("Tags"))
    return Thing(
        Kind.ADDRESS,
        found["AllocationId"],
        install=marks.get(tags.INSTALL, ""),
        cluster_id=marks.get(tags.CLUSTER, ""),
        used=bool(found.get("AssociationId")),
        name=found.get("PublicIp", ""),
    )


def _ms(found: object) -> int:
    return int(found.timestamp() * 1000) if isinstance(found, datetime) else 0


def read(clusters: Iterable[cluster_pb2.Cluster], *, install: str) -> Live:
    """Clusters of the registry."""
    return live(map(unpack_cluster, clusters), install)


def live(records: Iterable[Record], install: str) -> Live:
    """The clusters; a registry with names of another install is not ours to sweep by."""
    clusters, gaps = {}, list[str]()
    for record in records:
        clusters[record.cluster_id] = known(record)
        if any(_foreign(record, node, install) for node in record.nodes):
            gaps.append(f"cluster {record.cluster_id} of the registry is not of install {install}")
    return Live(clusters, tuple(gaps[:1]))


def _foreign(record: Record, node: Node, install: str) -> bool:
    mine = token(install, record.cluster_id, node.slot, node.attempt)
    return bool(node.token) and node.token != mine


def known(record: Record) -> Known:
    return Known(
        record.cluster_id,
        tuple(_slot(node) for node in record.nodes),
        record.address.allocation_id,
    )


def _slot(node: Node) -> Slot:
    given_up = node.state is NodeState.FAILED and not node.retiring and node.reason != _LOST
    return Slot(
        node.slot,
        node.attempt,
        node.instance_id,
        open=not (given_up or node.state is NodeState.GONE),
        shown=node.state is NodeState.RUNNING and bool(node.instance_id),
    )
