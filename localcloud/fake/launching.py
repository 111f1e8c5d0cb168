"""Machines: launched, stopped, started, ended."""

from __future__ import annotations

from localcloud.fake import shown
from localcloud.fake.cloud import FakeCloud
from localcloud.fake.estate import Estate
from localcloud.fake.things import Instance, Interface, Subnet, Volume
from localcloud.fake.xml import items, reply
from localcloud.strict.call import Call, Params, Refusal, Reply
from localcloud.strict.life import State
from localcloud.strict.rules.ids import not_found
from localcloud.strict.rules.lifetimes import ENDED

_GIB = 8
_NO_ROOM = "The specified subnet does not have enough free addresses to satisfy the request."


_KNOWN = frozenset(
    {
        "BlockDeviceMappings",
        "ClientToken",
        "DryRun",
        "ImageId",
        "InstanceType",
        "MaxCount",
        "MetadataOptions",
        "MinCount",
        "NetworkInterfaces",
        "Placement",
        "SecurityGroupIds",
        "SubnetId",
        "TagSpecifications",
        "UserData",
    }
)
_KNOWN_OF_INTERFACE = frozenset(
    {"AssociatePublicIpAddress", "DeleteOnTermination", "DeviceIndex", "Groups", "SubnetId"}
)


def _refuse_unknown(params: Params) -> None:
    """What would be passed over is refused: a test must not build on it."""
    asked = params.structs("NetworkInterfaces")
    unknown = set(params.values) - _KNOWN
    unknown |= {name for one in asked for name in one.values} - _KNOWN_OF_INTERFACE
    if len(asked) > 1 or any(one.values.get("DeleteOnTermination") is False for one in asked):
        unknown.add("NetworkInterfaces")
    if unknown:
        text = f"RunInstances with {', '.join(sorted(unknown))} is not simulated here"
        raise Refusal("UnsupportedOperation", text)


def run(cloud: FakeCloud, estate: Estate, call: Call) -> Reply:
    """All of a launch or none of it."""
    again = call.params.text("again")
    if not again:
        again = _make(cloud, estate, call)
    instances = [one for one in estate.reservations[again] if one.id in estate.instances]
    parts = [shown.instance(estate, one) for one in instances]
    values: dict[str, object] = {
        "reservationId": again,
        "ownerId": estate.account,
        "groupSet": [],
        "instancesSet": items(parts),
    }
    return reply(call.action, values)


def _make(cloud: FakeCloud, estate: Estate, call: Call) -> str:
    _refuse_unknown(call.params)
    interface = next(iter(call.params.structs("NetworkInterfaces")), call.params)
    subnet = estate.subnets.get(interface.text("SubnetId"))
    if subnet is None:
        text = f"The subnet ID '{interface.text('SubnetId')}' does not exist"
        raise Refusal("InvalidSubnetID.NotFound", text)
    reservation = estate.new_id("r")
    made = [
        _instance(cloud, estate, call, reservation, subnet)
        for _ in range(call.params.number("MinCount") or 1)
    ]
    estate.reservations[reservation] = made
    return reservation


def _instance(
    cloud: FakeCloud, estate: Estate, call: Call, reservation: str, subnet: Subnet
) -> Instance:
    private_ip = estate.take_address(subnet)
    if not private_ip:
        raise Refusal("InsufficientFreeAddressesInSubnet", _NO_ROOM)
    params, tags = call.params, _tags(call)
    one = Instance(
        id=estate.new_id("i"),
        number=estate.next(),
        reservation=reservation,
        image_id=params.text("ImageId"),
        instance_type=params.text("InstanceType") or "m1.small",
        availability_zone=subnet.availability_zone,
        client_token=params.text("ClientToken"),
        launched=cloud.clock(),
        state=State.PENDING,
        interface=None,
        volumes={},
        metadata=_metadata(params.struct("MetadataOptions")),
        root_device=estate.images[params.text("ImageId")].root_device_name,
    )
    one.interface = _interface(cloud, estate, call, one, subnet, private_ip)
    for mapping in params.structs("BlockDeviceMappings") or (_root(one),):
        _volume(cloud, estate, one, mapping)
    estate.instances[one.id] = one
    estate.by_token.setdefault(one.client_token, {})[one.id] = None
    for kind, ids in (
        ("instance", [one.id]),
        ("volume", one.volumes.values()),
        ("network-interface", [one.interface.id]),
    ):
        for resource_id in ids:
            estate.tags.put(resource_id, tags.get(kind, {}))
    cloud.begin(estate, one, State.PENDING)
    return one


def _interface(
    cloud: FakeCloud,
    estate: Estate,
    call: Call,
    one: Instance,
    subnet: Subnet,
    private_ip: str,
) -> Interface:
    asked = next(iter(call.params.structs("NetworkInterfaces")), None)
    groups = asked.texts("Groups") if asked else call.params.texts("SecurityGroupIds")
    public = asked.values.get("AssociatePublicIpAddress") if asked else None
    made = Interface(
        id=estate.new_id("eni"),
        number=estate.next(),
        subnet_id=subnet.id,
        vpc_id=subnet.vpc_id,
        zone=subnet.availability_zone,
        private_ip=private_ip,
        group_ids=groups or _default_group(estate, subnet.vpc_id),
        instance_id=one.id,
        wants_public=subnet.is_default if public is None else public is True,
    )
    if made.wants_public:
        made.public_ip = cloud.take_public()
    estate.hold(made)
    return made


def _default_group(estate: Estate, vpc_id: str) -> tuple[str, ...]:
    found = (g.id for g in estate.groups.values() if g.vpc_id == vpc_id and g.name == "default")
    return tuple(found)


def _root(one: Instance) -> Params:
    ebs = {"VolumeSize": _GIB, "DeleteOnTermination": True}
    return Params({"DeviceName": one.root_device, "Ebs": ebs})


def _volume(cloud: FakeCloud, estate: Estate, one: Instance, mapping: Params) -> None:
    ebs = mapping.struct("Ebs")
    made = Volume(
        id=estate.new_id("vol"),
        number=estate.next(),
        size=ebs.number("VolumeSize") or _GIB,
        type=ebs.text("VolumeType") or "gp2",
        zone=one.availability_zone,
        encrypted=ebs.flag("Encrypted"),
        created=cloud.clock(),
        instance_id=one.id,
        device=mapping.text("DeviceName"),
        ends_with_instance=ebs.values.get("DeleteOnTermination") is not False,
    )
    estate.volumes[made.id] = made
    one.volumes[made.device] = made.id


def _metadata(asked: Params) -> dict[str, object]:
    return {
        "state": "applied",
        "httpTokens": asked.text("HttpTokens") or "optional",
        "httpPutResponseHopLimit": asked.number("HttpPutResponseHopLimit") or 1,
        "httpEndpoint": asked.text("HttpEndpoint") or "enabled",
        "httpProtocolIpv6": "disabled",
        "instanceMetadataTags": asked.text("InstanceMetadataTags") or "disabled",
    }


def _tags(call: Call) -> dict[str, dict[str, str]]:
    """Tags by kind of resource."""
    return {
        spec.text("ResourceType"): {t.text("Key"): t.text("Value") for t in spec.structs("Tags")}
        for spec in call.params.structs("TagSpecifications")
    }


# -- power ----------------------------------------------------------------------------------


def _named(estate: Estate, call: Call) -> list[Instance]:
    """The instances a call names, each once, or a refusal that names the unknown ones."""
    ids = tuple(dict.fromkeys(call.params.texts("InstanceIds")))
    missing = [one for one in ids if one not in estate.instances]
    if missing:
        raise not_found(missing)
    return [estate.instances[one] for one in ids]


def _changes(call: Call, before: list[tuple[Instance, State]]) -> Reply:
    changed = [
        {
            "instanceId": one.id,
            "currentState": shown.state(one.state),
            "previousState": shown.state(was),
        }
        for one, was in before
    ]
    return reply(call.action, {"instancesSet": changed})


_STILL = {
    State.SHUTTING_DOWN: ENDED,
    State.STOPPING: frozenset({State.STOPPED, State.STOPPING}),
    State.PENDING: frozenset({State.RUNNING, State.PENDING}),
}
"""States in which an action changes nothing."""


def _each(cloud: FakeCloud, estate: Estate, call: Call, target: State) -> Reply:
    named = _named(estate, call)
    before = [(one, one.state) for one in named]
    for one in named:
        if one.state in _STILL[target]:
            continue
        if target is State.SHUTTING_DOWN:
            cloud.let_go(estate, one)
        elif one.interface is not None and not one.interface.allocation_id:
            _move_public(cloud, one.interface, target)
        cloud.begin(estate, one, target)
    return _changes(call, before)


def _move_public(cloud: FakeCloud, interface: Interface, target: State) -> None:
    """An address that is not elastic goes when a machine stops; a new one comes at start."""
    if target is State.STOPPING:
        cloud.drop_public(interface)
    elif interface.wants_public:
        interface.public_ip = cloud.take_public()


def terminate(cloud: FakeCloud, estate: Estate, call: Call) -> Reply:
    answer = _each(cloud, estate, call, State.SHUTTING_DOWN)
    for one in _named(estate, call):
        one.reason, one.shown = "Client.UserInitiatedShutdown", ""
    return answer


def stop(cloud: FakeCloud, estate: Estate, call: Call) -> Reply:
    return _each(cloud, estate, call, State.STOPPING)


def start(cloud: FakeCloud, estate: Estate, call: Call) -> Reply:
    return _each(cloud, estate, call, State.PENDING)


def reboot(_: FakeCloud, estate: Estate, call: Call) -> Reply:
    """No state shows it; the rule before this one notes who shall."""
    _named(estate, call)
    return reply(call.action, {"return": True})
