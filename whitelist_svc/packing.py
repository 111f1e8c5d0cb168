"""Messages of kite.v1 to this service's own types and back. Pure."""

from kite.ports import PortType
from kite.v1 import cluster_pb2, whitelist_pb2
from whitelist_svc.cluster import Cluster
from whitelist_svc.groups import Kind
from whitelist_svc.report import Line, State
from whitelist_svc.rules import Entry, Wished

_PORT_TYPES = {
    PortType.MILVUS: cluster_pb2.PORT_TYPE_MILVUS,
    PortType.MILVUS_EM: cluster_pb2.PORT_TYPE_MILVUS_EM,
}
_FROM_PORT_TYPES = {number: kind for kind, number in _PORT_TYPES.items()}
_STATES = {
    State.UNKNOWN: whitelist_pb2.RULE_STATE_UNSPECIFIED,
    State.AUTHORIZING: whitelist_pb2.RULE_STATE_AUTHORIZING,
    State.AUTHORIZED: whitelist_pb2.RULE_STATE_AUTHORIZED,
    State.REVOKING: whitelist_pb2.RULE_STATE_REVOKING,
}


def wished(message: whitelist_pb2.WishedRange) -> Wished:
    return Wished(message.source_ip, message.port_type, message.note, message.expires_at_ms)


def rule(entry: Entry) -> cluster_pb2.Rule:
    return cluster_pb2.Rule(
        source_ip=entry.cidr,
        port_type=_PORT_TYPES[entry.port_type],
        note=entry.note,
        expires_at_ms=entry.expires_at_ms,
    )


def entry(message: cluster_pb2.Rule) -> Entry | None:
    """None for a port type this version does not know: such an entry opens nothing."""
    kind = _FROM_PORT_TYPES.get(message.port_type)
    if kind is None:
        return None
    return Entry(message.source_ip, kind, message.note, message.expires_at_ms)


def cluster(message: cluster_pb2.Cluster) -> Cluster:
    entries = (entry(one) for one in message.whitelist.rules)
    group_ids = (
        one.group_id for one in message.status.security_groups if one.kind == Kind.WHITELIST
    )
    return Cluster(
        cluster_id=message.cluster_id,
        user=message.user,
        milvus_name=message.milvus_name,
        wanted=message.spec.wanted and not message.deleted_at_ms,
        entries=tuple(one for one in entries if one is not None),
        revision=message.whitelist.revision,
        group_id=next(group_ids, ""),
    )


def line(one: Line) -> whitelist_pb2.RuleInForce:
    return whitelist_pb2.RuleInForce(
        rule=rule(one.entry), rule_id=one.rule_id, state=_STATES[one.state]
    )
