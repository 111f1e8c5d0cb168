"""VPC peering: no overlap, not twice, and no route into one that has ended."""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import ip_network
from typing import Any

from localcloud.strict.call import Call, Refusal, Reply
from localcloud.strict.cloud import Cloud
from localcloud.strict.patches import Patches
from localcloud.strict.rule import Rule

_PEERING = "https://docs.aws.amazon.com/vpc/latest/peering/"
_API = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/"
_LIVE = frozenset({"initiating-request", "pending-acceptance", "provisioning", "active"})


def overlapping(mine: Collection[str], theirs: Collection[str]) -> bool:
    """Whether any two IPv4 blocks of two VPCs have an address in common."""
    return any(ip_network(a).overlaps(ip_network(b)) for a in mine for b in theirs)


def _blocks(vpc: Any) -> list[str]:
    return [str(one["cidr_block"]) for one in vpc.get_cidr_block_association_set()]


class PeeringOverlap(Rule):
    """A peering of VPCs with overlapping blocks is made, and fails at once."""

    name = "peering-overlap"
    document = _PEERING + "vpc-peering-basics.html"
    actions = frozenset({"CreateVpcPeeringConnection"})

    def after(self, call: Call, reply: Reply, cloud: Cloud) -> Reply:
        made = next(reversed(cloud.backend(call).vpc_pcxs.values()))
        if overlapping(_blocks(made.vpc), _blocks(made.peer_vpc)):
            made._status.code = "failed"  # noqa: SLF001 - moto has no word for it
            made._status.message = (  # noqa: SLF001
                "Failed due to incorrect VPC-ID, Account ID, or overlapping CIDR range"
            )
        return reply


class PeeringTwice(Rule):
    """Two VPCs have one peering at a time, whoever asked for it."""

    name = "peering-twice"
    document = _API + "errors-overview.html"
    actions = frozenset({"CreateVpcPeeringConnection"})

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:
        pair = {call.params.text("VpcId"), call.params.text("PeerVpcId")}
        for one in cloud.backend(call).vpc_pcxs.values():
            if {one.vpc.id, one.peer_vpc.id} == pair and one._status.code in _LIVE:  # noqa: SLF001
                text = f"A VPC peering connection between {' and '.join(sorted(pair))} exists"
                raise Refusal("VpcPeeringConnectionAlreadyExists", text)
        return call


class BlackholeRoutes(Rule):
    """A route through a peering that has ended is `blackhole`, and stays until it is deleted."""

    name = "blackhole-routes"
    document = _PEERING + "delete-vpc-peering-connection.html"

    def __init__(self) -> None:
        self._patches = Patches()

    def install(self, cloud: Cloud) -> None:  # noqa: ARG002
        from moto.ec2.models.route_tables import Route

        plain = vars(Route)["state"].fget

        def state(route: Any) -> str:
            peering = route.vpc_pcx
            ended = peering is not None and peering._status.code not in _LIVE  # noqa: SLF001
            return "blackhole" if ended else str(plain(route))

        self._patches.set(Route, "state", property(state))

    def remove(self, cloud: Cloud) -> None:  # noqa: ARG002
        self._patches.undo()
