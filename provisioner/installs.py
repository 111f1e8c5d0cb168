"""Installs by machine: the runner's jobs as facts, begun again under a new key when asked.

A job lives in this process only; after a restart the record says how far a machine is, and an
install begun again on an installed machine ends at once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from kite.secrets import password
from provisioner.facts import InstallFact
from provisioner.install.job import HostProgress, InstallHost, InstallJob, InstallResult
from provisioner.plan import Install
from provisioner.user_data import host_key, login_key


class Installer(Protocol):
    """The part of provisioner.install.runner.Installer that is used here."""

    def start(self, job: InstallJob) -> None: ...
    def progress(self, key: str) -> tuple[HostProgress, ...]: ...
    def results(self, key: str) -> tuple[InstallResult, ...] | None: ...
    def running(self, key: str) -> bool: ...
    async def cancel(self, key: str) -> None: ...
    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Secrets:
    """What installs derive their keys and passwords from."""

    install: str
    secret: str


class Installs:
    """`variables` are role variables of every host."""

    def __init__(
        self, installer: Installer, secrets: Secrets, variables: Mapping[str, str | int | bool]
    ) -> None:
        self._installer = installer
        self._secrets = secrets
        self._variables = dict(variables)
        self._tries: dict[str, int] = {}
        self._clusters: dict[str, set[str]] = {}

    def facts(self, tokens: Iterable[str]) -> dict[str, InstallFact]:
        """Where each install stands that this process has begun."""
        return {token: self._fact(token) for token in tokens if token in self._tries}

    def _fact(self, token: str) -> InstallFact:
        key, tries = self._key(token), self._tries[token]
        at = next((p for p in self._installer.progress(key) if p.token == token), None)
        step, done, total = (at.step, at.done, at.total) if at else ("", 0, 0)
        ended = next((r for r in self._installer.results(key) or () if r.token == token), None)
        if ended is None:
            return InstallFact(running=True, step=step, done=done, total=total, tries=tries)
        return InstallFact(
            running=False,
            ok=ended.ok,
            reason=ended.reason,
            description=ended.description,
            step=step,
            done=done,
            total=total,
            tries=tries,
        )

    def begin(self, cluster_id: str, install: Install) -> None:
        """Start the install of a machine; one that runs is left alone, a failed one begins anew."""
        token = install.token
        if token in self._tries and self._fact(token).running:
            return
        self._tries[token] = self._tries.get(token, 0) + 1
        self._clusters.setdefault(cluster_id, set()).add(token)
        host = InstallHost(
            token=token,
            instance_id=install.instance_id,
            address=install.address,
            role=install.role.value,
            host_key=host_key(self._secrets.secret, token),
        )
        self._installer.start(
            InstallJob(
                key=self._key(token),
                hosts=(host,),
                private_key=login_key(self._secrets.secret, self._secrets.install).private,
                variables=self._variables | _disk(install),
                secrets={"milvus_root_password": password(self._secrets.secret, cluster_id)},
            )
        )

    async def cancel(self, tokens: Iterable[str]) -> None:
        """End the installs of machines that are to end."""
        for token in tokens:
            if token in self._tries and self._fact(token).running:
                await self._installer.cancel(self._key(token))

    def of_cluster(self, cluster_id: str) -> dict[str, InstallFact]:
        """Installs begun by this process for a cluster, for watchers."""
        return self.facts(sorted(self._clusters.get(cluster_id, ())))

    def forget(self, cluster_id: str) -> None:
        """The cluster is gone."""
        for token in self._clusters.pop(cluster_id, set()):
            self._tries.pop(token, None)

    async def close(self) -> None:
        await self._installer.close()

    def _key(self, token: str) -> str:
        return f"{token}-{self._tries[token]}"


def _disk(install: Install) -> dict[str, str | int | bool]:
    """Which disk is Milvus': by its volume's id where it is known, and by its size in any case."""
    size: dict[str, str | int | bool] = {"disk_size_gib": install.data_gib}
    return size | ({"disk_volume_id": install.data_volume} if install.data_volume else {})
