"""What an account holds. Plain records; `number` is the order in which they were made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from localcloud.strict import facts
from localcloud.strict.life import State
from localcloud.strict.rules.permissions import Permission


@dataclass(slots=True, eq=False)
class Vpc:
    id: str
    number: int
    cidr: str
    is_default: bool = False
    dns_names: bool = False
    gateway: bool = False


@dataclass(slots=True, eq=False)
class Subnet:
    id: str
    number: int
    vpc_id: str
    cidr: str
    availability_zone: str
    is_default: bool = False
    used: int = 4
    freed: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Image:
    id: str
    number: int
    name: str
    owner: str
    architecture: str
    root_device_name: str
    created: str


@dataclass(slots=True, eq=False)
class Volume:
    id: str
    number: int
    size: int
    type: str
    zone: str
    encrypted: bool
    created: float
    instance_id: str = ""
    device: str = ""
    ends_with_instance: bool = False


@dataclass(slots=True, eq=False)
class Interface:
    id: str
    number: int
    subnet_id: str
    vpc_id: str
    zone: str
    private_ip: str
    group_ids: tuple[str, ...]
    instance_id: str
    public_ip: str = ""
    wants_public: bool = False
    allocation_id: str = ""


@dataclass(slots=True, eq=False)
class Instance:
    """`shown` is the XML of its present state, made when first asked for; `turns` counts states."""

    id: str
    number: int
    reservation: str
    image_id: str
    instance_type: str
    availability_zone: str
    client_token: str
    launched: float
    state: State
    interface: Interface | None
    volumes: dict[str, str]
    metadata: Mapping[str, object]
    root_device: str
    reason: str = ""
    shown: str = ""
    turns: int = 0


@dataclass(frozen=True, slots=True)
class GroupRule:
    id: str
    permission: Permission
    description: str


@dataclass(slots=True, eq=False)
class Group:
    """`fact` is what strict rules see of it, until it changes."""

    id: str
    number: int
    name: str
    description: str
    vpc_id: str
    ingress: dict[str, GroupRule] = field(default_factory=dict)
    egress: dict[str, GroupRule] = field(default_factory=dict)
    fact: facts.Group | None = None


@dataclass(slots=True, eq=False)
class Address:
    """`association_id` is empty while nothing holds it."""

    allocation_id: str
    number: int
    public_ip: str
    association_id: str = ""
    eni: Interface | None = None

    @property
    def id(self) -> str:
        return self.allocation_id
