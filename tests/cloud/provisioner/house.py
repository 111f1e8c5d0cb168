"""The whole control plane in one process over the strict EC2: everything real but hosts.

Hosts cannot be reached here, so SSH, installs and Milvus are stand-ins with switches.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field
from typing import Any

from kite.clock import SystemClock
from kite.errors import Unavailable
from kite.rpc import client
from kite.rpc.server import RpcServer
from kite.v1 import cluster_pb2, operation_pb2, registry_pb2, whitelist_pb2
from kite.v1.operation_pb2_grpc import OperationServiceStub
from kite.v1.registry_pb2_grpc import RegistryServiceStub
from kite.v1.whitelist_pb2_grpc import WhitelistServiceStub
from provisioner import app as provisioner_app
from provisioner.facts import Answer
from provisioner.install.job import HostProgress, InstallResult
from provisioner.settings import Settings
from registry_svc.app import assemble
from registry_svc.settings import Settings as RegistrySettings
from registry_svc.store import Store, open_store
from whitelist_svc import app as whitelist_app
from whitelist_svc.settings import Settings as WhitelistSettings

SECRET = "0123456789abcdef-secret"
READING = frozenset({"Describe"})


@dataclass
class StandInInstaller:
    """Ends at once as told; `looks` is how often it still says `running`."""

    ok: bool = True
    reason: str = "OK"
    looks: int = 1
    jobs: list[Any] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    _asked: dict[str, int] = field(default_factory=dict)

    def start(self, job: Any) -> None:
        self.jobs.append(job)
        self._asked[job.key] = 0

    def progress(self, key: str) -> tuple[HostProgress, ...]:
        return tuple(
            HostProgress(h.token, "unpack", 1, 2)
            for j in self.jobs
            if j.key == key
            for h in j.hosts
        )

    def results(self, key: str) -> tuple[InstallResult, ...] | None:
        self._asked[key] += 1
        if self._asked[key] <= self.looks:
            return None
        hosts = [h for j in self.jobs if j.key == key for h in j.hosts]
        return tuple(InstallResult(h.token, self.ok, self.reason, "told so", 1.0) for h in hosts)

    def running(self, key: str) -> bool:
        return self.results(key) is None

    async def cancel(self, key: str) -> None:
        self.cancelled.append(key)
        self._asked[key] = 10_000

    async def close(self) -> None:
        return None


@dataclass
class StandInMilvus:
    """What every Milvus answers."""

    answer: Answer = Answer.UNSECURED
    passwords: list[str] = field(default_factory=list)

    async def look(self, address: str, password: str) -> Answer:
        return self.answer

    async def secure(self, address: str, password: str) -> None:
        self.passwords.append(password)
        self.answer = Answer.ANSWERS


@dataclass
class House:
    """The running control plane; `provisioner` is replaced by `restart`."""

    strict: Any
    clients: Any
    settings: Settings
    folder: Any
    session: Any
    installer: StandInInstaller = field(default_factory=StandInInstaller)
    milvus: StandInMilvus = field(default_factory=StandInMilvus)
    ssh: bool = True
    holder: str = ""
    closers: list[Any] = field(default_factory=list)
    provisioner: Any = None
    looping: Any = None
    registry: Any = None
    whitelist: Any = None
    operations: Any = None
    targets: dict[str, str] = field(default_factory=dict)

    async def start(self) -> None:
        self.targets["registry"] = await self._registry()
        self.targets["whitelist"] = await self._whitelist()
        self.registry = RegistryServiceStub(self.channel("registry"))
        self.operations = OperationServiceStub(self.channel("registry"))
        self.whitelist = WhitelistServiceStub(self.channel("whitelist"))
        self.run()

    def channel(self, name: str) -> Any:
        channel = client.connect(self.targets[name], name=name)
        self.closers.append(channel.close)
        return channel

    def _store(self) -> Store:
        return open_store(RegistrySettings(registry_folder=self.folder / "registry"))

    async def _registry(self) -> str:
        store = self._store()
        app = assemble(store, RegistrySettings(), SystemClock())
        server = RpcServer("127.0.0.1:0")
        for part in app.parts:
            server.add(*part)
        port = await server.start()

        async def close() -> None:
            app.broadcast.stop()
            await server.drain(0)
            app.threads.close()
            store.close()

        self.closers.append(close)
        return f"127.0.0.1:{port}"

    async def _whitelist(self) -> str:
        settings = WhitelistSettings(
            install=self.settings.install,
            whitelist_control_cidrs="10.88.0.0/16",
            registry=self.targets["registry"],
        )
        app = whitelist_app.build(settings, session=self.session)
        server = RpcServer("127.0.0.1:0")
        app.add_to(server)
        port = await server.start()

        async def close() -> None:
            await server.drain(0)
            await app.rpc.settle()
            await app.channel.close()

        self.closers.append(close)
        return f"127.0.0.1:{port}"

    def run(self) -> None:
        """Start a provisioner: a new process would know as little."""

        async def ssh(address: str) -> bool:
            return self.ssh

        self.provisioner = provisioner_app.build(
            self.settings,
            provisioner_app.Parts(
                clients=lambda: self.clients,
                registry=client.connect(self.targets["registry"], name="registry"),
                whitelist=client.connect(self.targets["whitelist"], name="whitelist"),
                installer=self.installer,
                probe=self.milvus,
                ssh=ssh,
                holder=self.holder or f"house-{secrets.token_hex(4)}",
            ),
        )
        self.looping = asyncio.create_task(self.provisioner.loop.run())

    async def kill(self) -> None:
        """End the provisioner as a power cut would: no lease is given back."""
        self.provisioner.loop._registry.release = _never
        await self.halt()

    async def halt(self) -> None:
        self.looping.cancel()
        await asyncio.gather(self.looping, return_exceptions=True)
        await self.provisioner.close()

    async def close(self) -> None:
        await self.halt()
        for close in reversed(self.closers):
            await close()

    # users --------------------------------------------------------------------------------------

    async def create(self, name: str = "cats", *, user: str = "alice", **more: Any) -> Any:
        request = registry_pb2.CreateClusterRequest(
            user=user, milvus_name=name, milvus_type="M5", disk_gib=50, body_hash=name, **more
        )
        return (await self.registry.CreateCluster(request)).cluster

    async def delete(self, name: str = "cats", *, user: str = "alice") -> Any:
        request = registry_pb2.DeleteClusterRequest(user=user, milvus_name=name)
        return (await self.registry.DeleteCluster(request)).operation

    async def get(self, name: str = "cats", *, user: str = "alice") -> Any:
        request = registry_pb2.GetClusterRequest(user=user, milvus_name=name, include_deleted=True)
        return (await self.registry.GetCluster(request)).cluster

    async def operation(self, operation_id: str) -> Any:
        request = operation_pb2.GetOperationRequest(user="alice", operation_id=operation_id)
        return (await self.operations.GetOperation(request)).operation

    async def events(self, name: str = "cats") -> Any:
        request = operation_pb2.ListEventsRequest(user="alice", milvus_name=name)
        return (await self.operations.ListEvents(request)).events

    async def allow(self, *sources: str, name: str = "cats") -> Any:
        ranges = [whitelist_pb2.WishedRange(source_ip=s, port_type="milvus-port") for s in sources]
        request = whitelist_pb2.SetRulesRequest(user="alice", milvus_name=name, ranges=ranges)
        return await self.whitelist.SetRules(request)

    async def until(
        self, state: str, name: str = "cats", *, user: str = "alice", seconds: float = 50
    ) -> Any:
        """The cluster once it is in the state; fails with what it is in otherwise."""
        wanted = cluster_pb2.ClusterState.Value(f"CLUSTER_STATE_{state}")
        seen = None
        try:
            async with asyncio.timeout(seconds):
                while (seen := await self.get(name, user=user)).status.state != wanted:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"not {state} but {seen and seen.status}") from None
        return seen

    async def eventually(self, true: Any, *, seconds: float = 50) -> None:
        async with asyncio.timeout(seconds):
            while not true():  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    # operators ----------------------------------------------------------------------------------

    @property
    def ec2(self) -> Any:
        """moto without rules, faults and log."""
        return self.strict.plain()

    def writes(self) -> list[str]:
        return [one.action for one in self.strict.api.calls.all() if not one.describing]

    def machines(self) -> list[Any]:
        found = self.ec2.describe_instances()["Reservations"]
        instances = [i for r in found for i in r["Instances"]]
        return [i for i in instances if i["State"]["Name"] not in {"terminated", "shutting-down"}]

    def left(self) -> dict[str, list[str]]:
        """Everything of ours that EC2 still has."""
        groups = self.ec2.describe_security_groups()["SecurityGroups"]
        return {
            "instances": [i["InstanceId"] for i in self.machines()],
            "addresses": [a["PublicIp"] for a in self.ec2.describe_addresses()["Addresses"]],
            "groups": [g["GroupName"] for g in groups if g["GroupName"] != "default"],
            "keys": [k["KeyName"] for k in self.ec2.describe_key_pairs()["KeyPairs"]],
            "volumes": [v["VolumeId"] for v in self.ec2.describe_volumes()["Volumes"]],
        }


async def _never(claim: Any) -> None:
    raise Unavailable("a dead process does not speak")
