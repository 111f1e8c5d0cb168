"""Security groups as one nftables table. Pure: EC2's description in, ruleset text out.

As in AWS (EC2 user guide, "Security groups"): nothing matches unless a rule allows it, answers to
an allowed packet always pass, and a rule taken away does not cut what is already connected
("Security group connection tracking"). A reference to a group means its members' private addresses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_network
from typing import Any

NUMBERS = {"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6"}
EVERY_PORT = (0, 65535)

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, order=True)
class Allow:
    """One thing that may pass: a far side, a protocol (`all` for any) and two numbers.

    The numbers are the port range of tcp and udp, and type and code (-1: any) of icmp.
    """

    far: str
    protocol: str
    first: int = -1
    last: int = -1


def allows(
    permissions: Iterable[Mapping[str, Any]], members: Mapping[str, Iterable[IPv4Address]]
) -> frozenset[Allow]:
    """What `IpPermissions` of describe_security_groups lets pass; `members` by group id."""
    return frozenset(
        Allow(str(far), *_what(permission))
        for permission in permissions
        for far in _far_sides(permission, members)
    )


def ruleset(ingress: Iterable[Allow], egress: Iterable[Allow], resolver: IPv4Address) -> str:
    """Text for `nft -f -` that replaces the table of a host in one step.

    `resolver` is the cloud's own DNS, which security groups do not filter (EC2 user guide).
    """
    inward = "\n".join(f"    {_match(allow, 'saddr')} accept" for allow in sorted(set(ingress)))
    outward = "\n".join(f"    {_match(allow, 'daddr')} accept" for allow in sorted(set(egress)))
    neighbours = "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept"
    return f"""table inet kite_groups
delete table inet kite_groups
table inet kite_groups {{
  chain ingress {{
    type filter hook input priority 0; policy drop;
    iif lo accept
    ct state established,related accept
    {neighbours}
{inward}
  }}
  chain egress {{
    type filter hook output priority 0; policy drop;
    oif lo accept
    ct state established,related accept
    {neighbours}
    ip daddr {resolver} udp dport 53 accept
{outward}
  }}
}}
"""


def _what(permission: Mapping[str, Any]) -> tuple[str, int, int]:
    protocol = str(permission["IpProtocol"]).lower()
    protocol = NUMBERS.get(protocol, protocol)
    first, last = permission.get("FromPort"), permission.get("ToPort")
    match protocol:
        case "-1":
            return "all", -1, -1
        case "tcp" | "udp":
            if first in (None, -1):
                return (protocol, *EVERY_PORT)
            return protocol, int(str(first)), int(str(last))
        case "icmp" | "icmpv6":
            return protocol, -1 if first is None else int(first), -1 if last is None else int(last)
        case _:
            return protocol, -1, -1


def _far_sides(
    permission: Mapping[str, Any], members: Mapping[str, Iterable[IPv4Address]]
) -> Iterable[Network]:
    for one in permission.get("IpRanges", ()):
        yield ip_network(one["CidrIp"], strict=False)
    for one in permission.get("Ipv6Ranges", ()):
        yield ip_network(one["CidrIpv6"], strict=False)
    for pair in permission.get("UserIdGroupPairs", ()):
        for address in members.get(pair.get("GroupId", ""), ()):
            yield IPv4Network(address)


def _match(allow: Allow, side: str) -> str:
    return f"{_from(allow.far, side)} {_packet(allow)}".strip()


def _from(far: str, side: str) -> str:
    network = ip_network(far)
    family = "ip" if network.version == 4 else "ip6"  # noqa: PLR2004
    if network.prefixlen == 0:
        return f"meta nfproto ipv{network.version}"
    return f"{family} {side} {network}"


def _packet(allow: Allow) -> str:
    match allow.protocol:
        case "all":
            return ""
        case "tcp" | "udp":
            ports = f"{allow.first}" if allow.first == allow.last else f"{allow.first}-{allow.last}"
            return f"{allow.protocol} dport {ports}"
        case "icmp" | "icmpv6" if allow.first >= 0:
            code = f" {allow.protocol} code {allow.last}" if allow.last >= 0 else ""
            return f"{allow.protocol} type {allow.first}{code}"
        case protocol:
            return f"meta l4proto {protocol}"
