"""What EC2 has left, and how much of it an account may run."""

from __future__ import annotations

import fnmatch
from collections.abc import Collection
from typing import Any

from localcloud.strict.call import Call, Refusal, Reply
from localcloud.strict.cloud import Cloud
from localcloud.strict.life import State
from localcloud.strict.rule import Rule

_STARTING = frozenset({"RunInstances", "StartInstances"})
_COUNTED = frozenset({State.PENDING, State.RUNNING})
_STANDARD = frozenset("acdhimrtz")
_SPECIAL = ("dl", "hpc", "inf", "mac", "trn")


def capacity_verdict(kind: str, zone: str, full: Collection[str]) -> Refusal | None:
    """Is there room for the type in the zone? `full` holds patterns `type@zone`."""
    if not any(fnmatch.fnmatchcase(f"{kind}@{zone}", pattern) for pattern in full):
        return None
    text = (
        f"We currently do not have sufficient {kind} capacity in the Availability Zone you "
        f"requested ({zone}). Our system will be working on provisioning additional capacity."
    )
    return Refusal("InsufficientInstanceCapacity", text, 500)


def quota_verdict(running: int, wanted: int, quota: int) -> Refusal | None:
    """May `wanted` vCPUs join those running? A quota of 0 is no quota."""
    if not quota or running + wanted <= quota:
        return None
    text = (
        f"You have requested more vCPU capacity than your current vCPU limit of {quota} allows "
        "for the instance bucket that the specified instance type belongs to."
    )
    return Refusal("VcpuLimitExceeded", text)


def is_standard(kind: str) -> bool:
    """Whether a type counts to the quota of standard instances (A, C, D, H, I, M, R, T, Z)."""
    return kind[:1] in _STANDARD and not kind.startswith(_SPECIAL)


def vcpus(kind: str) -> int:
    """How many vCPUs a type has; 0 when it is unknown."""
    from moto.ec2.models.instance_types import INSTANCE_TYPES

    known: dict[str, Any] = INSTANCE_TYPES.get(kind, {})
    return int(known.get("VCpuInfo", {}).get("DefaultVCpus", 0))


def _wanted(call: Call, cloud: Cloud) -> list[tuple[str, str]]:
    """(type, zone) of every instance a call would set running."""
    if call.action == "StartInstances":
        found = (cloud.instance(i) for i in call.params.texts("InstanceIds"))
        down = [i for i in found if i is not None and i.state == State.STOPPED]
        return [(str(i.instance_type), str(i.availability_zone)) for i in down]
    zone = cloud.zone_of(call) or cloud.default_zone(call)
    count = call.params.number("MaxCount") or 1
    return [(call.params.text("InstanceType"), zone)] * count


class Capacity(Rule):
    """Launching or starting a type in a zone that the knob `full` names is refused, as a whole."""

    name = "capacity"
    document = (
        "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/troubleshooting-launch-capacity.html"
    )
    actions = _STARTING

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:
        if not cloud.knobs.full or call.dry:
            return call
        for kind, zone in dict.fromkeys(_wanted(call, cloud)):
            refusal = capacity_verdict(kind, zone, cloud.knobs.full)
            if refusal is not None:
                raise refusal
        return call


class VcpuQuota(Rule):
    """Running standard instances have at most the vCPUs of the knob `vcpu_quota`."""

    name = "vcpu-quota"
    document = "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-on-demand-instances.html"
    actions = _STARTING

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:
        quota = cloud.knobs.vcpu_quota
        if not quota or call.dry:
            return call
        running = sum(
            vcpus(str(i.instance_type))
            for i in cloud.backend(call).all_instances()
            if i.state in _COUNTED and is_standard(str(i.instance_type))
        )
        wanted = sum(vcpus(kind) for kind, _ in _wanted(call, cloud) if is_standard(kind))
        refusal = quota_verdict(running, wanted, quota)
        if refusal is not None:
            raise refusal
        return call
