"""A cluster as the registry keeps it, in our own words. Pure data.

`Record` is the wish (read only here) and the seen half, which the holder of the lease writes.
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum


class Role(StrEnum):
    MASTER = "master"
    WORKER = "worker"


class NodeState(StrEnum):
    STARTING = "starting"
    LOADING = "loading"
    RUNNING = "running"
    FAILED = "failed"
    GONE = "gone"


class ClusterState(StrEnum):
    STARTING = "starting"
    LOADING = "loading"
    RUNNING = "running"
    FAILED = "failed"
    DEGRADED = "degraded"
    MODIFYING = "modifying"
    SUSPENDING = "suspending"
    SUSPENDED = "suspended"
    RESUMING = "resuming"
    DELETING = "deleting"
    DELETED = "deleted"


class AddressMode(StrEnum):
    ELASTIC = "elastic"
    AUTO = "auto"
    PRIVATE = "private"


class OperationState(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Spec:
    """The wish. Sizes are GiB."""

    milvus_type: str = "M5"
    disk_gib: int = 50
    address_mode: AddressMode = AddressMode.ELASTIC
    master_instance_type: str = "m5.large"
    worker_instance_type: str = ""
    workers: int = 0
    wanted: bool = True


@dataclass(frozen=True, slots=True)
class Offer:
    """What a launch may ask EC2 for: a type in a zone."""

    instance_type: str
    subnet_id: str


@dataclass(frozen=True, slots=True)
class Intent:
    """Parameters of one launch, frozen before RunInstances is called with them.

    An empty `client_token` says that EC2 refused this launch for want of capacity: nothing was
    made, and the next attempt takes the next offer.
    """

    client_token: str
    image_id: str
    instance_type: str
    subnet_id: str
    security_group_ids: tuple[str, ...]
    key_pair: str
    root_gib: int
    data_gib: int
    public_address: bool
    user_data_hash: str
    decided_at_ms: int
    root_device: str = ""

    @property
    def offer(self) -> Offer:
        return Offer(self.instance_type, self.subnet_id)


@dataclass(frozen=True, slots=True)
class Node:
    """A place in the cluster that wants a machine. Times are epoch milliseconds, 0 = none.

    `refused`: offers that EC2 had no capacity for in this wait for a machine. `taken_over`: the
    machine is older than this record knows, and may hold data.
    """

    slot: int
    role: Role
    attempt: int
    token: str
    state: NodeState = NodeState.STARTING
    why: str = ""
    reason: str = ""
    state_since_ms: int = 0
    deadline_ms: int = 0
    intent: Intent | None = None
    instance_id: str = ""
    key_pair: str = ""
    public_ip: str = ""
    private_ip: str = ""
    launched_at_ms: int = 0
    launches_ms: tuple[int, ...] = ()
    retiring: bool = False
    install_step: str = ""
    refused: tuple[Offer, ...] = ()
    taken_over: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """A security group; `kind` is base, whitelist or peers."""

    logical_name: str
    group_name: str
    group_id: str
    kind: str


@dataclass(frozen=True, slots=True)
class Address:
    """The elastic address; empty strings until known."""

    allocation_id: str = ""
    public_ip: str = ""
    association_id: str = ""


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that is so or not so, since when, and why."""

    type: str
    ok: bool
    reason: str = ""
    description: str = ""
    since_ms: int = 0


@dataclass(frozen=True, slots=True)
class OperationStep:
    name: str
    state: OperationState
    description: str = ""
    started_at_ms: int = 0
    ended_at_ms: int = 0


@dataclass(frozen=True, slots=True)
class Operation:
    """The request that the present wish came from; `progress` is 0 to 100."""

    operation_id: str
    type: str
    state: OperationState = OperationState.PENDING
    progress: int = 0
    steps: tuple[OperationStep, ...] = ()
    reason: str = ""
    description: str = ""
    started_at_ms: int = 0
    ended_at_ms: int = 0

    @property
    def over(self) -> bool:
        return self.state not in {OperationState.PENDING, OperationState.RUNNING}


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the cluster's story."""

    at_ms: int
    type: str
    description: str
    details: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """One cluster. The first seven fields are the user's; the rest is what was seen."""

    cluster_id: str
    user: str
    milvus_name: str
    spec: Spec
    generation: int = 1
    operation_id: str = ""
    whitelist_revision: int = 0

    state: ClusterState = ClusterState.STARTING
    observed_generation: int = 0
    reason: str = ""
    why: str = ""
    milvus_url: str = ""
    milvus_port: str = ""
    subnet_id: str = ""
    groups: tuple[Group, ...] = ()
    nodes: tuple[Node, ...] = ()
    address: Address = field(default_factory=Address)
    address_intended: bool = False
    conditions: tuple[Condition, ...] = ()

    def condition(self, kind: str) -> Condition | None:
        return next((c for c in self.conditions if c.type == kind), None)

    def holds(self, kind: str) -> bool:
        """Whether the condition was seen and is so."""
        found = self.condition(kind)
        return found is not None and found.ok

    def wished(self, stored: "Record") -> "Record":
        """What was seen here, under the wish as stored there."""
        return replace(
            self,
            spec=stored.spec,
            generation=stored.generation,
            operation_id=stored.operation_id,
            whitelist_revision=stored.whitelist_revision,
        )

    @property
    def elastic(self) -> bool:
        return self.spec.address_mode is AddressMode.ELASTIC
