"""What is told about a cluster: its state from its nodes, its address, its conditions. Pure."""

from dataclasses import replace
from functools import reduce
from typing import assert_never

from provisioner.facts import Site
from provisioner.record import (
    AddressMode,
    ClusterState,
    Condition,
    Node,
    NodeState,
    Record,
    Role,
)

PORT = "19530"
READY = "Ready"
CLOUD_ANSWERS = "CloudAnswers"
_ORDER = (NodeState.FAILED, NodeState.LOADING, NodeState.STARTING)


def told(record: Record, site: Site, now: int) -> Record:
    """The record with everything that follows from the rest of it."""
    state, reason, why = fold(record)
    record = replace(
        record,
        state=state,
        reason=reason,
        why=why,
        milvus_url=_url(record, site),
        milvus_port=PORT,
        subnet_id=_subnet(record),
    )
    ready = state is ClusterState.RUNNING
    return with_condition(record, READY, ok=ready, now=now, reason=reason, description=why)


def fold(record: Record) -> tuple[ClusterState, str, str]:
    """State, reason and sentence of the whole: failed, then loading, starting, running."""
    if not record.spec.wanted:
        return ClusterState.DELETING, "", _why_leaving(record)
    live = [node for node in record.nodes if node.state is not NodeState.GONE]
    for state in _ORDER:
        node = next((n for n in live if n.state is state), None)
        if node is not None:
            return ClusterState(state.value), node.reason, _why(node)
    if not live:
        return ClusterState.STARTING, "", "no machine was asked for yet"
    troubled = next((n for n in live if n.reason), None)
    if troubled is not None:
        return ClusterState.DEGRADED, troubled.reason, _why(troubled)
    return ClusterState.RUNNING, "", _why(live[0])


def _why(node: Node) -> str:
    return f"{node.role} {node.slot}: {node.why}" if node.why else ""


def _why_leaving(record: Record) -> str:
    left = next((n for n in record.nodes if n.state is not NodeState.GONE), None)
    return _why(left) if left else "removing address and groups"


def with_condition(
    record: Record,
    kind: str,
    *,
    ok: bool,
    now: int,
    reason: str = "",
    description: str = "",
    restart: bool = False,
) -> Record:
    """The record with this condition; its time stands while it stays so, unless `restart`."""
    old = record.condition(kind)
    since = old.since_ms if old and old.ok is ok and not restart else now
    new = Condition(kind, ok, reason, description, since)
    others = [c for c in record.conditions if c.type != kind]
    ordered = sorted([*others, new], key=lambda c: c.type)
    return replace(record, conditions=tuple(ordered))


def _url(record: Record, site: Site) -> str:
    master = next((n for n in record.nodes if n.role is Role.MASTER), None)
    match record.spec.address_mode:
        case AddressMode.ELASTIC:
            return public_name(record.address.public_ip, site.dns_suffix)
        case AddressMode.AUTO:
            return public_name(master.public_ip if master else "", site.dns_suffix)
        case AddressMode.PRIVATE:
            return master.private_ip if master else ""
        case _ as never:
            assert_never(never)


def public_name(address: str, suffix: str) -> str:
    """Public DNS name of an address; empty for none.

    Source: Amazon VPC user guide, "DNS attributes for your VPC".
    """
    return f"ec2-{address.replace('.', '-')}.{suffix}" if address else ""


def dns_suffix(region: str) -> str:
    """`compute-1.amazonaws.com` in us-east-1, `.com.cn` in China, the region elsewhere."""
    if region == "us-east-1":
        return "compute-1.amazonaws.com"
    tail = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"{region}.compute.{tail}"


def _subnet(record: Record) -> str:
    return reduce(
        lambda found, node: found or (node.intent.subnet_id if node.intent else ""),
        record.nodes,
        "",
    )
