"""EC2's answers about groups as our facts. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kite import tags
from whitelist_svc.change import OURS, Held, Key, canonical
from whitelist_svc.groups import Group


def rule(found: Mapping[str, Any]) -> Held:
    """One item of DescribeSecurityGroupRules."""
    cidr = found.get("CidrIpv4") or found.get("CidrIpv6") or ""
    peer = found.get("ReferencedGroupInfo", {}).get("GroupId") or found.get("PrefixListId") or ""
    return _held(
        str(found.get("SecurityGroupRuleId", "")),
        found,
        cidr=cidr,
        peer=peer,
        description=found.get("Description", ""),
    )


def group(found: Mapping[str, Any]) -> Group:
    """One item of DescribeSecurityGroups; its rules have no ids."""
    return Group(
        group_id=found["GroupId"],
        name=found["GroupName"],
        vpc_id=found.get("VpcId", ""),
        tags=tags.unpack(found.get("Tags")),
        rules=tuple(one for item in found.get("IpPermissions", ()) for one in _permission(item)),
    )


def _permission(item: Mapping[str, Any]) -> Iterator[Held]:
    for what, name in (("IpRanges", "CidrIp"), ("Ipv6Ranges", "CidrIpv6")):
        for one in item.get(what, ()):
            text = one.get("Description", "")
            yield _held("", item, cidr=one[name], peer="", description=text)
    for what, name in (("UserIdGroupPairs", "GroupId"), ("PrefixListIds", "PrefixListId")):
        for one in item.get(what, ()):
            text = one.get("Description", "")
            yield _held("", item, cidr="", peer=one.get(name, ""), description=text)


def _held(
    rule_id: str, ports: Mapping[str, Any], *, cidr: str, peer: str, description: str
) -> Held:
    protocol, low, high = ports.get("IpProtocol"), ports.get("FromPort"), ports.get("ToPort")
    source = canonical(cidr) if cidr else ""
    plain = protocol == "tcp" and low == high and low is not None and low > 0
    key = Key(source, int(low)) if source and plain and low is not None else None
    span = "" if low in (None, -1) else f" {low}" if low == high else f" {low}-{high}"
    return Held(
        rule_id=rule_id,
        key=key,
        text=f"{source or peer} {'all traffic' if protocol == '-1' else protocol}{span}",
        ours=description.startswith(OURS),
        v4=":" not in source,
        v6=":" in source or not source,
    )


def interface(found: Mapping[str, Any]) -> str:
    """A network interface in words, with the instance that holds it."""
    holder = found.get("Attachment", {}).get("InstanceId", "")
    name = str(found["NetworkInterfaceId"])
    return f"{name} of {holder}" if holder else name
