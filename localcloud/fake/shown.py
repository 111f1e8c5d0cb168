"""What EC2 shows of each thing, as XML: a thing and its tags in, elements out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import assert_never

from localcloud.fake.estate import Estate
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
from localcloud.fake.xml import Ready, moment, xml
from localcloud.strict.life import CODES, State
from localcloud.strict.rules.addresses import private_name, public_name
from localcloud.strict.rules.permissions import Peer, Permission

_REASONS = {
    "Client.UserInitiatedShutdown": "Client.UserInitiatedShutdown: User initiated shutdown",
}


def tag_set(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]


def state(value: State) -> dict[str, object]:
    return {"code": CODES[value], "name": str(value)}


def _group_set(estate: Estate, ids: tuple[str, ...]) -> list[dict[str, str]]:
    found = [estate.groups[i] for i in ids if i in estate.groups]
    return [{"groupId": g.id, "groupName": g.name} for g in found]


def instance(estate: Estate, one: Instance) -> str:
    """The instance as it is now; kept until it changes."""
    if not one.shown:
        one.shown = xml(_instance(estate, one))
    return one.shown


def _instance(estate: Estate, one: Instance) -> dict[str, object]:
    architecture = estate.images[one.image_id].architecture
    return {
        "instanceId": one.id,
        "imageId": one.image_id,
        "instanceState": state(one.state),
        "privateDnsName": _private(estate, one.interface),
        "dnsName": _public(estate, one),
        "reason": "",
        "amiLaunchIndex": 0,
        "productCodes": [],
        "instanceType": one.instance_type,
        "launchTime": moment(one.launched),
        "placement": {
            "availabilityZone": one.availability_zone,
            "groupName": "",
            "tenancy": "default",
        },
        "monitoring": {"state": "disabled"},
        **_network(estate, one),
        "stateReason": _reason(one.reason),
        "architecture": architecture,
        "rootDeviceType": "ebs",
        "rootDeviceName": one.root_device,
        "blockDeviceMapping": [_disk(estate, d, v, one) for d, v in one.volumes.items()],
        "virtualizationType": "hvm",
        "clientToken": one.client_token,
        "tagSet": tag_set(estate.tags.of(one.id)),
        "hypervisor": "xen",
        "ebsOptimized": False,
        "metadataOptions": one.metadata,
    }


def _reason(code: str) -> dict[str, str] | None:
    text = _REASONS.get(code, f"{code}: the instance did not start")
    return {"code": code, "message": text} if code else None


def _private(estate: Estate, held: Interface | None) -> str:
    return private_name(held.private_ip, estate.region) if held else ""


def _public(estate: Estate, one: Instance) -> str:
    held = one.interface
    if held is None or not held.public_ip or one.state != State.RUNNING:
        return ""
    named = estate.vpcs[held.vpc_id].dns_names
    return public_name(held.public_ip, estate.region) if named else ""


def _network(estate: Estate, one: Instance) -> dict[str, object]:
    held = one.interface
    if held is None:
        return {"groupSet": [], "networkInterfaceSet": []}
    shown = {k: v for k, v in _interface(estate, held).items() if k != "tagSet"}
    return {
        "subnetId": held.subnet_id,
        "vpcId": held.vpc_id,
        "privateIpAddress": held.private_ip,
        "ipAddress": held.public_ip or None,
        "sourceDestCheck": True,
        "groupSet": _group_set(estate, held.group_ids),
        "networkInterfaceSet": [shown],
    }


def _disk(estate: Estate, device: str, volume_id: str, one: Instance) -> dict[str, object]:
    volume = estate.volumes.get(volume_id)
    ends = volume is not None and volume.ends_with_instance
    ebs = {
        "volumeId": volume_id,
        "status": "attached",
        "attachTime": moment(one.launched),
        "deleteOnTermination": ends,
    }
    return {"deviceName": device, "ebs": ebs}


def reservation(estate: Estate, reservation_id: str, instances: list[Instance]) -> str:
    """A reservation with those of its instances that are asked for."""
    inner = "".join(f"<item>{instance(estate, one)}</item>" for one in instances)
    return xml(
        {
            "reservationId": reservation_id,
            "ownerId": estate.account,
            "groupSet": [],
            "instancesSet": Ready(inner),
        }
    )


def interface(estate: Estate, one: Interface) -> str:
    return xml(_interface(estate, one))


def _interface(estate: Estate, one: Interface) -> dict[str, object]:
    association: dict[str, object] | None = None
    if one.public_ip:
        named = estate.vpcs[one.vpc_id].dns_names
        association = {
            "publicIp": one.public_ip,
            "publicDnsName": public_name(one.public_ip, estate.region) if named else "",
            "ipOwnerId": estate.account,
            "allocationId": one.allocation_id or None,
        }
    return {
        "networkInterfaceId": one.id,
        "subnetId": one.subnet_id,
        "vpcId": one.vpc_id,
        "availabilityZone": one.zone,
        "ownerId": estate.account,
        "status": "in-use",
        "privateIpAddress": one.private_ip,
        "privateDnsName": _private(estate, one) if estate.vpcs[one.vpc_id].dns_names else None,
        "groupSet": _group_set(estate, one.group_ids),
        "attachment": {
            "attachmentId": one.id.replace("eni-", "eni-attach-"),
            "instanceId": one.instance_id,
            "deviceIndex": 0,
            "status": "attached",
            "deleteOnTermination": True,
        },
        "association": association,
        "tagSet": tag_set(estate.tags.of(one.id)),
    }


def volume(estate: Estate, one: Volume) -> str:
    attached = {
        "volumeId": one.id,
        "instanceId": one.instance_id,
        "device": one.device,
        "status": "attached",
        "deleteOnTermination": one.ends_with_instance,
    }
    return xml(
        {
            "volumeId": one.id,
            "size": one.size,
            "availabilityZone": one.zone,
            "status": volume_state(one),
            "createTime": moment(one.created),
            "attachmentSet": [attached] if one.instance_id else [],
            "tagSet": tag_set(estate.tags.of(one.id)),
            "volumeType": one.type,
            "encrypted": one.encrypted,
        }
    )


def volume_state(one: Volume) -> str:
    return "in-use" if one.instance_id else "available"


def address(estate: Estate, one: Address) -> str:
    held = one.eni
    return xml(
        {
            "publicIp": one.public_ip,
            "allocationId": one.allocation_id,
            "domain": "vpc",
            "associationId": one.association_id or None,
            "instanceId": held.instance_id if held else None,
            "networkInterfaceId": held.id if held else None,
            "networkInterfaceOwnerId": estate.account if held else None,
            "privateIpAddress": held.private_ip if held else None,
            "tagSet": tag_set(estate.tags.of(one.id)),
        }
    )


def group(estate: Estate, one: Group) -> str:
    return xml(
        {
            "ownerId": estate.account,
            "groupId": one.id,
            "groupName": one.name,
            "groupDescription": one.description,
            "vpcId": one.vpc_id,
            "ipPermissions": _permissions(estate, one.ingress.values()),
            "ipPermissionsEgress": _permissions(estate, one.egress.values()),
            "tagSet": tag_set(estate.tags.of(one.id)),
        }
    )


_LISTS = ("groups", "ipRanges", "ipv6Ranges", "prefixListIds")


def _permissions(estate: Estate, rules: Iterable[GroupRule]) -> list[dict[str, object]]:
    """Rules of the same protocol and ports are one permission."""
    found: dict[tuple[object, ...], dict[str, list[object]]] = {}
    for rule in rules:
        one = rule.permission
        lists = found.setdefault((one.protocol, one.low, one.high), {name: [] for name in _LISTS})
        name, entry = _peer(estate, one)
        lists[name].append({**entry, "description": rule.description or None})
    return [
        {"ipProtocol": protocol, "fromPort": low, "toPort": high, **lists}
        for (protocol, low, high), lists in found.items()
    ]


def _peer(estate: Estate, one: Permission) -> tuple[str, dict[str, str]]:
    """The list a peer stands in, and its entry."""
    match one.peer:
        case Peer.IPV4:
            return "ipRanges", {"cidrIp": one.value}
        case Peer.IPV6:
            return "ipv6Ranges", {"cidrIpv6": one.value}
        case Peer.GROUP:
            return "groups", {"userId": estate.account, "groupId": one.value}
        case Peer.LIST:
            return "prefixListIds", {"prefixListId": one.value}
        case _ as never:
            assert_never(never)


def group_rule(estate: Estate, group_id: str, one: GroupRule, *, egress: bool) -> str:
    rule = one.permission
    named: dict[Peer, dict[str, object]] = {
        Peer.IPV4: {"cidrIpv4": rule.value},
        Peer.IPV6: {"cidrIpv6": rule.value},
        Peer.LIST: {"prefixListId": rule.value},
        Peer.GROUP: {"referencedGroupInfo": {"groupId": rule.value, "userId": estate.account}},
    }
    return xml(
        {
            "securityGroupRuleId": one.id,
            "groupId": group_id,
            "groupOwnerId": estate.account,
            "isEgress": egress,
            "ipProtocol": rule.protocol,
            "fromPort": -1 if rule.low is None else rule.low,
            "toPort": -1 if rule.high is None else rule.high,
            **named[rule.peer],
            "description": one.description or None,
            "tagSet": tag_set(estate.tags.of(one.id)),
        }
    )


def subnet(estate: Estate, one: Subnet) -> str:
    return xml(
        {
            "subnetId": one.id,
            "state": "available",
            "vpcId": one.vpc_id,
            "cidrBlock": one.cidr,
            "availabilityZone": one.availability_zone,
            "defaultForAz": one.is_default,
            "mapPublicIpOnLaunch": one.is_default,
            "ownerId": estate.account,
            "tagSet": tag_set(estate.tags.of(one.id)),
        }
    )


def vpc(estate: Estate, one: Vpc) -> str:
    return xml(
        {
            "vpcId": one.id,
            "state": "available",
            "cidrBlock": one.cidr,
            "isDefault": one.is_default,
            "ownerId": estate.account,
            "tagSet": tag_set(estate.tags.of(one.id)),
        }
    )


def image(estate: Estate, one: Image) -> str:  # noqa: ARG001 - all shown alike
    return xml(
        {
            "imageId": one.id,
            "name": one.name,
            "imageOwnerId": one.owner,
            "imageState": "available",
            "architecture": one.architecture,
            "rootDeviceName": one.root_device_name,
            "rootDeviceType": "ebs",
            "virtualizationType": "hvm",
            "creationDate": one.created,
            "isPublic": True,
            "imageType": "machine",
        }
    )
