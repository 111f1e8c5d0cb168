"""Document to message and back; pure, table by table (spelling.py).

Documents hold words where messages hold numbers, so that the database reads like the seed.
`unpack_…` takes what the database gave, `pack_…` makes what documents.checked() takes.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

from kite.errors import InvalidRequest
from kite.ports import PortType
from kite.v1 import cluster_pb2 as pb
from kite.v1 import operation_pb2 as ops
from registry_svc import spelling as sp
from registry_svc.admission import RuleWish, Wish
from registry_svc.leases import Lease
from registry_svc.plans import Plan
from registry_svc.record import DutyRecord, KeyRecord, Record

Document: TypeAlias = Mapping[str, Any]  # as BSON gives it


def _out(table: sp.Table, thing: object) -> dict[str, Any]:
    return {key: getattr(thing, name) for key, name in table}


def _in(table: sp.Table, document: Document) -> dict[str, Any]:
    # A field may be missing (written by an older version) or null (by a stranger's hand).
    return {name: document[key] for key, name in table if document.get(key) is not None}


def word(words: Mapping[int, str], number: int, what: str) -> str:
    """The word for an enumeration's number.

    Raises:
        InvalidRequest: UNSPECIFIED or a number this version does not know.
    """
    if number not in words:
        raise InvalidRequest(f"{what} {number} is not one of {', '.join(words.values())}")
    return words[number]


def live_key(user: str, milvus_name: str) -> str:
    """Unique among live clusters; neither part can hold a bar (kite/names.py)."""
    return f"{user}|{milvus_name}"


def quota_key(user: str, number: int) -> str:
    return f"{user}|{number}"


def event_id(cluster_id: str, number: int) -> str:
    return f"{cluster_id}:{number}"


def key_id(user: str, key: str) -> str:
    return f"{user}|{key}"


# nodes ------------------------------------------------------------------------------------------


def _pack_node(node: pb.Node) -> dict[str, Any]:
    gone = node.state == pb.NODE_STATE_GONE
    state = pb.NODE_STATE_FAILED if gone else node.state
    packed = _out(sp.NODE, node) | {
        "node-type": word(sp.ROLES, node.role, "role"),
        "status": word(sp.NODE_STATES, state, "node state"),
        "launches": list(node.launches_ms),
        "refused": [_out(sp.OFFER, offer) for offer in node.refused],
        "gone": gone,
    }
    if node.HasField("intent"):
        groups = list(node.intent.security_group_ids)
        packed["intent"] = _out(sp.INTENT, node.intent) | {"security-group-ids": groups}
    return packed


def _unpack_node(document: Document) -> pb.Node:
    node = pb.Node(
        **_in(sp.NODE, document),
        role=sp.ROLES_BACK[document["node-type"]],
        state=pb.NODE_STATE_GONE
        if document.get("gone")
        else sp.NODE_STATES_BACK[document["status"]],
        launches_ms=document.get("launches", ()),
        refused=[pb.Offer(**_in(sp.OFFER, offer)) for offer in document.get("refused", ())],
    )
    intent = document.get("intent")
    if intent is not None:
        groups = intent.get("security-group-ids", ())
        node.intent.CopyFrom(pb.LaunchIntent(**_in(sp.INTENT, intent), security_group_ids=groups))
    return node


# clusters ---------------------------------------------------------------------------------------


def pack_status(status: pb.ClusterStatus) -> dict[str, Any]:
    nodes = sorted(status.nodes, key=lambda n: (n.slot, n.attempt))
    packed = _out(sp.STATUS, status) | {
        "state": word(sp.CLUSTER_STATES, status.state, "cluster state"),
        "security-groups": [_out(sp.GROUP, group) for group in status.security_groups],
        # The seed knows four words; a machine confirmed gone is no instance any more.
        "instances": [_pack_node(n) for n in nodes if n.state != pb.NODE_STATE_GONE],
        "gone-instances": [_pack_node(n) for n in nodes if n.state == pb.NODE_STATE_GONE],
        "conditions": [_out(sp.CONDITION, condition) for condition in status.conditions],
    }
    if status.HasField("address"):
        packed["address"] = _out(sp.ADDRESS, status.address)
    return packed


def _unpack_status(document: Document) -> pb.ClusterStatus:
    parts = (*document.get("instances", ()), *document.get("gone-instances", ()))
    nodes = sorted(map(_unpack_node, parts), key=lambda n: (n.slot, n.attempt))
    address = document.get("address")
    return pb.ClusterStatus(
        **_in(sp.STATUS, document),
        state=sp.CLUSTER_STATES_BACK[document["state"]],
        security_groups=[
            pb.SecurityGroup(**_in(sp.GROUP, g)) for g in document.get("security-groups", ())
        ],
        nodes=nodes,
        address=None if address is None else pb.Address(**_in(sp.ADDRESS, address)),
        conditions=[pb.Condition(**_in(sp.CONDITION, c)) for c in document.get("conditions", ())],
    )


def pack_rule(rule: pb.Rule) -> dict[str, Any]:
    return _out(sp.RULE, rule) | {"port-type": word(sp.PORT_TYPES, rule.port_type, "port type")}


def _unpack_rule(document: Document) -> pb.Rule:
    return pb.Rule(**_in(sp.RULE, document), port_type=sp.PORT_TYPES_BACK[document["port-type"]])


def unpack_cluster(document: Document) -> pb.Cluster:
    """What callers see of a stored cluster."""
    whitelist = document.get("whitelist") or {}
    return pb.Cluster(
        **_in(sp.CLUSTER, document),
        spec=pb.ClusterSpec(
            **_in(sp.SPEC, document), address_mode=sp.ADDRESS_MODES_BACK[document["address-mode"]]
        ),
        status=_unpack_status(document),
        whitelist=pb.Whitelist(
            revision=whitelist.get("revision", 0),
            rules=map(_unpack_rule, whitelist.get("rules", ())),
        ),
    )


def pack_record(record: Record) -> dict[str, Any]:
    """The whole document of a cluster."""
    cluster = record.cluster
    packed = (
        _out(sp.CLUSTER, cluster)
        | _out(sp.SPEC, cluster.spec)
        | pack_status(cluster.status)
        | _out(sp.RECORD, record)
        | {
            "address-mode": word(sp.ADDRESS_MODES, cluster.spec.address_mode, "address mode"),
            "whitelist": {
                "revision": cluster.whitelist.revision,
                "rules": [pack_rule(rule) for rule in cluster.whitelist.rules],
            },
            "lease": _out(sp.LEASE, record.lease),
            "operations": [pack_operation_part(o) for o in record.operations],
            "events": [pack_event_part(e) for e in record.events],
        }
    )
    if record.live:
        packed["live_key"] = live_key(cluster.user, cluster.milvus_name)
    if record.live and record.quota_number:
        packed["quota_key"] = quota_key(cluster.user, record.quota_number)
    return packed


def unpack_record(document: Document) -> Record:
    number = document.get("quota_key", "|0").rpartition("|")[2]
    return Record(
        cluster=unpack_cluster(document),
        lease=Lease(**_in(sp.LEASE, document.get("lease") or {})),
        quota_number=int(number),
        operations=tuple(map(unpack_operation, document.get("operations", ()))),
        events=tuple(map(unpack_event, document.get("events", ()))),
        **_in(sp.RECORD, document),
    )


def rule_wish(rule: pb.Rule) -> RuleWish:
    """A rule for admission to look at; an unknown port type becomes None."""
    known = sp.PORT_TYPES.get(rule.port_type)
    port_type = PortType(known) if known else None
    return RuleWish(rule.source_ip, port_type, rule.note, rule.expires_at_ms)


def new_cluster(wish: Wish, plan: Plan, *, cluster_id: str, now_ms: int) -> pb.Cluster:
    """The cluster as it is before anything was done for it."""
    rules = [
        pb.Rule(
            source_ip=rule.source_ip,
            port_type=sp.PORT_TYPES_BACK[rule.port_type or ""],
            note=rule.note,
            expires_at_ms=rule.expires_at_ms,
        )
        for rule in wish.rules
    ]
    return pb.Cluster(
        cluster_id=cluster_id,
        user=wish.user,
        milvus_name=wish.milvus_name,
        spec=pb.ClusterSpec(
            milvus_type=wish.milvus_type,
            disk_gib=wish.disk_gib,
            address_mode=sp.ADDRESS_MODES_BACK[wish.address_mode],
            master_instance_type=plan.master,
            worker_instance_type=plan.worker,
            workers=plan.workers,
            wanted=True,
        ),
        status=pb.ClusterStatus(
            state=pb.CLUSTER_STATE_STARTING, why="accepted; waiting for its turn"
        ),
        whitelist=pb.Whitelist(rules=rules, revision=1),
        generation=1,
        rev=1,
        created_at_ms=now_ms,
    )


# operations and events --------------------------------------------------------------------------


def pack_operation_part(operation: ops.Operation) -> dict[str, Any]:
    return _out(sp.OPERATION, operation) | {
        "operation-id": operation.operation_id,
        "state": word(sp.OPERATION_STATES, operation.state, "operation state"),
        "steps": [
            _out(sp.STEP, step) | {"state": word(sp.OPERATION_STATES, step.state, "step state")}
            for step in operation.steps
        ],
    }


def pack_operation(operation: ops.Operation, *, writes: int) -> dict[str, Any]:
    packed = pack_operation_part(operation)
    return {"_id": packed.pop("operation-id"), **packed, "writes": writes}


def unpack_operation(document: Document) -> ops.Operation:
    """From its own collection or from within a cluster."""
    return ops.Operation(
        **_in(sp.OPERATION, document),
        operation_id=document.get("_id") or document["operation-id"],
        state=sp.OPERATION_STATES_BACK[document["state"]],
        steps=[
            ops.Step(**_in(sp.STEP, step), state=sp.OPERATION_STATES_BACK[step["state"]])
            for step in document.get("steps", ())
        ],
    )


def pack_event_part(event: ops.Event) -> dict[str, Any]:
    # Pairs, because a name may hold a dot or a dollar sign, which a document key must not.
    details = [{"name": k, "value": v} for k, v in sorted(event.details.items())]
    return _out(sp.EVENT, event) | {"details": details}


def pack_event(event: ops.Event) -> dict[str, Any]:
    return {"_id": event_id(event.cluster_id, event.number), **pack_event_part(event)}


def unpack_event(document: Document) -> ops.Event:
    details = {d["name"]: d["value"] for d in document.get("details", ())}
    return ops.Event(**_in(sp.EVENT, document), details=details)


# duties and keys --------------------------------------------------------------------------------


def pack_duty(duty: DutyRecord) -> dict[str, Any]:
    return {"_id": duty.duty, "lease": _out(sp.LEASE, duty.lease), "writes": duty.writes}


def unpack_duty(document: Document) -> DutyRecord:
    return DutyRecord(
        document["_id"], Lease(**_in(sp.LEASE, document["lease"])), document["writes"]
    )


def pack_key(key: KeyRecord) -> dict[str, Any]:
    return {
        "_id": key_id(key.user, key.key),
        "username": key.user,
        "key": key.key,
        "body-hash": key.body_hash,
        "cluster-id": key.cluster_id,
        "operation-id": key.operation_id,
        "expires-at": key.expires_at_ms,
    }


def unpack_key(document: Document) -> KeyRecord:
    return KeyRecord(
        document["username"],
        document["key"],
        document["body-hash"],
        document["cluster-id"],
        document.get("operation-id", ""),
        document["expires-at"],
    )
