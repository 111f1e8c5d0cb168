"""How documents spell what messages say: words for enumerations, names for fields.

Pure data, read by packing.py. Each table lists (name in the document, name in the message).
"""

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from kite.ports import PortType
from kite.v1 import cluster_pb2 as pb
from kite.v1 import operation_pb2 as ops

Table: TypeAlias = tuple[tuple[str, str], ...]


def _words(names: Iterable[str], prefix: str, values: Any) -> dict[int, str]:
    found = {values.Value(n): n.removeprefix(prefix).lower().replace("_", "-") for n in names}
    return {number: word for number, word in found.items() if number}


ROLES = _words(pb.Role.keys(), "ROLE_", pb.Role)
NODE_STATES = _words(pb.NodeState.keys(), "NODE_STATE_", pb.NodeState)
CLUSTER_STATES = _words(pb.ClusterState.keys(), "CLUSTER_STATE_", pb.ClusterState)
ADDRESS_MODES = _words(pb.AddressMode.keys(), "ADDRESS_MODE_", pb.AddressMode)
OPERATION_STATES = _words(ops.OperationState.keys(), "OPERATION_STATE_", ops.OperationState)
PORT_TYPES: dict[int, str] = {
    pb.PORT_TYPE_MILVUS: PortType.MILVUS.value,
    pb.PORT_TYPE_MILVUS_EM: PortType.MILVUS_EM.value,
}


def _turned(words: Mapping[int, str]) -> dict[str, Any]:
    return {word: number for number, word in words.items()}


ROLES_BACK, NODE_STATES_BACK = _turned(ROLES), _turned(NODE_STATES)
CLUSTER_STATES_BACK, ADDRESS_MODES_BACK = _turned(CLUSTER_STATES), _turned(ADDRESS_MODES)
OPERATION_STATES_BACK, PORT_TYPES_BACK = _turned(OPERATION_STATES), _turned(PORT_TYPES)

GROUP: Table = (
    ("group-name", "logical_name"),
    ("real-name", "group_name"),
    ("group-id", "group_id"),
    ("kind", "kind"),
)
OFFER: Table = (("instance-type", "instance_type"), ("subnet-id", "subnet_id"))
INTENT: Table = (
    ("client-token", "client_token"),
    ("image-id", "image_id"),
    ("instance-type", "instance_type"),
    ("subnet-id", "subnet_id"),
    ("key-pair", "key_pair"),
    ("root-gib", "root_gib"),
    ("data-gib", "data_gib"),
    ("public-address", "public_address"),
    ("user-data-hash", "user_data_hash"),
    ("root-device", "root_device"),
    ("decided-at", "decided_at_ms"),
)
NODE: Table = (
    ("instance-id", "instance_id"),
    ("key-pair", "key_pair"),
    ("public-ip", "public_ip"),
    ("private-ip", "private_ip"),
    ("slot", "slot"),
    ("attempt", "attempt"),
    ("token", "token"),
    ("why", "why"),
    ("reason", "reason"),
    ("since", "state_since_ms"),
    ("deadline", "deadline_ms"),
    ("launched-at", "launched_at_ms"),
    ("retiring", "retiring"),
    ("install-step", "install_step"),
    ("taken-over", "taken_over"),
)
ADDRESS: Table = (
    ("allocation-id", "allocation_id"),
    ("public-ip", "public_ip"),
    ("association-id", "association_id"),
)
CONDITION: Table = (
    ("type", "type"),
    ("ok", "ok"),
    ("reason", "reason"),
    ("description", "description"),
    ("since", "since_ms"),
)
SPEC: Table = (
    ("milvus-type", "milvus_type"),
    ("disk-size", "disk_gib"),
    ("master-type", "master_instance_type"),
    ("worker-type", "worker_instance_type"),
    ("workers", "workers"),
    ("wanted", "wanted"),
)
STATUS: Table = (
    ("milvus-url", "milvus_url"),
    ("milvus-port", "milvus_port"),
    ("subnet-id", "subnet_id"),
    ("reason", "reason"),
    ("why", "why"),
    ("observed-generation", "observed_generation"),
    ("observed-at", "observed_at_ms"),
    ("address-intended", "address_intended"),
)
CLUSTER: Table = (
    ("_id", "cluster_id"),
    ("username", "user"),
    ("milvus-name", "milvus_name"),
    ("generation", "generation"),
    ("rev", "rev"),
    ("created-at", "created_at_ms"),
    ("operation-id", "operation_id"),
    ("deleted-at", "deleted_at_ms"),
)
RULE: Table = (("source-ip", "source_ip"), ("note", "note"), ("expires-at", "expires_at_ms"))
STEP: Table = (
    ("name", "name"),
    ("description", "description"),
    ("started-at", "started_at_ms"),
    ("ended-at", "ended_at_ms"),
)
OPERATION: Table = (
    ("type", "type"),
    ("username", "user"),
    ("milvus-name", "milvus_name"),
    ("cluster-id", "cluster_id"),
    ("progress", "progress"),
    ("reason", "reason"),
    ("description", "description"),
    ("request-id", "request_id"),
    ("started-at", "started_at_ms"),
    ("ended-at", "ended_at_ms"),
)
EVENT: Table = (
    ("cluster-id", "cluster_id"),
    ("number", "number"),
    ("at", "at_ms"),
    ("type", "type"),
    ("description", "description"),
    ("origin", "origin"),
)
RECORD: Table = (
    ("writes", "writes"),
    ("due-at", "due_at_ms"),
    ("changed-at", "changed_at_ms"),
    ("body-hash", "body_hash"),
    ("last-event", "last_event"),
    ("told", "told"),
    ("expires-at", "expires_at_ms"),
    ("stamp", "stamp"),
    ("commit-id", "commit_id"),
    ("commit-number", "commit_number"),
)
LEASE: Table = (
    ("holder", "holder"),
    ("fence", "fence"),
    ("until", "until_ms"),
    ("generation", "generation"),
    ("claim", "claim"),
)
