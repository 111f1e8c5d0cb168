"""Resource ids must look like ids."""

from __future__ import annotations

import re
from collections.abc import Sequence

from localcloud.strict.call import Call, Refusal, Reply, walk
from localcloud.strict.cloud import Cloud
from localcloud.strict.rule import EVERY, Rule

_SHAPE = re.compile(r"(?:[0-9a-f]{8}|[0-9a-f]{17})")
_KINDS = {
    "InstanceId": ("i-", "InvalidInstanceID.Malformed"),
    "InstanceIds": ("i-", "InvalidInstanceID.Malformed"),
    "GroupId": ("sg-", "InvalidGroupId.Malformed"),
    "GroupIds": ("sg-", "InvalidGroupId.Malformed"),
    "SecurityGroupIds": ("sg-", "InvalidGroupId.Malformed"),
    "VolumeId": ("vol-", "InvalidVolumeID.Malformed"),
    "VolumeIds": ("vol-", "InvalidVolumeID.Malformed"),
    "ImageId": ("ami-", "InvalidAMIID.Malformed"),
    "ImageIds": ("ami-", "InvalidAMIID.Malformed"),
    "NetworkInterfaceId": ("eni-", "InvalidNetworkInterfaceId.Malformed"),
    "NetworkInterfaceIds": ("eni-", "InvalidNetworkInterfaceId.Malformed"),
    "SecurityGroupRuleIds": ("sgr-", "InvalidSecurityGroupRuleId.Malformed"),
    "SubnetIds": ("subnet-", "InvalidSubnetID.Malformed"),
    "VpcId": ("vpc-", "InvalidVpcID.Malformed"),
    "VpcIds": ("vpc-", "InvalidVpcID.Malformed"),
    "SnapshotIds": ("snap-", "InvalidSnapshotID.Malformed"),
    "VpcPeeringConnectionId": ("pcx-", "InvalidVpcPeeringConnectionId.Malformed"),
}


def id_verdict(parameter: str, value: str) -> Refusal | None:
    """May `value` stand under `parameter`?"""
    if parameter not in _KINDS:
        return None
    prefix, code = _KINDS[parameter]
    if value.startswith(prefix) and _SHAPE.fullmatch(value.removeprefix(prefix)):
        return None
    return Refusal(code, f'Invalid id: "{value}" (expecting "{prefix}...")')


class MalformedIds(Rule):
    """An id of the wrong shape is Malformed, not NotFound."""

    name = "malformed-ids"
    document = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html"
    actions = EVERY

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:
        for parameter, value in walk(call.params.values):
            refusal = id_verdict(parameter, str(value))
            if refusal is not None and cloud.exists(call, str(value)) is not True:
                raise refusal
        return call


def not_found(missing: Sequence[str]) -> Refusal:
    """EC2 names every unknown instance of a call."""
    what, verb = ("ID", "does") if len(missing) == 1 else ("IDs", "do")
    text = f"The instance {what} '{', '.join(missing)}' {verb} not exist"
    return Refusal("InvalidInstanceID.NotFound", text)


class UnknownInstances(Rule):
    """A call with unknown instances is refused whole, and every one of them is named."""

    name = "unknown-instances"
    document = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html"
    actions = frozenset(
        {"DescribeInstances", "StartInstances", "StopInstances", "TerminateInstances"}
    )

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:
        wanted = dict.fromkeys(call.params.texts("InstanceIds"))
        known = {i.id for i in cloud.backend(call).all_instances()} if wanted else set()
        missing = [one for one in wanted if one not in known]
        if missing:
            raise not_found(missing)
        return call
