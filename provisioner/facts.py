"""What was observed in one turn, and what came of an action. Pure data, no opinion."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from provisioner.record import Group


class Machine(StrEnum):
    """Instance states of EC2 (API reference, InstanceState)."""

    PENDING = "pending"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    SHUTTING_DOWN = "shutting-down"
    TERMINATED = "terminated"


ENDED = frozenset({Machine.SHUTTING_DOWN, Machine.TERMINATED})


@dataclass(frozen=True, slots=True)
class InstanceFact:
    """One instance as EC2 shows it. `slot` and `attempt` come from our tags, -1 when absent.

    `data_volume` is what is attached where a launch puts the data volume.
    """

    instance_id: str
    machine: Machine
    token: str = ""
    reason: str = ""
    public_ip: str = ""
    private_ip: str = ""
    subnet_id: str = ""
    launched_at_ms: int = 0
    slot: int = -1
    attempt: int = -1
    data_volume: str = ""


@dataclass(frozen=True, slots=True)
class AddressFact:
    """One elastic address with our tags."""

    allocation_id: str
    public_ip: str
    association_id: str = ""


@dataclass(frozen=True, slots=True)
class VolumeFact:
    """One volume in use, with the machines it is attached to; none while it is being made."""

    volume_id: str
    attached: tuple[str, ...] = ()


class Answer(StrEnum):
    """What Milvus said over its own port."""

    SILENT = "silent"
    UNSECURED = "unsecured"  # the password it was born with still opens it
    ANSWERS = "answers"


@dataclass(frozen=True, slots=True)
class InstallFact:
    """Where the install of one machine stands; `tries` counts the runs begun."""

    running: bool
    ok: bool = False
    reason: str = ""
    description: str = ""
    step: str = ""
    done: int = 0
    total: int = 0
    tries: int = 1


@dataclass(frozen=True, slots=True)
class Place:
    """A subnet and the availability zone it lies in."""

    subnet_id: str
    zone: str


class Reach(StrEnum):
    """Which address of a machine the control plane talks to."""

    PUBLIC = "public"
    PRIVATE = "private"


@dataclass(frozen=True, slots=True)
class Lack:
    """Why nothing can be launched: EC2 does not have, or does not show, what a setting names."""

    reason: str
    description: str


@dataclass(frozen=True, slots=True)
class Site:
    """Where machines go and how they are met: settings, and what they name in EC2.

    `key_pair` names the login key, which user data plants; EC2 holds no key pair of ours. With a
    `lack` image, network or places may be empty.
    """

    install: str
    image_id: str
    vpc_id: str
    places: tuple[Place, ...]
    key_pair: str
    root_gib: int = 20
    reach: Reach = Reach.PUBLIC
    dns_suffix: str = "compute-1.amazonaws.com"
    root_device: str = "/dev/sda1"
    lack: Lack | None = None


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What still carries the cluster's tags; each part is looked for by tag, not by memory."""

    instances: tuple[InstanceFact, ...] = ()
    addresses: tuple[AddressFact, ...] = ()
    free_volumes: tuple[str, ...] = ()
    busy_volumes: tuple[VolumeFact, ...] = ()
    others: bool = True


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything seen in one turn for one cluster; what was not asked for is absent.

    `instances` by id; `launched` by token (only ids that nobody had written down yet);
    `installs`, `ssh`, `answers` by token; `hashes` are user-data hashes by token.
    """

    site: Site
    instances: Mapping[str, InstanceFact] = field(default_factory=dict)
    launched: Mapping[str, InstanceFact] = field(default_factory=dict)
    address: AddressFact | None = None
    installs: Mapping[str, InstallFact] = field(default_factory=dict)
    ssh: frozenset[str] = frozenset()
    answers: Mapping[str, Answer] = field(default_factory=dict)
    hashes: Mapping[str, str] = field(default_factory=dict)
    leftovers: Leftovers | None = None


@dataclass(frozen=True, slots=True)
class Allocated:
    address: AddressFact


@dataclass(frozen=True, slots=True)
class Grouped:
    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class Launched:
    instance: InstanceFact


@dataclass(frozen=True, slots=True)
class Associated:
    association_id: str


@dataclass(frozen=True, slots=True)
class Dropped:
    """What still stands of the groups, empty when all are gone."""

    remaining: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """It was asked for; whether it happened is seen by looking."""


Outcome = Allocated | Grouped | Launched | Associated | Dropped | Done
