"""Messages into JSON documents. Pure.

The document of a cluster is the seed's stored document with our fields beside it; times are
RFC 3339 in UTC; ports are strings, as the seed has them.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

from bff.strict_json import Json, JsonObject
from kite import ports
from kite.v1 import cluster_pb2, operation_pb2, registry_pb2, whitelist_pb2

NOBODY = "whitelist is empty: nobody can connect yet"
ADDRESS_LATER = "the address is not known yet; read the cluster again in a few seconds"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PORT_WORD = {
    cluster_pb2.PORT_TYPE_MILVUS: ports.PortType.MILVUS,
    cluster_pb2.PORT_TYPE_MILVUS_EM: ports.PortType.MILVUS_EM,
}
_SEED_PORT_WORD = {
    cluster_pb2.PORT_TYPE_MILVUS: "miluvs-port",
    cluster_pb2.PORT_TYPE_MILVUS_EM: "miluvs-em-port",
}


def time(at_ms: int) -> str:
    """RFC 3339 with milliseconds; empty for 0 (never, not yet)."""
    if not at_ms:
        return ""
    return (_EPOCH + timedelta(milliseconds=at_ms)).isoformat(timespec="milliseconds")[:-6] + "Z"


def _word(name: str, prefix: str) -> str:
    return name.removeprefix(prefix).lower().replace("_", "-")


def cluster_status(cluster: cluster_pb2.Cluster) -> str:
    """One word for the whole cluster; a record just made is `starting`."""
    if not cluster.status.state:
        return "starting"
    return _word(cluster_pb2.ClusterState.Name(cluster.status.state), "CLUSTER_STATE_")


def address(cluster: cluster_pb2.Cluster) -> JsonObject:
    """What the seed answers a create and a delete with; the name in both of its spellings."""
    return {
        "milvus-name": cluster.milvus_name,
        "milvs-name": cluster.milvus_name,
        "milvus-url": cluster.status.milvus_url,
        "milvus-port": cluster.status.milvus_port or str(ports.MILVUS_PORT),
    }


def accepted(cluster: cluster_pb2.Cluster, operation: operation_pb2.Operation) -> JsonObject:
    """Answer to what takes time."""
    return {
        **address(cluster),
        "status": cluster_status(cluster),
        "operation-id": operation.operation_id,
        "notices": [],
    }


def created(
    cluster: cluster_pb2.Cluster, operation: operation_pb2.Operation, *, password: str
) -> JsonObject:
    """Answer to a create; `password` is empty on every answer but the first."""
    notices: list[Json] = []
    if not cluster.whitelist.rules:
        notices.append(NOBODY)
    if not cluster.status.milvus_url:
        notices.append(ADDRESS_LATER)
    shown: JsonObject = (
        {"credentials": {"username": "root", "password": password}} if password else {}
    )
    if shown:
        notices.append("the password is shown this once")
    return {**accepted(cluster, operation), **shown, "notices": notices}


def document(cluster: cluster_pb2.Cluster) -> JsonObject:
    """The seed's stored document, then ours."""
    spec, status = cluster.spec, cluster.status
    mode = spec.address_mode or cluster_pb2.ADDRESS_MODE_ELASTIC
    return {
        "username": cluster.user,
        **address(cluster),
        "milvus-type": spec.milvus_type,
        "subnet-id": status.subnet_id,
        "security-groups": [_group(group) for group in status.security_groups],
        "instances": [_instance(n) for n in status.nodes if n.state != cluster_pb2.NODE_STATE_GONE],
        "disk-size": spec.disk_gib,
        "address-mode": _word(cluster_pb2.AddressMode.Name(mode), "ADDRESS_MODE_"),
        "cluster-id": cluster.cluster_id,
        "status": cluster_status(cluster),
        "reason": status.reason,
        "why": status.why,
        "conditions": [_condition(condition) for condition in status.conditions],
        "generation": cluster.generation,
        "observed-generation": status.observed_generation,
        "observed-at": time(status.observed_at_ms),
        "operation-id": cluster.operation_id,
        "created-at": time(cluster.created_at_ms),
    }


def _group(group: cluster_pb2.SecurityGroup) -> JsonObject:
    return {
        "group-name": group.logical_name,
        "group-id": group.group_id,
        "aws-group-name": group.group_name,
        "kind": group.kind,
    }


def _instance(node: cluster_pb2.Node) -> JsonObject:
    role = cluster_pb2.Role.Name(node.role)
    return {
        "node-type": _word(role, "ROLE_"),
        "instance-id": node.instance_id,
        "status": _word(cluster_pb2.NodeState.Name(node.state), "NODE_STATE_"),
        "key-pair": node.key_pair,
        "public-ip": node.public_ip,
        "private-ip": node.private_ip,
        "slot": node.slot,
        "attempt": node.attempt,
        "reason": node.reason,
        "why": node.why,
        "since": time(node.state_since_ms),
        "deadline": time(node.deadline_ms),
        "step": node.install_step,
    }


def _condition(condition: cluster_pb2.Condition) -> JsonObject:
    return {
        "type": condition.type,
        "status": condition.ok,
        "reason": condition.reason,
        "description": condition.description,
        "since": time(condition.since_ms),
    }


def listing(answer: registry_pb2.ListClustersResponse) -> JsonObject:
    return {
        "clusters": [document(cluster) for cluster in answer.clusters],
        "next-page-token": answer.next_page_token,
    }


def operation(found: operation_pb2.Operation) -> JsonObject:
    return {
        "operation-id": found.operation_id,
        "type": found.type,
        "milvus-name": found.milvus_name,
        "status": operation_status(found.state),
        "progress": found.progress,
        "steps": [_step(step) for step in found.steps],
        "reason": found.reason,
        "description": found.description,
        "request-id": found.request_id,
        "started-at": time(found.started_at_ms),
        "ended-at": time(found.ended_at_ms),
    }


def operation_status(state: operation_pb2.OperationState.ValueType) -> str:
    if not state:
        return "pending"
    return _word(operation_pb2.OperationState.Name(state), "OPERATION_STATE_")


def _step(step: operation_pb2.Step) -> JsonObject:
    return {
        "name": step.name,
        "status": operation_status(step.state),
        "description": step.description,
        "started-at": time(step.started_at_ms),
        "ended-at": time(step.ended_at_ms),
    }


def operations(answer: operation_pb2.ListOperationsResponse) -> JsonObject:
    return {
        "operations": [operation(found) for found in answer.operations],
        "next-page-token": answer.next_page_token,
    }


def event(found: operation_pb2.Event) -> JsonObject:
    return {
        "number": found.number,
        "at": time(found.at_ms),
        "type": found.type,
        "description": found.description,
        "origin": found.origin,
        "details": dict(found.details),
    }


def events(found: Sequence[operation_pb2.Event], after: int) -> JsonObject:
    last = found[-1].number if found else after
    return {"events": [event(one) for one in found], "after": last}


def plans(answer: registry_pb2.ListPlansResponse) -> JsonObject:
    return {
        "plans": [
            {
                "milvus-type": plan.name,
                "master-instance-type": plan.master_instance_type,
                "worker-instance-type": plan.worker_instance_type,
                "workers": plan.workers,
                "min-disk-size": plan.min_disk_gib,
                "max-disk-size": plan.max_disk_gib,
                "description": plan.description,
            }
            for plan in answer.plans
        ]
    }


def whitelist(
    name: str,
    rules: Collection[whitelist_pb2.RuleInForce],
    revision: int,
    notices: Iterable[str] = (),
) -> JsonObject:
    """The whitelist with what is in force of it, in Kite's own words.

    That an empty list closes the cluster is said here and nowhere else.
    """
    ranges: list[Json] = [
        {
            "source-ip": one.rule.source_ip,
            "port-type": _PORT_WORD[one.rule.port_type],
            **_remarks(one.rule),
            "rule-id": one.rule_id,
            "status": _rule_state(one.state),
        }
        for one in rules
    ]
    return {
        "milvus-name": name,
        "milvs-name": name,
        "ip-ranges": ranges,
        "revision": revision,
        "notices": [*notices, *([] if rules else [NOBODY])],
    }


def _rule_state(state: whitelist_pb2.RuleState.ValueType) -> str:
    """Without a state EC2 could not be asked; the list itself is known."""
    name = whitelist_pb2.RuleState.Name(state)
    return _word(name, "RULE_STATE_") if state else "unknown"


def seed_whitelist(
    asked: Sequence[whitelist_pb2.WishedRange], rules: Iterable[whitelist_pb2.RuleInForce]
) -> list[Json]:
    """`ip-ranges` as the seed answers: its two fields, in the order and spelling asked for."""
    spelled = {key: (at, wish.port_type) for at, wish in _backwards(asked) if (key := _key(wish))}
    order = {key: at for key, (at, _) in spelled.items()}
    sorted_rules = sorted(
        (one.rule for one in rules),
        key=lambda rule: order.get((rule.source_ip, rule.port_type), len(order)),
    )
    return [
        {
            "source-ip": rule.source_ip,
            "port-type": spelled.get((rule.source_ip, rule.port_type), (0, _seed_word(rule)))[1],
            **_remarks(rule),
        }
        for rule in sorted_rules
    ]


def _backwards(
    asked: Sequence[whitelist_pb2.WishedRange],
) -> Iterable[tuple[int, whitelist_pb2.WishedRange]]:
    """Last first, so that of an entry given twice the first one stays."""
    return reversed(list(enumerate(asked)))


def _key(wish: whitelist_pb2.WishedRange) -> tuple[str, cluster_pb2.PortType.ValueType] | None:
    try:
        network = str(ip_network(wish.source_ip))
    except ValueError:
        return None
    word = ports.port_type(wish.port_type)
    return network, next(number for number, own in _PORT_WORD.items() if own == word)


def _seed_word(rule: cluster_pb2.Rule) -> str:
    return _SEED_PORT_WORD[rule.port_type]


def _remarks(rule: cluster_pb2.Rule) -> JsonObject:
    found: dict[str, Json] = {"note": rule.note, "expires-at": time(rule.expires_at_ms)}
    return {key: value for key, value in found.items() if value}


def endpoints(cluster: cluster_pb2.Cluster, kind: str) -> JsonObject:
    """Where a running cluster answers: its public name, or the machines themselves."""
    url, port = cluster.status.milvus_url, cluster.status.milvus_port or str(ports.MILVUS_PORT)
    public: list[Json] = [{"schema": "grpc", "host": url, "port": port}]
    hosts: list[Json] = [
        {
            "schema": "grpc",
            "ip": node.private_ip,
            "port": port,
            "instance-id": node.instance_id,
            "node-type": _word(cluster_pb2.Role.Name(node.role), "ROLE_"),
        }
        for node in cluster.status.nodes
        if node.state == cluster_pb2.NODE_STATE_RUNNING and node.role == cluster_pb2.ROLE_MASTER
    ]
    return {
        "milvus-name": cluster.milvus_name,
        "type": kind,
        "endpoints": hosts if kind == "host_endpoints" else public,
    }
