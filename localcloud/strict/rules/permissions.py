"""What a security group rule is, and when two are the same. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from localcloud.strict.call import Params, Refusal

_PROTOCOLS = {"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6", "all": "-1"}
_KNOWN = frozenset({"tcp", "udp", "icmp", "icmpv6", "-1"})
_PORTS = 65535
_ICMP = 255


class Peer(StrEnum):
    """What stands on the other side of a rule."""

    IPV4 = "ipv4"
    IPV6 = "ipv6"
    GROUP = "group"
    LIST = "list"


@dataclass(frozen=True, slots=True)
class Permission:
    """One rule. Equal ones are duplicates to EC2: the description does not count."""

    protocol: str
    low: int | None
    high: int | None
    peer: Peer
    value: str

    def __str__(self) -> str:
        ports = f"from port: {self.low}, to port: {self.high}, " if self.low is not None else ""
        return f"peer: {self.value}, {self.protocol.upper()}, {ports}ALLOW"


def canonical(cidr: str) -> str:
    """`10.1.2.3/24` is stored as `10.1.2.0/24`; what is no CIDR comes back unchanged."""
    address, slash, mask = cidr.partition("/")
    if not slash or not mask.isdecimal():
        return cidr
    try:
        return str(ipaddress.ip_network(f"{address}/{mask}", strict=False))
    except ValueError:
        return cidr


def protocol_of(given: str) -> str:
    lowered = given.lower()
    return _PROTOCOLS.get(lowered, lowered)


def permission(
    protocol: str, low: int | None, high: int | None, peer: Peer, value: str
) -> Permission:
    """A rule in the form in which duplicates are equal."""
    name = protocol_of(protocol)
    if name == "-1":
        low = high = None
    if peer in {Peer.IPV4, Peer.IPV6}:
        value = canonical(value)
    return Permission(name, low, high, peer, value)


def permissions_of(params: Params) -> list[Permission]:
    """Every rule a call names, from `IpPermissions` or the flat form."""
    found: list[Permission] = []
    for item in params.structs("IpPermissions") or (flat(params),):
        ports = (item.text("IpProtocol"), item.number("FromPort"), item.number("ToPort"))
        found += [permission(*ports, peer, value) for peer, value in _peers(item)]
    return found


def flat(params: Params) -> Params:
    """The old form: one rule by the call's own parameters."""
    values = dict(params.values)
    if "CidrIp" in values:
        values["IpRanges"] = [{"CidrIp": values["CidrIp"]}]
    return Params(values)


def _peers(item: Params) -> Iterator[tuple[Peer, str]]:
    for one in item.structs("IpRanges"):
        yield Peer.IPV4, one.text("CidrIp")
    for one in item.structs("Ipv6Ranges"):
        yield Peer.IPV6, one.text("CidrIpv6")
    for one in item.structs("UserIdGroupPairs"):
        yield Peer.GROUP, one.text("GroupId") or one.text("GroupName")
    for one in item.structs("PrefixListIds"):
        yield Peer.LIST, one.text("PrefixListId")


def with_canonical_cidrs(value: Any) -> Any:
    """The same decoded parameters with every CIDR in canonical form."""
    match value:
        case Mapping():
            return {
                name: canonical(inner)
                if name in {"CidrIp", "CidrIpv6", "CidrIpv4"} and isinstance(inner, str)
                else with_canonical_cidrs(inner)
                for name, inner in value.items()
            }
        case list():
            return [with_canonical_cidrs(inner) for inner in value]
        case _:
            return value


def ports_verdict(protocol: str, low: int | None, high: int | None) -> Refusal | None:
    """Ports must fit the protocol: 0-65535 for TCP and UDP, types and codes for ICMP."""
    name = protocol_of(protocol)
    if name not in _KNOWN and not (name.isdecimal() and int(name) <= _ICMP):
        return _invalid(f"Invalid value '{protocol}' for IP protocol. Unknown protocol.")
    if name in {"tcp", "udp"}:
        return _port_pair(low, high)
    if name in {"icmp", "icmpv6"}:
        for number in (low, high):
            if number is not None and not -1 <= number <= _ICMP:
                return _invalid(f"ICMP type or code {number} is not in the range -1 to {_ICMP}")
    return None


def _port_pair(low: int | None, high: int | None) -> Refusal | None:
    if low is None or high is None:
        text = "Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange."
        return _invalid(text)
    for number in (low, high):
        if not 0 <= number <= _PORTS:
            return _invalid(f"TCP/UDP port {number} is out of range: 0 to {_PORTS}")
    if low > high:
        return _invalid(f"Invalid TCP/UDP port range ({low}:{high})")
    return None


def _invalid(text: str) -> Refusal:
    return Refusal("InvalidParameterValue", text)


def duplicate(existing: Iterable[Permission], wanted: Iterable[Permission]) -> Permission | None:
    """The first wanted rule that exists already or comes twice."""
    seen = set(existing)
    for one in wanted:
        if one in seen:
            return one
        seen.add(one)
    return None


def over_limit(existing: Iterable[Permission], wanted: Iterable[Permission], limit: int) -> bool:
    """IPv4 and IPv6 rules are counted apart; a group or prefix list counts in both."""
    rules = [*existing, *wanted]
    counted: Callable[[Peer], int] = lambda own: sum(  # noqa: E731
        rule.peer in {own, Peer.GROUP, Peer.LIST} for rule in rules
    )
    return max(counted(Peer.IPV4), counted(Peer.IPV6)) > limit
