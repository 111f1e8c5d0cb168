"""Reading moto's models: from its objects to facts. Changes nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Iterator
from typing import Any

from localcloud.strict.call import Call
from localcloud.strict.facts import Group, Volume
from localcloud.strict.life import State
from localcloud.strict.rules.permissions import Peer, Permission, permission


class Looking:
    """The reading half of the cloud. Callers hold its lock."""

    def account_of(self, access_key: str) -> str:
        """The account an access key belongs to, as moto decides it."""
        from moto.iam.models import get_account_id_from

        return os.environ.get("MOTO_ACCOUNT_ID") or get_account_id_from(access_key)

    def backend(self, call: Call) -> Any:
        """The backend of moto for the account and region a call is meant for."""
        from moto.ec2.models import ec2_backends

        return ec2_backends[call.account][call.region]

    def backends(self) -> Iterator[Any]:
        """Every backend that exists by now."""
        from moto.ec2.models import ec2_backends

        for regions in list(ec2_backends.values()):
            yield from list(regions.values())

    # -- instances --------------------------------------------------------------------------

    def instance(self, instance_id: str) -> Any | None:
        """The instance as moto has it, whatever its region."""
        for backend in self.backends():
            found = backend.get_instance_by_id(instance_id)
            if found is not None:
                return found
        return None

    def state_of(self, call: Call, instance_id: str) -> str:
        """The state of an instance of this account and region; empty when unknown."""
        found = self.backend(call).get_instance_by_id(instance_id)
        return str(found.state) if found is not None else ""

    def parts_of(self, call: Call, instance_id: str) -> list[str]:
        """Ids of an instance's volumes and interfaces; none for what is no instance."""
        instance = self.backend(call).get_instance_by_id(instance_id)
        if instance is None:
            return []
        disks = [str(d.volume_id) for d in instance.block_device_mapping.values()]
        return disks + [str(nic.id) for nic in instance.nics.values()]

    def newest(self, call: Call) -> tuple[str, tuple[str, ...]]:
        """(reservation id, instance ids) of the launch that was just made."""
        reservation = next(reversed(self.backend(call).reservations.values()))
        return str(reservation.id), tuple(i.id for i in reservation.instances)

    def newest_interfaces(self, call: Call) -> list[Any]:
        """The network interfaces of the launch that was just made."""
        reservation = next(reversed(self.backend(call).reservations.values()))
        return [nic for i in reservation.instances for nic in i.nics.values()]

    def image(self, call: Call, image_id: str) -> Any | None:
        return self.backend(call).amis.get(image_id)

    # -- network ----------------------------------------------------------------------------

    def subnet(self, call: Call, subnet_id: str) -> Any | None:
        for zones in self.backend(call).subnets.values():
            if subnet_id in zones:
                return zones[subnet_id]
        return None

    def wanted_subnet(self, call: Call) -> Any | None:
        """The subnet a launch or a new interface names, at either level."""
        wanted = call.params.text("SubnetId") or next(
            (n.text("SubnetId") for n in call.params.structs("NetworkInterfaces")), ""
        )
        return self.subnet(call, wanted) if wanted else None

    def zone_of(self, call: Call) -> str:
        """The availability zone a launch asks for: by name, by subnet, or none."""
        zone = call.params.struct("Placement").text("AvailabilityZone")
        if zone or not {"SubnetId", "NetworkInterfaces"} & set(call.params.values):
            return zone
        subnet = self.wanted_subnet(call)
        return str(subnet.availability_zone) if subnet is not None else ""

    def first_zone(self, call: Call) -> str:
        return min((z.name for z in self.backend(call).describe_availability_zones()), default="")

    def default_zone(self, call: Call) -> str:
        """The zone of a launch that names none: the first with a default subnet."""
        return min(self.backend(call).get_default_subnets(), default="")

    def default_subnet(self, call: Call) -> str:
        """The default subnet of the zone asked for, else of the first zone; empty when none."""
        defaults = self.backend(call).get_default_subnets()
        zone = call.params.struct("Placement").text("AvailabilityZone") or self.default_zone(call)
        return str(defaults[zone].id) if zone in defaults else ""

    def vpc_of(self, call: Call) -> str:
        """The VPC in which a call wants groups to be: by subnet, interface or instance."""
        subnet = self.wanted_subnet(call)
        if subnet is not None:
            return str(subnet.vpc_id)
        interface = self.backend(call).enis.get(call.params.text("NetworkInterfaceId"))
        if interface is not None:
            return str(interface.vpc_id)
        instance = self.backend(call).get_instance_by_id(call.params.text("InstanceId"))
        return str(instance.vpc_id or "") if instance is not None else ""

    def has_gateway(self, call: Call, vpc_id: str) -> bool:
        """Whether a VPC has an internet gateway; moto's default VPC shows none but has one."""
        backend = self.backend(call)
        attached = [g.vpc.id for g in backend.internet_gateways.values() if g.vpc]
        return vpc_id == backend.default_vpc.id or vpc_id in attached

    # -- groups -----------------------------------------------------------------------------

    def groups(self, call: Call) -> list[Group]:
        backend = self.backend(call)
        return [_group(backend, g) for vpc in backend.groups.values() for g in vpc.values()]

    def group(self, call: Call, id_or_name: str) -> Group | None:
        backend = self.backend(call)
        found = backend.get_security_group_by_name_or_id(id_or_name)
        return _group(backend, found) if found is not None else None

    def group_of(self, call: Call) -> Group | None:
        """The group a call is about."""
        params = call.params
        return self.group(call, params.text("GroupId") or params.text("GroupName"))

    def holders_of(self, call: Call, group_id: str) -> list[str]:
        """Interfaces and not yet terminated instances that hold a group."""
        backend = self.backend(call)
        holding = [e.id for e in backend.enis.values() if _holds(e, group_id)]
        for instance in backend.all_instances():
            if instance.state != State.TERMINATED:
                nics = instance.nics.values()
                holding += [instance.id for nic in nics if _holds(nic, group_id)]
        return holding

    # -- addresses --------------------------------------------------------------------------

    def address_of(self, call: Call) -> Any | None:
        """The Elastic IP a call is about."""
        wanted = {call.params.text("AllocationId"), call.params.text("PublicIp")} - {""}
        for address in self.backend(call).addresses:
            if address.allocation_id in wanted or address.public_ip in wanted:
                return address
        return None

    def target_of(self, call: Call) -> Any | None:
        """The instance an address shall go to, named itself or by its interface."""
        backend = self.backend(call)
        interface = backend.enis.get(call.params.text("NetworkInterfaceId"))
        if interface is not None:
            return interface.instance
        return backend.get_instance_by_id(call.params.text("InstanceId"))

    # -- volumes and tags -------------------------------------------------------------------

    def volume(self, call: Call, volume_id: str) -> Volume | None:
        found = self.backend(call).volumes.get(volume_id)
        if found is None:
            return None
        held = found.attachment
        return Volume(
            id=found.id,
            size=int(found.size),
            type=str(found.volume_type),
            zone=str(found.availability_zone),
            instance_id=str(held.instance.id) if held else "",
            device=str(held.device) if held else "",
        )

    def devices_of(self, call: Call, instance_id: str) -> list[str]:
        instance = self.backend(call).get_instance_by_id(instance_id)
        return list(instance.block_device_mapping) if instance is not None else []

    def tags_of(self, call: Call, resource_id: str) -> dict[str, str]:
        return dict(self.backend(call).tags.get(resource_id, {}))

    def exists(self, call: Call, resource_id: str) -> bool | None:
        """Whether a resource is there; None for a kind this does not follow."""
        known = _KNOWN.get(resource_id.partition("-")[0])
        return None if known is None else resource_id in known(self.backend(call))


def _holds(interface: Any, group_id: str) -> bool:
    return any(group.id == group_id for group in interface._group_set)  # noqa: SLF001


_KNOWN: dict[str, Callable[[Any], Container[str]]] = {
    "i": lambda b: {i.id for r in b.reservations.values() for i in r.instances},
    "ami": lambda b: b.amis,
    "sg": lambda b: {g for vpc in b.groups.values() for g in vpc},
    "sgr": lambda b: {
        rule.id
        for vpc in b.groups.values()
        for group in vpc.values()
        for rule in (*group.ingress_rules, *group.egress_rules)
    },
    "vol": lambda b: b.volumes,
    "eni": lambda b: b.enis,
    "snap": lambda b: b.snapshots,
    "eipalloc": lambda b: {a.allocation_id for a in b.addresses},
    "key": lambda b: {pair.id for pair in b.key_pairs.values()},
    "vpc": lambda b: b.vpcs,
    "subnet": lambda b: {s for zones in b.subnets.values() for s in zones},
    "igw": lambda b: b.internet_gateways,
    "rtb": lambda b: b.route_tables,
    "pcx": lambda b: b.vpc_pcxs,
}


def _group(backend: Any, found: Any) -> Group:
    return Group(
        id=found.id,
        name=found.name,
        vpc_id=str(found.vpc_id),
        is_default=bool(found.is_default),
        in_default_vpc=found.vpc_id == backend.default_vpc.id,
        ingress={rule.id: _permission(rule) for rule in found.ingress_rules},
        egress={rule.id: _permission(rule) for rule in found.egress_rules},
    )


def _permission(rule: Any) -> Permission:
    ports = (rule.ip_protocol or "", rule.from_port, rule.to_port)
    if rule.cidr_ipv4:
        return permission(*ports, Peer.IPV4, rule.cidr_ipv4)
    if rule.cidr_ipv6:
        return permission(*ports, Peer.IPV6, rule.cidr_ipv6)
    if rule.prefix_list_id:
        return permission(*ports, Peer.LIST, rule.prefix_list_id)
    return permission(*ports, Peer.GROUP, rule.source_group.get("GroupId", ""))
