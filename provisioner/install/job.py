"""What an install is asked to do and what it answers. Pure data, no I/O.

A job is one run over all its hosts; its key makes starting it again harmless.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path


class Method(StrEnum):
    """How Milvus gets onto a host."""

    CONTAINER = "container"
    WHEEL = "wheel"


class ArtifactKind(StrEnum):
    """What lies behind the artifact address of the wheel method."""

    WHEEL = "wheel"
    TREE = "tree"


@dataclass(frozen=True)
class InstallSettings:
    """How this control plane installs.

    The wheel method reads the `artifact_…` fields; images and versions of the container method
    are role variables of the job. Times are seconds. `concurrency` 0 means one run per core.
    `ssh_user` must be able to become root without a password. `work_folder` None means /dev/shm
    where it exists; it must be a short path.
    """

    playbooks: Path = field(default_factory=lambda: Path(__file__).parents[2] / "playbooks")
    method: Method = Method.CONTAINER
    artifact_url: str = ""
    artifact_sha256: str = ""
    artifact_kind: ArtifactKind = ArtifactKind.WHEEL
    allow_insecure_wheel: bool = False
    ssh_user: str = "ubuntu"
    ssh_port: int = 22
    concurrency: int = 0
    connect_seconds: float = 300.0
    deadline_seconds: float = 1200.0
    idle_seconds: float = 660.0
    work_folder: Path | None = None


@dataclass(frozen=True)
class InstallHost:
    """One machine. `token` names it in every answer; `host_key` is "ssh-ed25519 AAAA…"."""

    token: str
    instance_id: str
    address: str
    role: str
    host_key: str


@dataclass(frozen=True)
class InstallJob:
    """One run. `variables` are role variables for all hosts; `secrets` never reach a log.

    A secret named X reaches the roles as the file named by the variable X_file.
    """

    key: str
    hosts: tuple[InstallHost, ...]
    private_key: bytes = field(repr=False)
    variables: Mapping[str, str | int | bool] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class HostProgress:
    """`step` is a sentence for people; `done` of `total` steps are behind this host."""

    token: str
    step: str
    done: int
    total: int


class Reason(StrEnum):
    """Why a host's install failed; OK when it did not."""

    OK = "OK"
    UNREACHABLE = "UNREACHABLE"
    HOST_IDENTITY = "HOST_IDENTITY"
    ACCESS_DENIED = "ACCESS_DENIED"
    TASK_FAILED = "TASK_FAILED"
    DEADLINE = "DEADLINE"
    CANCELLED = "CANCELLED"
    RUNNER_FAILED = "RUNNER_FAILED"
    BAD_JOB = "BAD_JOB"
    PACKAGE_UNAVAILABLE = "PACKAGE_UNAVAILABLE"
    CHECKSUM_MISMATCH = "CHECKSUM_MISMATCH"
    DISK_FULL = "DISK_FULL"
    DISK_NOT_FOUND = "DISK_NOT_FOUND"
    DISK_IN_USE = "DISK_IN_USE"
    UNIT_FAILED = "UNIT_FAILED"
    NOT_HEALTHY = "NOT_HEALTHY"
    PASSWORD_NOT_SET = "PASSWORD_NOT_SET"  # noqa: S105 - a reason word, not a password


@dataclass(frozen=True)
class InstallResult:
    """The end of one host's install; `seconds` counts from start() of the job."""

    token: str
    ok: bool
    reason: str
    description: str
    seconds: float
