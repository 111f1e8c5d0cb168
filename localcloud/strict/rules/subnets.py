"""Private addresses of a subnet: in order, never twice, a freed one last."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable
from typing import Any

from localcloud.strict.call import Call, Refusal, Reply
from localcloud.strict.cloud import Cloud
from localcloud.strict.patches import Patches
from localcloud.strict.rule import Rule

_API = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/"


def address_verdict(wanted: str, cidr: str, used: Collection[str]) -> Refusal | None:
    """May a private address be asked for in this subnet?"""
    try:
        inside = ipaddress.ip_address(wanted) in ipaddress.ip_network(cidr)
    except ValueError:
        return Refusal("InvalidParameterValue", f"Invalid IPv4 address: '{wanted}'")
    if not inside:
        text = f"Address {wanted} does not fall within the subnet's address range"
        return Refusal("InvalidParameterValue", text)
    if wanted in used:
        return Refusal("InvalidIPAddress.InUse", f"Address {wanted} is in use.")
    return None


def next_address(
    fresh: Iterable[object], used: Collection[str], freed: Iterable[str], last: str
) -> str:
    """A fresh address as long as there is one, then the freed one longest not used.

    `last` is the broadcast address, which is never given. Raises Refusal when none is left.
    """
    for one in fresh:
        if str(one) not in used and str(one) != last:
            return str(one)
    for one in freed:
        if one not in used:
            return one
    text = "The specified subnet does not have enough free addresses to satisfy the request."
    raise Refusal("InsufficientFreeAddressesInSubnet", text)


class PrivateAddresses(Rule):
    """A subnet's addresses are given in order; one in use or out of range is refused."""

    name = "private-addresses"
    document = "https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html"

    def __init__(self) -> None:
        self._patches = Patches()

    def install(self, cloud: Cloud) -> None:  # noqa: ARG002
        from moto.ec2.models.instances import Instance
        from moto.ec2.models.subnets import Subnet

        def available(subnet: Any, instance: Any) -> str:
            used, freed = subnet._subnet_ips, subnet.__dict__.setdefault("freed", [])  # noqa: SLF001
            last = str(subnet.cidr.broadcast_address)
            found = next_address(subnet._subnet_ip_generator, used, freed, last)  # noqa: SLF001
            used[found] = instance
            return found

        def request(subnet: Any, ip: str, instance: Any) -> None:
            refusal = address_verdict(ip, subnet.cidr_block, subnet._subnet_ips)  # noqa: SLF001
            if refusal is not None:
                raise refusal
            subnet._subnet_ips[ip] = instance  # noqa: SLF001

        def free(subnet: Any, ip: str) -> None:
            freed = subnet.__dict__.setdefault("freed", [])
            if subnet._subnet_ips.pop(ip, None) is not None:  # noqa: SLF001
                if ip in freed:
                    freed.remove(ip)
                freed.append(ip)

        self._patches.set(Subnet, "get_available_subnet_ip", available)
        self._patches.set(Subnet, "request_ip", request)
        self._patches.set(Subnet, "del_subnet_ip", free)
        # An instance that Python forgets late would free an address that has a new owner.
        self._patches.set(Instance, "__del__", lambda _instance: None)

    def remove(self, cloud: Cloud) -> None:  # noqa: ARG002
        self._patches.undo()


class SubnetZone(Rule):
    """A subnet for which no zone was named gets the region's first, not one by chance."""

    name = "subnet-zone"
    document = _API + "API_CreateSubnet.html"
    actions = frozenset({"CreateSubnet"})

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:
        if {"AvailabilityZone", "AvailabilityZoneId"} & set(call.params.values):
            return call
        zone = cloud.first_zone(call)
        return call.altered(AvailabilityZone=zone) if zone else call
