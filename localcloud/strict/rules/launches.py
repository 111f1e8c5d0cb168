"""What a launch may name: types, images, keys, counts, user data. Pure verdicts, thin rules."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection
from functools import cache
from typing import Any

from localcloud.strict.call import Call, Refusal, Reply
from localcloud.strict.cloud import Cloud
from localcloud.strict.rule import Rule

_RUN = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html"
USER_DATA_BYTES = 16384


def count_verdict(least: int | None, most: int | None) -> Refusal | None:
    """At least one, and never fewer at most than at least."""
    if least is None or most is None:
        return Refusal("MissingParameter", "The request must contain MinCount and MaxCount")
    if least < 1 or most < 1:
        return Refusal("InvalidParameterValue", "MinCount and MaxCount must be at least 1")
    if most < least:
        text = f"Value ({most}) for maxCount is invalid: it is less than minCount ({least})."
        return Refusal("InvalidParameterValue", text)
    return None


def type_verdict(
    wanted: str, known: Collection[str], offered: Collection[str], where: str
) -> Refusal | None:
    """The type must exist, and be offered where the launch goes."""
    if not wanted or (wanted in known and wanted in offered):
        return None
    if wanted not in known:
        text = f"Invalid value '{wanted}' for InstanceType."
        return Refusal("InvalidParameterValue", text)
    text = f"Your requested instance type ({wanted}) is not supported in {where}."
    return Refusal("Unsupported", text)


def user_data_verdict(encoded: str) -> Refusal | None:
    """User data is base64 and at most 16 KiB before it is encoded."""
    try:
        size = len(base64.b64decode(encoded, validate=True))
    except (binascii.Error, ValueError):
        text = "Invalid BASE64 encoding of user data."
        return Refusal("InvalidUserData.Malformed", text)
    if size <= USER_DATA_BYTES:
        return None
    text = f"User data is limited to {USER_DATA_BYTES} bytes; got {size}"
    return Refusal("InvalidParameterValue", text)


@cache
def offered(region: str, zone: str) -> frozenset[str]:
    """Types to be had in a zone, or anywhere in the region when none is named."""
    from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS

    place = "availability-zone" if zone else "region"
    found = INSTANCE_TYPE_OFFERINGS[place].get(region)
    if not found:  # moto ships no list for the regions of China and the government
        return frozenset(_known())
    return frozenset(o["InstanceType"] for o in found if not zone or o["Location"] == zone)


def _known() -> dict[str, Any]:
    from moto.ec2.models.instance_types import INSTANCE_TYPES

    known: dict[str, Any] = INSTANCE_TYPES
    return known


class LaunchCounts(Rule):
    """MaxCount below MinCount is refused; as many as MaxCount are launched."""

    name = "launch-counts"
    document = _RUN
    actions = frozenset({"RunInstances"})

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:  # noqa: ARG002
        least, most = call.params.number("MinCount"), call.params.number("MaxCount")
        refusal = count_verdict(least, most)
        if refusal is not None:
            raise refusal
        return call.altered(MinCount=most)


class InstanceTypes(Rule):
    """Unknown instance types are refused, and types not offered in the zone."""

    name = "instance-types"
    document = _RUN
    actions = frozenset({"RunInstances"})

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:
        zone = cloud.zone_of(call)
        where = f"Availability Zone {zone}" if zone else f"region {call.region}"
        wanted = call.params.text("InstanceType")
        refusal = type_verdict(wanted, _known(), offered(call.region, zone), where)
        if refusal is not None:
            raise refusal
        return call


class Images(Rule):
    """The image must exist and be of an architecture the type has."""

    name = "images"
    document = _RUN
    actions = frozenset({"RunInstances"})

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:
        wanted = call.params.text("ImageId")
        if not wanted:
            if "LaunchTemplate" in call.params:
                return call
            raise Refusal("MissingParameter", "The request must contain the parameter ImageId")
        image = cloud.image(call, wanted)
        if image is None:
            raise Refusal("InvalidAMIID.NotFound", f"The image id '[{wanted}]' does not exist")
        kind = _known().get(call.params.text("InstanceType"), {})
        can = kind.get("ProcessorInfo", {}).get("SupportedArchitectures", [image.architecture])
        if image.architecture not in can:
            text = (
                f"The architecture '{image.architecture}' of the specified AMI does not match "
                f"the architecture '{can[0]}' of the specified instance type."
            )
            raise Refusal("InvalidParameterValue", text)
        return call


class LaunchKeys(Rule):
    """The key pair must exist."""

    name = "launch-keys"
    document = _RUN
    actions = frozenset({"RunInstances"})

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:
        wanted = call.params.text("KeyName")
        if wanted and wanted not in cloud.backend(call).key_pairs:
            raise Refusal("InvalidKeyPair.NotFound", f"The key pair '{wanted}' does not exist")
        return call


class UserData(Rule):
    """User data is base64 and at most 16 KiB."""

    name = "user-data"
    document = "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html"
    actions = frozenset({"RunInstances"})

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:  # noqa: ARG002
        refusal = user_data_verdict(call.params.text("UserData"))
        if refusal is not None:
            raise refusal
        return call
