"""What to do this turn. Frozen actions; doing them twice is harmless. Pure data."""

from dataclasses import dataclass

from provisioner.record import Intent, Record, Role


@dataclass(frozen=True, slots=True)
class Allocate:
    """Ask for an elastic address tagged as the cluster's."""


@dataclass(frozen=True, slots=True)
class EnsureGroups:
    vpc_id: str
    peers: bool


@dataclass(frozen=True, slots=True)
class Launch:
    """One RunInstances.

    `fresh`: reserved in this very turn, so that no earlier try can have made a machine.
    `overdue`: tried although its groups have been missing for longer than EC2 may need.
    """

    slot: int
    attempt: int
    role: Role
    intent: Intent
    fresh: bool = False
    overdue: bool = False


@dataclass(frozen=True, slots=True)
class Associate:
    allocation_id: str
    instance_id: str


@dataclass(frozen=True, slots=True)
class Install:
    """Start, or start again, the install of one machine; a running one is left alone.

    `data_volume` is the id of the volume Milvus' data belongs on; empty = EC2 did not tell.
    """

    slot: int
    token: str
    instance_id: str
    address: str
    role: Role
    data_gib: int
    data_volume: str = ""


@dataclass(frozen=True, slots=True)
class Secure:
    """Replace the root password that Milvus was born with."""

    token: str
    address: str


@dataclass(frozen=True, slots=True)
class Terminate:
    """End machines; installs on them are cancelled first."""

    instance_ids: tuple[str, ...]
    tokens: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CloseGroups:
    """Revoke every whitelist rule."""


@dataclass(frozen=True, slots=True)
class Release:
    allocation_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DeleteVolumes:
    volume_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DropGroups:
    last_cluster: bool


Action = (
    Allocate
    | EnsureGroups
    | Launch
    | Associate
    | Install
    | Secure
    | Terminate
    | CloseGroups
    | Release
    | DeleteVolumes
    | DropGroups
)


@dataclass(frozen=True, slots=True)
class Plan:
    """`record` is committed before the actions are done; `again_ms` is when to look again.

    `settled` gives the lease back until then; `gone` turns the record into a tombstone.
    """

    record: Record
    actions: tuple[Action, ...] = ()
    again_ms: int = 0
    settled: bool = False
    gone: bool = False
