"""Volumes: how large, of what type, where attached. Pure verdicts, thin rules."""

from __future__ import annotations

from localcloud.strict.call import Call, Params, Refusal, Reply
from localcloud.strict.cloud import Cloud
from localcloud.strict.facts import Volume
from localcloud.strict.life import State
from localcloud.strict.rule import Rule

_API = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/"
SIZES = {
    "standard": (1, 1024),
    "gp2": (1, 16384),
    "gp3": (1, 65536),
    "io1": (4, 16384),
    "io2": (4, 65536),
    "st1": (125, 16384),
    "sc1": (125, 16384),
}
"""Smallest and largest size in GiB by volume type."""
DEFAULT_TYPE = "gp2"


def size_verdict(size: int | None, volume_type: str) -> Refusal | None:
    """A size must fit the type; None (from a snapshot) is not ours to judge."""
    limits = SIZES.get(volume_type or DEFAULT_TYPE)
    if limits is None:
        text = f"Unsupported volume type '{volume_type}' for volume creation."
        return Refusal("UnknownVolumeType", text)
    if size is None or limits[0] <= size <= limits[1]:
        return None
    said = "small; minimum is" if size < limits[0] else "large; maximum is"
    bound = limits[0] if size < limits[0] else limits[1]
    return Refusal("InvalidParameterValue", f"Volume of {size}GiB is too {said} {bound}GiB.")


def grow_verdict(volume: Volume, wanted: int | None) -> Refusal | None:
    """A volume never shrinks."""
    if wanted is None or wanted >= volume.size:
        return None
    text = f"New size cannot be smaller than existing size ({volume.size} GiB)"
    return Refusal("InvalidParameterValue", text)


def attach_verdict(
    volume: Volume, device: str, state: str, zone: str, devices: list[str]
) -> Refusal | None:
    """Attaching wants a free volume, a live instance in its zone and a free device name."""
    if volume.instance_id:
        text = f"{volume.id} is already attached to an instance"
        return Refusal("VolumeInUse", text)
    if state not in {State.RUNNING, State.STOPPED, State.STOPPING}:
        return Refusal("IncorrectState", f"Instance is not 'running': it is {state}.")
    if volume.zone != zone:
        text = f"The volume '{volume.id}' is not in the same availability zone as the instance"
        return Refusal("InvalidVolume.ZoneMismatch", text)
    if device in devices:
        text = f"Invalid value '{device}' for unixDevice. Attachment point is already in use"
        return Refusal("InvalidParameterValue", text)
    return None


def disks(call: Call) -> list[tuple[int | None, str]]:
    """(size, type) of every volume a call would make."""
    if call.action == "RunInstances":
        mappings = [m.struct("Ebs") for m in call.params.structs("BlockDeviceMappings")]
        wanted: list[Params] = [ebs for ebs in mappings if ebs.values]
        return [(ebs.number("VolumeSize"), ebs.text("VolumeType")) for ebs in wanted]
    return [(call.params.number("Size"), call.params.text("VolumeType"))]


class VolumeSizes(Rule):
    """Each volume type has its smallest and largest size; unknown types are refused."""

    name = "volume-sizes"
    document = _API + "API_CreateVolume.html"
    actions = frozenset({"CreateVolume", "RunInstances"})

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:  # noqa: ARG002
        for size, volume_type in disks(call):
            refusal = size_verdict(size, volume_type)
            if refusal is not None:
                raise refusal
        return call


class VolumeGrowth(Rule):
    """ModifyVolume never makes a volume smaller, nor larger than its type allows."""

    name = "volume-growth"
    document = _API + "API_ModifyVolume.html"
    actions = frozenset({"ModifyVolume"})

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:
        volume = cloud.volume(call, call.params.text("VolumeId"))
        if volume is None:
            return call
        wanted = call.params.number("Size")
        volume_type = call.params.text("VolumeType") or volume.type
        refusal = grow_verdict(volume, wanted) or size_verdict(wanted, volume_type)
        if refusal is not None:
            raise refusal
        return call


class Attaching(Rule):
    """AttachVolume is refused to ended instances, across zones, twice, or on a used device."""

    name = "attaching"
    document = _API + "API_AttachVolume.html"
    actions = frozenset({"AttachVolume"})

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:
        instance_id = call.params.text("InstanceId")
        volume = cloud.volume(call, call.params.text("VolumeId"))
        instance = cloud.backend(call).get_instance_by_id(instance_id)
        if volume is None or instance is None:
            return call
        refusal = attach_verdict(
            volume,
            call.params.text("Device"),
            str(instance.state),
            str(instance.availability_zone),
            cloud.devices_of(call, instance_id),
        )
        if refusal is not None:
            raise refusal
        return call


def detach_verdict(volume: Volume, state: str, root: str) -> Refusal | None:
    """Detaching wants an attached volume; the root of a live instance stays."""
    if not volume.instance_id:
        text = f"Volume '{volume.id}' is in the 'available' state."
        return Refusal("IncorrectState", text)
    if volume.device == root and state != State.STOPPED:
        text = f"Unable to detach root volume '{root}' from instance '{volume.instance_id}'"
        return Refusal("OperationNotPermitted", text)
    return None


class Detaching(Rule):
    """DetachVolume needs no more than the volume; free and root volumes are refused."""

    name = "detaching"
    document = _API + "API_DetachVolume.html"
    actions = frozenset({"DetachVolume"})

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:
        volume = cloud.volume(call, call.params.text("VolumeId"))
        if volume is None:
            return call
        instance = cloud.backend(call).get_instance_by_id(volume.instance_id)
        state, root = "", ""
        if instance is not None:
            state, root = str(instance.state), str(instance.root_device_name)
        refusal = detach_verdict(volume, state, root)
        if refusal is not None:
            raise refusal
        return call.altered(InstanceId=volume.instance_id, Device=volume.device)


class RootVolume(Rule):
    """A launch that maps other devices still gets the root volume of its image.

    A root mapping without DeleteOnTermination ends with the instance, as images say.
    """

    name = "root-volume"
    document = (
        "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/block-device-mapping-concepts.html"
    )
    actions = frozenset({"RunInstances"})
    _GIB = 8

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:
        image = cloud.image(call, call.params.text("ImageId"))
        mappings = [dict(m.values) for m in call.params.structs("BlockDeviceMappings")]
        if image is None or not mappings:
            return call
        root = str(image.root_device_name)
        for mapping in mappings:
            if mapping.get("DeviceName") == root and mapping.get("Ebs"):
                mapping["Ebs"] = {"DeleteOnTermination": True, **mapping["Ebs"]}
                mapping["Ebs"].setdefault("VolumeSize", self._GIB)
        if not any(mapping.get("DeviceName") == root for mapping in mappings):
            ebs = {"VolumeSize": self._GIB, "DeleteOnTermination": True}
            mappings.insert(0, {"DeviceName": root, "Ebs": ebs})
        return call.altered(BlockDeviceMappings=mappings)
