"""Records to messages and back. Pure; the only module that knows both."""

from collections.abc import Iterable
from enum import StrEnum
from typing import TypeVar

from kite.v1 import cluster_pb2 as pb
from kite.v1 import operation_pb2 as op
from provisioner.record import (
    Address,
    AddressMode,
    ClusterState,
    Condition,
    Event,
    Group,
    Intent,
    Node,
    NodeState,
    Offer,
    Operation,
    OperationState,
    OperationStep,
    Record,
    Role,
    Spec,
)

E = TypeVar("E", bound=StrEnum)


def _word(kind: type[E], name: str, prefix: str, default: E) -> E:
    """The member that an enum value of the wire names; unspecified is the default."""
    word = name.removeprefix(prefix).lower()
    return default if word == "unspecified" else kind(word)


def unpack_cluster(cluster: pb.Cluster) -> Record:
    """A cluster of the registry in our words.

    Raises:
        ValueError: an enum value this version does not know.
    """
    status = cluster.status
    return Record(
        cluster_id=cluster.cluster_id,
        user=cluster.user,
        milvus_name=cluster.milvus_name,
        spec=_unpack_spec(cluster.spec),
        generation=cluster.generation,
        operation_id=cluster.operation_id,
        whitelist_revision=cluster.whitelist.revision,
        state=_word(
            ClusterState,
            pb.ClusterState.Name(status.state),
            "CLUSTER_STATE_",
            ClusterState.STARTING,
        ),
        observed_generation=status.observed_generation,
        reason=status.reason,
        why=status.why,
        milvus_url=status.milvus_url,
        milvus_port=status.milvus_port,
        subnet_id=status.subnet_id,
        groups=unpack_groups(status.security_groups),
        nodes=tuple(_unpack_node(node) for node in status.nodes),
        address=Address(
            status.address.allocation_id, status.address.public_ip, status.address.association_id
        ),
        address_intended=status.address_intended,
        conditions=tuple(
            Condition(c.type, c.ok, c.reason, c.description, c.since_ms) for c in status.conditions
        ),
    )


def unpack_groups(groups: Iterable[pb.SecurityGroup]) -> tuple[Group, ...]:
    return tuple(Group(g.logical_name, g.group_name, g.group_id, g.kind) for g in groups)


def _unpack_spec(spec: pb.ClusterSpec) -> Spec:
    return Spec(
        milvus_type=spec.milvus_type,
        disk_gib=spec.disk_gib,
        address_mode=_word(
            AddressMode,
            pb.AddressMode.Name(spec.address_mode),
            "ADDRESS_MODE_",
            AddressMode.ELASTIC,
        ),
        master_instance_type=spec.master_instance_type,
        worker_instance_type=spec.worker_instance_type,
        workers=spec.workers,
        wanted=spec.wanted,
    )


def pack_spec(spec: Spec) -> pb.ClusterSpec:
    """The wish, for a registry that lost it."""
    return pb.ClusterSpec(
        milvus_type=spec.milvus_type,
        disk_gib=spec.disk_gib,
        address_mode=pb.AddressMode.Value(f"ADDRESS_MODE_{spec.address_mode.name}"),
        master_instance_type=spec.master_instance_type,
        worker_instance_type=spec.worker_instance_type,
        workers=spec.workers,
        wanted=spec.wanted,
    )


def _unpack_node(node: pb.Node) -> Node:
    return Node(
        slot=node.slot,
        role=_word(Role, pb.Role.Name(node.role), "ROLE_", Role.MASTER),
        attempt=node.attempt,
        token=node.token,
        state=_word(NodeState, pb.NodeState.Name(node.state), "NODE_STATE_", NodeState.STARTING),
        why=node.why,
        reason=node.reason,
        state_since_ms=node.state_since_ms,
        deadline_ms=node.deadline_ms,
        intent=_unpack_intent(node.intent) if node.HasField("intent") else None,
        instance_id=node.instance_id,
        key_pair=node.key_pair,
        public_ip=node.public_ip,
        private_ip=node.private_ip,
        launched_at_ms=node.launched_at_ms,
        launches_ms=tuple(node.launches_ms),
        retiring=node.retiring,
        install_step=node.install_step,
        refused=tuple(Offer(o.instance_type, o.subnet_id) for o in node.refused),
        taken_over=node.taken_over,
    )


def _unpack_intent(intent: pb.LaunchIntent) -> Intent:
    return Intent(
        client_token=intent.client_token,
        image_id=intent.image_id,
        instance_type=intent.instance_type,
        subnet_id=intent.subnet_id,
        security_group_ids=tuple(intent.security_group_ids),
        key_pair=intent.key_pair,
        root_gib=intent.root_gib,
        data_gib=intent.data_gib,
        public_address=intent.public_address,
        user_data_hash=intent.user_data_hash,
        decided_at_ms=intent.decided_at_ms,
        root_device=intent.root_device,
    )


def pack_status(record: Record, now: int) -> pb.ClusterStatus:
    """The seen half of a record, observed at `now`."""
    return pb.ClusterStatus(
        state=pb.ClusterState.Value(f"CLUSTER_STATE_{record.state.name}"),
        observed_generation=record.observed_generation,
        observed_at_ms=now,
        reason=record.reason,
        why=record.why,
        milvus_url=record.milvus_url,
        milvus_port=record.milvus_port,
        subnet_id=record.subnet_id,
        security_groups=[
            pb.SecurityGroup(
                logical_name=g.logical_name,
                group_name=g.group_name,
                group_id=g.group_id,
                kind=g.kind,
            )
            for g in record.groups
        ],
        nodes=[_pack_node(node) for node in record.nodes],
        address=pb.Address(
            allocation_id=record.address.allocation_id,
            public_ip=record.address.public_ip,
            association_id=record.address.association_id,
        ),
        conditions=[
            pb.Condition(
                type=c.type,
                ok=c.ok,
                reason=c.reason,
                description=c.description,
                since_ms=c.since_ms,
            )
            for c in record.conditions
        ],
        address_intended=record.address_intended,
    )


def _pack_node(node: Node) -> pb.Node:
    return pb.Node(
        slot=node.slot,
        role=pb.Role.Value(f"ROLE_{node.role.name}"),
        attempt=node.attempt,
        token=node.token,
        state=pb.NodeState.Value(f"NODE_STATE_{node.state.name}"),
        why=node.why,
        reason=node.reason,
        state_since_ms=node.state_since_ms,
        deadline_ms=node.deadline_ms,
        intent=_pack_intent(node.intent) if node.intent else None,
        instance_id=node.instance_id,
        key_pair=node.key_pair,
        public_ip=node.public_ip,
        private_ip=node.private_ip,
        launched_at_ms=node.launched_at_ms,
        launches_ms=node.launches_ms,
        retiring=node.retiring,
        install_step=node.install_step,
        refused=[
            pb.Offer(instance_type=o.instance_type, subnet_id=o.subnet_id) for o in node.refused
        ],
        taken_over=node.taken_over,
    )


def _pack_intent(intent: Intent) -> pb.LaunchIntent:
    return pb.LaunchIntent(
        client_token=intent.client_token,
        image_id=intent.image_id,
        instance_type=intent.instance_type,
        subnet_id=intent.subnet_id,
        security_group_ids=intent.security_group_ids,
        key_pair=intent.key_pair,
        root_gib=intent.root_gib,
        data_gib=intent.data_gib,
        public_address=intent.public_address,
        user_data_hash=intent.user_data_hash,
        decided_at_ms=intent.decided_at_ms,
        root_device=intent.root_device,
    )


def unpack_operation(operation: op.Operation) -> Operation | None:
    """None when there is none."""
    if not operation.operation_id:
        return None
    return Operation(
        operation_id=operation.operation_id,
        type=operation.type,
        state=_operation_state(operation.state),
        progress=operation.progress,
        steps=tuple(
            OperationStep(
                s.name, _operation_state(s.state), s.description, s.started_at_ms, s.ended_at_ms
            )
            for s in operation.steps
        ),
        reason=operation.reason,
        description=operation.description,
        started_at_ms=operation.started_at_ms,
        ended_at_ms=operation.ended_at_ms,
    )


def _operation_state(value: "op.OperationState.ValueType") -> OperationState:
    name = op.OperationState.Name(value)
    return _word(OperationState, name, "OPERATION_STATE_", OperationState.PENDING)


def pack_operation(operation: Operation, record: Record) -> op.Operation:
    return op.Operation(
        operation_id=operation.operation_id,
        type=operation.type,
        user=record.user,
        milvus_name=record.milvus_name,
        cluster_id=record.cluster_id,
        state=_state_value(operation.state),
        progress=operation.progress,
        steps=[
            op.Step(
                name=s.name,
                state=_state_value(s.state),
                description=s.description,
                started_at_ms=s.started_at_ms,
                ended_at_ms=s.ended_at_ms,
            )
            for s in operation.steps
        ],
        reason=operation.reason,
        description=operation.description,
        started_at_ms=operation.started_at_ms,
        ended_at_ms=operation.ended_at_ms,
    )


def _state_value(state: OperationState) -> "op.OperationState.ValueType":
    return op.OperationState.Value(f"OPERATION_STATE_{state.name}")


def pack_event(event: Event, cluster_id: str) -> op.Event:
    return op.Event(
        cluster_id=cluster_id,
        at_ms=event.at_ms,
        type=event.type,
        description=event.description,
        origin="provisioner",
        details={key: value for key, value in event.details if value},
    )
