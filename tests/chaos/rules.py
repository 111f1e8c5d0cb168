"""What a security group lets in, to the last port and peer, against what it should.

Everything counts: a rule for IPv6, for a prefix list, for another group or for a wider range of
ports is a hole as much as one for an address.
"""

from typing import NamedTuple

from kite.ports import MILVUS_PORT, SSH_PORT

ALL = "-1"
PEERS = (
    ("IpRanges", "CidrIp"),
    ("Ipv6Ranges", "CidrIpv6"),
    ("UserIdGroupPairs", "GroupId"),
    ("PrefixListIds", "PrefixListId"),
)
"""Every way in which EC2 names who may come in (API reference, IpPermission)."""
CONTROL = (SSH_PORT, MILVUS_PORT)
"""What the control plane needs: to install, and to ask Milvus whether it answers."""


class Rule(NamedTuple):
    """`protocol` as EC2 spells it; no ports where all protocols are open."""

    protocol: str
    first: int | None
    last: int | None
    peer: str

    def __str__(self):
        return f"{self.protocol} {self.first}-{self.last} {self.peer}"


def held(group):
    """What EC2 lets into a group."""
    return {
        Rule(one["IpProtocol"], *_ports(one), peer[name])
        for one in group["IpPermissions"]
        for kind, name in PEERS
        for peer in one.get(kind, ())
    }


def _ports(permission):
    if permission["IpProtocol"] == ALL:
        return None, None
    return permission.get("FromPort"), permission.get("ToPort")


def wanted(group, sources, control):
    """What a group of a document should let in; one of a kind not known here, nothing."""
    match group["kind"]:
        case "whitelist":
            return {Rule("tcp", MILVUS_PORT, MILVUS_PORT, source) for source in sources}
        case "base":
            return {Rule("tcp", port, port, one) for one in control for port in CONTROL}
        case "peers":
            return {Rule(ALL, None, None, group["group-id"])}
    return set()
