"""What stands before any machine: VPCs, subnets, gateways, images, types; and small changes."""

from __future__ import annotations

import ipaddress

from localcloud.fake import shown
from localcloud.fake.cloud import FakeCloud
from localcloud.fake.estate import Estate
from localcloud.fake.filters import filters_of, matching
from localcloud.fake.lists import Listing, Readers
from localcloud.fake.things import Image, Volume, Vpc
from localcloud.fake.xml import Ready, reply
from localcloud.strict.call import Call, Refusal, Reply
from localcloud.strict.rules.launches import offered
from localcloud.strict.rules.tags import NOT_FOUND

VPCS = Listing(
    things=lambda estate: estate.vpcs,
    ids="VpcIds",
    kind="vpc",
    element="vpcSet",
    show=shown.vpc,
    readers={
        "vpc-id": lambda one: (one.id,),
        "is-default": lambda one: (str(one.is_default).lower(),),
        "cidr": lambda one: (one.cidr,),
    },
    narrow={},
)
SUBNETS = Listing(
    things=lambda estate: estate.subnets,
    ids="SubnetIds",
    kind="subnet",
    element="subnetSet",
    show=shown.subnet,
    readers={
        "subnet-id": lambda one: (one.id,),
        "vpc-id": lambda one: (one.vpc_id,),
        "availability-zone": lambda one: (one.availability_zone,),
        "default-for-az": lambda one: (str(one.is_default).lower(),),
    },
    narrow={},
)
IMAGES = Listing(
    things=lambda estate: estate.images,
    ids="ImageIds",
    kind="ami",
    element="imagesSet",
    show=shown.image,
    readers={
        "image-id": lambda one: (one.id,),
        "name": lambda one: (one.name,),
        "state": lambda _: ("available",),
        "architecture": lambda one: (one.architecture,),
        "owner-id": lambda one: (one.owner,),
    },
    narrow={},
)


def _state(one: Volume) -> tuple[str, ...]:
    return (shown.volume_state(one),)


VOLUMES = Listing(
    things=lambda estate: estate.volumes,
    ids="VolumeIds",
    kind="vol",
    element="volumeSet",
    show=shown.volume,
    readers={
        "volume-id": lambda one: (one.id,),
        "status": _state,
        "attachment.instance-id": lambda one: (one.instance_id,) if one.instance_id else (),
        "size": lambda one: (str(one.size),),
    },
    narrow={
        "volume-id": lambda _, value: (value,),
        "attachment.instance-id": lambda estate, value: (
            estate.instances[value].volumes.values() if value in estate.instances else ()
        ),
    },
)
INTERFACES = Listing(
    things=lambda estate: estate.interfaces,
    ids="NetworkInterfaceIds",
    kind="eni",
    element="networkInterfaceSet",
    show=shown.interface,
    readers={
        "network-interface-id": lambda one: (one.id,),
        "group-id": lambda one: one.group_ids,
        "subnet-id": lambda one: (one.subnet_id,),
        "vpc-id": lambda one: (one.vpc_id,),
        "attachment.instance-id": lambda one: (one.instance_id,),
    },
    narrow={
        "network-interface-id": lambda _, value: (value,),
        "group-id": lambda estate, value: estate.interfaces_of.get(value, ()),
    },
)


def create_vpc(_: FakeCloud, estate: Estate, call: Call) -> Reply:
    made = estate.add_vpc(call.params.text("CidrBlock"))
    return reply(call.action, {"vpc": Ready(shown.vpc(estate, made))})


def _vpc(estate: Estate, vpc_id: str) -> Vpc:
    if vpc_id not in estate.vpcs:
        raise Refusal("InvalidVpcID.NotFound", f"The vpc ID '{vpc_id}' does not exist")
    return estate.vpcs[vpc_id]


def modify_vpc(_: FakeCloud, estate: Estate, call: Call) -> Reply:
    vpc = _vpc(estate, call.params.text("VpcId"))
    if "EnableDnsHostnames" in call.params:
        vpc.dns_names = call.params.struct("EnableDnsHostnames").flag("Value")
    return reply(call.action, {"return": True})


def create_subnet(_: FakeCloud, estate: Estate, call: Call) -> Reply:
    vpc, cidr = _vpc(estate, call.params.text("VpcId")), call.params.text("CidrBlock")
    if not ipaddress.ip_network(cidr).subnet_of(ipaddress.ip_network(vpc.cidr)):  # type: ignore[arg-type]
        raise Refusal("InvalidSubnet.Range", f"The CIDR '{cidr}' is invalid.")
    zone = call.params.text("AvailabilityZone") or f"{estate.region}a"
    made = estate.add_subnet(vpc.id, cidr, zone)
    return reply(call.action, {"subnet": Ready(shown.subnet(estate, made))})


def create_gateway(_: FakeCloud, estate: Estate, call: Call) -> Reply:
    made = estate.new_id("igw")
    estate.gateways[made] = ""
    values = {"internetGatewayId": made, "attachmentSet": [], "ownerId": estate.account}
    return reply(call.action, {"internetGateway": values})


def attach_gateway(_: FakeCloud, estate: Estate, call: Call) -> Reply:
    vpc = _vpc(estate, call.params.text("VpcId"))
    estate.gateways[call.params.text("InternetGatewayId")] = vpc.id
    vpc.gateway = True
    return reply(call.action, {"return": True})


def describe_images(_: FakeCloud, estate: Estate, call: Call) -> Reply:
    """Images by id, owner and filters."""
    ids, owners = call.params.texts("ImageIds"), call.params.texts("Owners")
    missing = [one for one in ids if one not in estate.images]
    if missing:
        text = f"The image id '[{missing[0]}]' does not exist"
        raise Refusal("InvalidAMIID.NotFound", text)
    passes = matching(filters_of(call), IMAGES.readers, lambda _one: {})

    def asked(one: Image) -> bool:
        mine = (not ids or one.id in ids) and (not owners or one.owner in {*owners, "amazon"})
        return mine and passes(one)

    found = [shown.image(estate, one) for one in estate.images.values() if asked(one)]
    return reply(call.action, {"imagesSet": [Ready(one) for one in found]})


def offerings(_: FakeCloud, estate: Estate, call: Call) -> Reply:
    """Types by zone or region."""
    location = call.params.text("LocationType") or "region"
    zonal = location == "availability-zone"
    places = estate.zones if zonal else [estate.region]
    passes = matching(filters_of(call), _OFFERED, lambda _one: {})
    pairs = ((k, p) for p in places for k in sorted(offered(estate.region, p if zonal else "")))
    found = [
        {"instanceType": kind, "locationType": location, "location": place}
        for kind, place in pairs
        if passes((kind, place))
    ]
    return reply(call.action, {"instanceTypeOfferingSet": found})


_OFFERED: Readers = {
    "instance-type": lambda one: (one[0],),
    "location": lambda one: (one[1],),
}


def describe_key_pairs(_: FakeCloud, estate: Estate, call: Call) -> Reply:  # noqa: ARG001
    """None: nothing here makes any."""
    return reply(call.action, {"keySet": []})


def tag(_: FakeCloud, estate: Estate, call: Call) -> Reply:
    tags = {t.text("Key"): t.text("Value") for t in call.params.structs("Tags")}
    for resource_id in call.params.texts("Resources"):
        _kind(resource_id)
        estate.tags.put(resource_id, tags)
        estate.touch(resource_id)
    return reply(call.action, {"return": True})


def untag(_: FakeCloud, estate: Estate, call: Call) -> Reply:
    for resource_id in call.params.texts("Resources"):
        _kind(resource_id)
        for one in call.params.structs("Tags"):
            value = one.text("Value") if "Value" in one else None
            estate.tags.take(resource_id, one.text("Key"), value)
        estate.touch(resource_id)
    return reply(call.action, {"return": True})


def _kind(resource_id: str) -> None:
    if resource_id.partition("-")[0] not in NOT_FOUND:
        raise Refusal("InvalidID", f"The ID '{resource_id}' is not valid")


def create_volume(cloud: FakeCloud, estate: Estate, call: Call) -> Reply:
    """A volume of its own: what somebody left behind."""
    zone = call.params.text("AvailabilityZone")
    if zone not in estate.zones:
        raise Refusal("InvalidZone.NotFound", f"The zone '{zone}' does not exist.")
    made = Volume(
        id=estate.new_id("vol"),
        number=estate.next(),
        size=call.params.number("Size") or 1,
        type=call.params.text("VolumeType") or "gp2",
        zone=zone,
        encrypted=call.params.flag("Encrypted"),
        created=cloud.clock(),
    )
    estate.volumes[made.id] = made
    for spec in call.params.structs("TagSpecifications"):
        estate.tags.put(made.id, {t.text("Key"): t.text("Value") for t in spec.structs("Tags")})
    values = {"volumeId": made.id, "size": made.size, "availabilityZone": zone}
    return reply(call.action, {**values, "status": shown.volume_state(made)})


def delete_volume(_: FakeCloud, estate: Estate, call: Call) -> Reply:
    volume_id = call.params.text("VolumeId")
    volume = estate.volumes.get(volume_id)
    if volume is None:
        raise Refusal("InvalidVolume.NotFound", f"The volume '{volume_id}' does not exist.")
    if volume.instance_id:
        text = f"Volume {volume_id} is currently attached to {volume.instance_id}"
        raise Refusal("VolumeInUse", text)
    estate.drop_volume(volume_id)
    return reply(call.action, {"return": True})
