"""Settings of the provisioner."""

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from kite.described import tell
from kite.secrets import MIN_SECRET_BYTES
from kite.settings import Common, Listen
from kite.sweep import Kind, Mode, Policy
from provisioner.facts import Reach
from provisioner.install.job import ArtifactKind, InstallSettings, Method
from provisioner.installable import lacking
from provisioner.limits import Limits, Wait

_UBUNTU = "ubuntu/images/hvm-ssd*/ubuntu-noble-24.04-amd64-server-*"


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


class Settings(Common):
    """Environment names: KITE_ and the field in capitals. Times are seconds."""

    provisioner_listen: Listen = Field(
        "127.0.0.1:50052", description="Address the service listens on, host:port."
    )
    provisioner_image_id: str = Field(
        "", description="Machine image (ami-…); empty = the newest that the name below finds."
    )
    provisioner_image_name: str = Field(
        _UBUNTU, description="Name pattern of Canonical's images, used when no image id is set."
    )
    provisioner_subnets: Annotated[tuple[str, ...], BeforeValidator(_split)] = Field(
        (),
        description="Subnets for machines, comma-separated, in order of preference, of one VPC; "
        "empty = the default subnets of the account.",
    )
    provisioner_root_gib: int = Field(20, ge=8, le=1024, description="Root volume, GiB.")
    provisioner_reach: Reach = Field(
        Reach.PUBLIC,
        description="Address the control plane meets machines at; private needs a route.",
    )
    provisioner_ssh_user: str = Field(
        "ubuntu", pattern=r"^[a-z_][a-z0-9_-]{0,31}$", description="Login user of the image."
    )
    provisioner_ssh_port: int = Field(22, ge=1, le=65535, description="SSH port of the image.")
    provisioner_install_method: Method = Field(
        Method.CONTAINER,
        description="How Milvus gets onto hosts; wheel is for the local cloud only.",
    )
    provisioner_artifact_url: str = Field(
        "", description="Where the wheel (or the tree made of it) is fetched from."
    )
    provisioner_artifact_sha256: str = Field("", description="Checksum of what lies there.")
    provisioner_artifact_kind: ArtifactKind = Field(
        ArtifactKind.WHEEL, description="wheel, or tree: the tar made of it."
    )
    provisioner_allow_insecure_wheel: bool = Field(
        default=False, description="Accept the wheel's server although it has known CVEs."
    )
    provisioner_milvus_image: str = Field(
        "", description="Image of Milvus, pinned as NAME@sha256:DIGEST (container method)."
    )
    provisioner_etcd_image: str = Field(
        "", description="Image of etcd, pinned as NAME@sha256:DIGEST (container method)."
    )
    provisioner_milvus_version: str = Field(
        "", description="Version inside the image; empty = the playbooks' own."
    )
    provisioner_node_exporter: bool = Field(
        default=True, description="Install Prometheus' node exporter on hosts (needs a mirror)."
    )
    provisioner_playbooks: Path = Field(
        Path(__file__).parents[1] / "playbooks", description="Folder of the playbooks."
    )
    provisioner_install_concurrency: int = Field(
        0, ge=0, le=64, description="Installs at a time; 0 = one per core."
    )
    provisioner_pending_seconds: int = Field(600, ge=1, description="Longest wait for `running`.")
    provisioner_ssh_seconds: int = Field(300, ge=1, description="Longest wait for SSH.")
    provisioner_install_seconds: int = Field(600, ge=1, description="Longest install.")
    provisioner_milvus_seconds: int = Field(
        600, ge=1, description="Longest wait for an installed Milvus to answer."
    )
    provisioner_capacity_seconds: int = Field(
        600, ge=1, description="How long other zones and types are tried for want of capacity."
    )
    provisioner_unseen_seconds: int = Field(
        300,
        ge=1,
        description="How long EC2 may hide a machine that never ran, or is to go, "
        "before it counts as gone.",
    )
    provisioner_ending_seconds: int = Field(
        600, ge=1, description="How long a machine may take to end before it is asked again."
    )
    provisioner_launches_per_hour: int = Field(
        3, ge=1, le=100, description="Machines a slot may use up within an hour."
    )
    provisioner_poll_seconds: float = Field(
        0.3, ge=0.05, le=60, description="Pause between two looks while something is starting."
    )
    provisioner_settled_seconds: float = Field(
        30.0, ge=1, le=3600, description="Pause between two looks at a cluster at rest."
    )
    provisioner_claims: int = Field(64, ge=1, le=1000, description="Clusters held at a time.")
    provisioner_concurrency: int = Field(
        8, ge=1, le=64, description="Clusters that may change EC2 at a time."
    )
    provisioner_lease_seconds: int = Field(
        30, ge=20, le=600, description="Length of a lease; it is renewed while work goes on."
    )

    provisioner_sweep: Mode = Field(
        Mode.ON,
        description="Leftovers without a cluster: on = removed, report = only told, off.",
    )
    provisioner_sweep_seconds: int = Field(
        60,
        ge=1,
        le=300,
        description="Pause between two sweeps, and between the two sightings of a leftover.",
    )
    provisioner_sweep_guard_seconds: int = Field(
        300, ge=1, description="Age a machine must have before it can count as a leftover."
    )

    @model_validator(mode="after")
    def _usable(self) -> "Settings":
        if len(self.secret.get_secret_value()) < MIN_SECRET_BYTES:
            raise ValueError(
                f"KITE_SECRET must hold {MIN_SECRET_BYTES} characters or more; "
                "passwords and SSH keys of all machines derive from it"
            )
        return self

    def lacking(self) -> tuple[str, ...]:
        return lacking(self.install_settings, self.variables)

    @property
    def limits(self) -> Limits:
        seconds = {
            Wait.CAPACITY: self.provisioner_capacity_seconds,
            Wait.SETTING: self.provisioner_capacity_seconds,
            Wait.UNSEEN: self.provisioner_unseen_seconds,
            Wait.PENDING: self.provisioner_pending_seconds,
            Wait.SSH: self.provisioner_ssh_seconds,
            Wait.INSTALL: self.provisioner_install_seconds,
            Wait.MILVUS: self.provisioner_milvus_seconds,
            Wait.ENDING: self.provisioner_ending_seconds,
        }
        return Limits(
            waits_ms={wait: value * 1000 for wait, value in seconds.items()},
            launches_per_hour=self.provisioner_launches_per_hour,
            poll_ms=int(self.provisioner_poll_seconds * 1000),
            settled_ms=int(self.provisioner_settled_seconds * 1000),
        )

    @property
    def sweep_policy(self) -> Policy:
        guards = {**Policy().guards_ms, Kind.INSTANCE: self.provisioner_sweep_guard_seconds * 1000}
        return Policy(guards_ms=guards, gap_ms=self.provisioner_sweep_seconds * 1000)

    @property
    def install_settings(self) -> InstallSettings:
        return InstallSettings(
            playbooks=self.provisioner_playbooks,
            method=self.provisioner_install_method,
            artifact_url=self.provisioner_artifact_url,
            artifact_sha256=self.provisioner_artifact_sha256,
            artifact_kind=self.provisioner_artifact_kind,
            allow_insecure_wheel=self.provisioner_allow_insecure_wheel,
            ssh_user=self.provisioner_ssh_user,
            ssh_port=self.provisioner_ssh_port,
            concurrency=self.provisioner_install_concurrency,
            connect_seconds=float(self.provisioner_ssh_seconds),
            deadline_seconds=float(self.provisioner_install_seconds),
        )

    @property
    def variables(self) -> dict[str, str | int | bool]:
        """Role variables that the settings decide; the playbooks' own hold for the rest."""
        found = {
            "milvus_image": self.provisioner_milvus_image,
            "milvus_etcd_image": self.provisioner_etcd_image,
            "milvus_version": self.provisioner_milvus_version,
        }
        chosen: dict[str, str | int | bool] = {n: value for n, value in found.items() if value}
        return chosen | {"node_exporter_enabled": self.provisioner_node_exporter}


if __name__ == "__main__":
    tell(Settings)
