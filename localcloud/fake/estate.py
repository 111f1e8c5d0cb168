"""Everything one account holds in one region, with the indexes that make looking cheap."""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Iterable

from localcloud.fake.tags import TagBook
from localcloud.fake.things import (
    Address,
    Group,
    GroupRule,
    Image,
    Instance,
    Interface,
    Subnet,
    Volume,
    Vpc,
)
from localcloud.strict.rules.permissions import Peer, Permission

_ZONES = {"us-east-1": "abcdef"}
CANONICAL = "099720109477"
IMAGES = (
    ("ami-785db401", "ubuntu/images/hvm-ssd/ubuntu-xenial-16.04-amd64-server-20170721", "x86_64"),
    ("ami-0e9271c829888680e", "ubuntu/images/hvm-ssd/ubuntu-arm64-server", "arm64"),
)


class Estate:
    """`interfaces_of` and `naming` say who holds or names a group."""

    def __init__(self, account: str, region: str) -> None:
        self.account = account
        self.region = region
        self.key_pairs: dict[str, object] = {}
        self.vpcs: dict[str, Vpc] = {}
        self.gateways: dict[str, str] = {}
        self.subnets: dict[str, Subnet] = {}
        self.images: dict[str, Image] = {}
        self.instances: dict[str, Instance] = {}
        self.reservations: dict[str, list[Instance]] = {}
        self.by_token: dict[str, dict[str, None]] = {}
        self.volumes: dict[str, Volume] = {}
        self.interfaces: dict[str, Interface] = {}
        self.groups: dict[str, Group] = {}
        self.interfaces_of: dict[str, dict[str, None]] = {}
        self.addresses: dict[str, Address] = {}
        self.tags = TagBook()
        self._random = random.Random(f"{account}/{region}")  # noqa: S311 - ids, no secrets
        self._number = 0
        self._furnish()

    def _furnish(self) -> None:
        """What every account has: images, a default VPC and its subnets."""
        for image_id, name, architecture in IMAGES:
            made = Image(
                image_id,
                self.next(),
                name,
                CANONICAL,
                architecture,
                "/dev/sda1",
                "2026-01-01T00:00:00.000Z",
            )
            self.images[image_id] = made
        vpc = self.add_vpc("172.31.0.0/16")
        vpc.is_default = vpc.dns_names = vpc.gateway = True
        for at, zone in enumerate(self.zones):
            self.add_subnet(vpc.id, f"172.31.{16 * at}.0/20", zone).is_default = True

    @property
    def zones(self) -> list[str]:
        return [self.region + letter for letter in _ZONES.get(self.region, "abc")]

    # -- making ---------------------------------------------------------------------------

    def next(self) -> int:
        self._number += 1
        return self._number

    def new_id(self, prefix: str) -> str:
        return f"{prefix}-{self._random.getrandbits(68):017x}"

    def add_vpc(self, cidr: str) -> Vpc:
        made = Vpc(self.new_id("vpc"), self.next(), cidr)
        self.vpcs[made.id] = made
        self.add_group("default", "default VPC security group", made.id)
        return made

    def add_subnet(self, vpc_id: str, cidr: str, zone: str) -> Subnet:
        made = Subnet(self.new_id("subnet"), self.next(), vpc_id, cidr, zone)
        self.subnets[made.id] = made
        return made

    def add_group(self, name: str, description: str, vpc_id: str) -> Group:
        made = Group(self.new_id("sg"), self.next(), name, description, vpc_id)
        everywhere = Permission("-1", None, None, Peer.IPV4, "0.0.0.0/0")
        rule = GroupRule(self.new_id("sgr"), everywhere, "")
        made.egress[rule.id] = rule
        self.groups[made.id] = made
        return made

    def take_address(self, subnet: Subnet) -> str:
        """The next private address of a subnet, or the one longest free; empty when none is."""
        network = ipaddress.ip_network(subnet.cidr)
        if subnet.used < network.num_addresses - 1:
            subnet.used += 1
            return str(network[subnet.used - 1])
        return subnet.freed.pop(0) if subnet.freed else ""

    def hold(self, interface: Interface) -> None:
        self.interfaces[interface.id] = interface
        for group_id in interface.group_ids:
            self.interfaces_of.setdefault(group_id, {})[interface.id] = None

    # -- ending ---------------------------------------------------------------------------

    def drop_interface(self, interface: Interface) -> None:
        self.interfaces.pop(interface.id, None)
        self.tags.forget(interface.id)
        for group_id in interface.group_ids:
            self.interfaces_of.get(group_id, {}).pop(interface.id, None)
        self.subnets[interface.subnet_id].freed.append(interface.private_ip)

    def drop_volume(self, volume_id: str) -> None:
        self.volumes.pop(volume_id, None)
        self.tags.forget(volume_id)

    def forget(self, instance: Instance) -> None:
        """A terminated instance is no longer seen."""
        self.instances.pop(instance.id, None)
        self.tags.forget(instance.id)
        self.by_token.get(instance.client_token, {}).pop(instance.id, None)
        left = self.reservations.get(instance.reservation, [])
        if instance in left:
            left.remove(instance)
        if not left:
            self.reservations.pop(instance.reservation, None)

    # -- looking --------------------------------------------------------------------------

    def all_instances(self) -> Iterable[Instance]:
        return self.instances.values()

    def get_instance_by_id(self, instance_id: str) -> Instance | None:
        return self.instances.get(instance_id)

    def touch(self, resource_id: str) -> None:
        """Its instance looks different now."""
        if resource_id in self.instances:
            self.instances[resource_id].shown = ""
