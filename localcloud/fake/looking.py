"""The questions strict rules ask, answered from the fake's own records."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from localcloud.fake import things
from localcloud.fake.estate import Estate
from localcloud.strict.call import Call
from localcloud.strict.facts import Group, Volume
from localcloud.strict.look import Looking


class FakeLooking(Looking):
    """The reading half of the fake cloud."""

    def __init__(self) -> None:
        self.estates: dict[tuple[str, str], Estate] = {}

    def backend(self, call: Call) -> Estate:
        key = (call.account, call.region)
        if key not in self.estates:
            self.estates[key] = Estate(*key)
        return self.estates[key]

    # -- instances ------------------------------------------------------------------------

    def instance(self, instance_id: str) -> things.Instance | None:
        for estate in self.estates.values():
            if instance_id in estate.instances:
                return estate.instances[instance_id]
        return None

    def newest(self, call: Call) -> tuple[str, tuple[str, ...]]:
        reservations = self.backend(call).reservations
        reservation = next(reversed(reservations))
        return reservation, tuple(i.id for i in reservations[reservation])

    def parts_of(self, call: Call, instance_id: str) -> list[str]:
        instance = self.backend(call).instances.get(instance_id)
        if instance is None:
            return []
        interfaces = [instance.interface.id] if instance.interface else []
        return [*instance.volumes.values(), *interfaces]

    def image(self, call: Call, image_id: str) -> things.Image | None:
        return self.backend(call).images.get(image_id)

    # -- network --------------------------------------------------------------------------

    def subnet(self, call: Call, subnet_id: str) -> things.Subnet | None:
        return self.backend(call).subnets.get(subnet_id)

    def _defaults(self, call: Call) -> dict[str, str]:
        subnets = self.backend(call).subnets.values()
        return {s.availability_zone: s.id for s in subnets if s.is_default}

    def first_zone(self, call: Call) -> str:
        return f"{call.region}a"

    def default_zone(self, call: Call) -> str:
        return min(self._defaults(call), default="")

    def default_subnet(self, call: Call) -> str:
        zone = call.params.struct("Placement").text("AvailabilityZone") or self.default_zone(call)
        return self._defaults(call).get(zone, "")

    def vpc_of(self, call: Call) -> str:
        subnet = self.wanted_subnet(call)
        if subnet is not None:
            return str(subnet.vpc_id)
        instance = self.backend(call).instances.get(call.params.text("InstanceId"))
        return instance.interface.vpc_id if instance and instance.interface else ""

    def has_gateway(self, call: Call, vpc_id: str) -> bool:
        vpc = self.backend(call).vpcs.get(vpc_id)
        return vpc is not None and vpc.gateway

    # -- groups ---------------------------------------------------------------------------

    def groups(self, call: Call) -> list[Group]:
        estate = self.backend(call)
        return [fact(estate, group) for group in estate.groups.values()]

    def group(self, call: Call, id_or_name: str) -> Group | None:
        estate = self.backend(call)
        found = estate.groups.get(id_or_name)
        return fact(estate, found) if found is not None else None

    def holders_of(self, call: Call, group_id: str) -> list[str]:
        return list(self.backend(call).interfaces_of.get(group_id, ()))

    # -- addresses ------------------------------------------------------------------------

    def address_of(self, call: Call) -> things.Address | None:
        addresses = self.backend(call).addresses
        public = call.params.text("PublicIp")
        if public:
            return next((a for a in addresses.values() if a.public_ip == public), None)
        return addresses.get(call.params.text("AllocationId"))

    def target_of(self, call: Call) -> Any | None:
        estate = self.backend(call)
        interface = estate.interfaces.get(call.params.text("NetworkInterfaceId"))
        wanted = interface.instance_id if interface else call.params.text("InstanceId")
        return estate.instances.get(wanted)

    # -- volumes and tags -----------------------------------------------------------------

    def volume(self, call: Call, volume_id: str) -> Volume | None:
        one = self.backend(call).volumes.get(volume_id)
        if one is None:
            return None
        return Volume(one.id, one.size, one.type, one.zone, one.instance_id, one.device)

    def tags_of(self, call: Call, resource_id: str) -> dict[str, str]:
        return dict(self.backend(call).tags.of(resource_id))

    def exists(self, call: Call, resource_id: str) -> bool | None:
        return there(self.backend(call), resource_id)


def there(estate: Estate, resource_id: str) -> bool | None:
    """Whether a resource is there; None for a kind the fake has not."""
    shelves: dict[str, Container[str]] = {
        "i": estate.instances,
        "ami": estate.images,
        "sg": estate.groups,
        "vol": estate.volumes,
        "eni": estate.interfaces,
        "eipalloc": estate.addresses,
        "vpc": estate.vpcs,
        "subnet": estate.subnets,
        "igw": estate.gateways,
    }
    shelf = shelves.get(resource_id.partition("-")[0])
    return None if shelf is None else resource_id in shelf


def fact(estate: Estate, group: things.Group) -> Group:
    """A group as strict rules see it; kept until the group changes."""
    if group.fact is None:
        group.fact = Group(
            id=group.id,
            name=group.name,
            vpc_id=group.vpc_id,
            is_default=group.name == "default",
            in_default_vpc=estate.vpcs[group.vpc_id].is_default,
            ingress={r.id: r.permission for r in group.ingress.values()},
            egress={r.id: r.permission for r in group.egress.values()},
        )
    return group.fact
