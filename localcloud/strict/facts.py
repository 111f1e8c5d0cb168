"""What rules need to know about the cloud, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from localcloud.strict.rules.permissions import Permission


@dataclass(frozen=True, slots=True)
class Group:
    """A security group; rules by rule id."""

    id: str
    name: str
    vpc_id: str
    is_default: bool
    in_default_vpc: bool
    ingress: Mapping[str, Permission]
    egress: Mapping[str, Permission]


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume; sizes in GiB. `device` is empty when it is not attached."""

    id: str
    size: int
    type: str
    zone: str
    instance_id: str
    device: str
