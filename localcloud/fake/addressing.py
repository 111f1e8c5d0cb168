"""Elastic IPs: allocated, associated, let go, released."""

from __future__ import annotations

from localcloud.fake import shown
from localcloud.fake.cloud import FakeCloud
from localcloud.fake.estate import Estate
from localcloud.fake.lists import Listing
from localcloud.fake.things import Address, Interface
from localcloud.fake.xml import reply
from localcloud.strict.call import Call, Refusal, Reply

ADDRESSES = Listing(
    things=lambda estate: estate.addresses,
    ids="AllocationIds",
    kind="eipalloc",
    element="addressesSet",
    show=shown.address,
    readers={
        "allocation-id": lambda one: (one.id,),
        "public-ip": lambda one: (one.public_ip,),
        "association-id": lambda one: (one.association_id,) if one.association_id else (),
        "instance-id": lambda one: (one.eni.instance_id,) if one.eni else (),
        "network-interface-id": lambda one: (one.eni.id,) if one.eni else (),
        "domain": lambda _: ("vpc",),
    },
    narrow={"allocation-id": lambda _, value: (value,)},
)


def allocate(cloud: FakeCloud, estate: Estate, call: Call) -> Reply:
    public_ip = call.params.text("Address") or cloud.take_public()
    made = Address(estate.new_id("eipalloc"), estate.next(), public_ip)
    estate.addresses[made.id] = made
    for spec in call.params.structs("TagSpecifications"):
        estate.tags.put(made.id, {t.text("Key"): t.text("Value") for t in spec.structs("Tags")})
    values = {"publicIp": public_ip, "domain": "vpc", "allocationId": made.id}
    return reply(call.action, values)


def _address(cloud: FakeCloud, call: Call) -> Address:
    found = cloud.address_of(call)
    if found is None:
        wanted = call.params.text("AllocationId") or call.params.text("PublicIp")
        text = f"The allocation ID '{wanted}' does not exist"
        raise Refusal("InvalidAllocationID.NotFound", text)
    return found


def associate(cloud: FakeCloud, estate: Estate, call: Call) -> Reply:
    """Associating again moves the address; doing it twice does nothing."""
    address = _address(cloud, call)
    holder = _holder(estate, call)
    if address.eni is not holder:
        if address.eni is not None:
            if call.params.values.get("AllowReassociation") is False:
                text = f"resource {address.id} is already associated"
                raise Refusal("Resource.AlreadyAssociated", text)
            _let_go(cloud, estate, address)
        other = estate.addresses.get(holder.allocation_id)
        if other is not None:
            other.association_id, other.eni = "", None
        cloud.drop_public(holder)
        address.eni, address.association_id = holder, estate.new_id("eipassoc")
        holder.public_ip, holder.allocation_id = address.public_ip, address.id
        estate.touch(holder.instance_id)
    return reply(call.action, {"return": True, "associationId": address.association_id})


def _holder(estate: Estate, call: Call) -> Interface:
    interface_id = call.params.text("NetworkInterfaceId")
    if interface_id:
        if interface_id not in estate.interfaces:
            text = f"The networkInterface ID '{interface_id}' does not exist"
            raise Refusal("InvalidNetworkInterfaceID.NotFound", text)
        return estate.interfaces[interface_id]
    instance_id = call.params.text("InstanceId")
    instance = estate.instances.get(instance_id)
    if instance is None or instance.interface is None:
        text = f"The instance ID '{instance_id}' does not exist"
        raise Refusal("InvalidInstanceID.NotFound", text)
    return instance.interface


def _let_go(cloud: FakeCloud, estate: Estate, address: Address) -> None:
    """The holder has its own address again, if it had one."""
    held = address.eni
    address.eni, address.association_id = None, ""
    if held is None:
        return
    cloud.drop_public(held)
    if held.wants_public:
        held.public_ip = cloud.take_public()
    estate.touch(held.instance_id)


def disassociate(cloud: FakeCloud, estate: Estate, call: Call) -> Reply:
    wanted = call.params.text("AssociationId")
    found = [a for a in estate.addresses.values() if wanted and a.association_id == wanted]
    if not found:
        text = f"The association ID '{wanted}' does not exist"
        raise Refusal("InvalidAssociationID.NotFound", text)
    _let_go(cloud, estate, found[0])
    return reply(call.action, {"return": True})


def release(cloud: FakeCloud, estate: Estate, call: Call) -> Reply:
    gone = _address(cloud, call)
    del estate.addresses[gone.id]
    estate.tags.forget(gone.id)
    cloud.pool.give(gone.public_ip)
    return reply(call.action, {"return": True})
