"""An EC2 that lies, forgets and runs dry, and the hosts on it. Times are seconds.

Rules from AWS documents: a client token names one launch for ever; a repeated token brings the
same machine, or an error once that has ended; a fresh machine may be invisible for a while.
"""

from __future__ import annotations

import asyncio
from collections.abc import Container
from dataclasses import dataclass, field
from typing import ClassVar

from kite import refusals
from kite.errors import DeadlinePassed
from provisioner.facts import (
    AddressFact,
    Allocated,
    Answer,
    Associated,
    Done,
    Dropped,
    Grouped,
    InstanceFact,
    Launched,
    Machine,
    Outcome,
    Place,
    Site,
)
from provisioner.plan import (
    Action,
    Allocate,
    Associate,
    CloseGroups,
    DeleteVolumes,
    DropGroups,
    EnsureGroups,
    Install,
    Launch,
    Release,
    Secure,
    Terminate,
)
from provisioner.record import Group, Record
from tests.sim.chance import Chance

NEVER = float("inf")
INSTALL = "sim"


@dataclass
class Host:
    """A machine and what runs on it."""

    instance_id: str
    cluster_id: str
    slot: int
    attempt: int
    token: str
    born: float
    shown_at: float
    running_at: float
    dies_at: float
    ssh_at: float
    ended_at: float = NEVER
    address: str = ""
    installed_at: float = NEVER
    secured: bool = False

    def machine(self, now: float) -> Machine:
        if now >= self.ended_at + 5:
            return Machine.TERMINATED
        if now >= self.ended_at:
            return Machine.SHUTTING_DOWN
        return Machine.RUNNING if now >= self.running_at else Machine.PENDING

    @property
    def private_ip(self) -> str:
        return "10.0.0." + self.instance_id[2:]


@dataclass
class Cloud:
    chance: Chance
    honours_tokens: ClassVar[bool] = True
    intents: Container[str] = ()
    hosts: dict[str, Host] = field(default_factory=dict)
    tokens: dict[str, tuple[str, str]] = field(default_factory=dict)
    addresses: dict[str, AddressFact] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    groups: set[str] = field(default_factory=set)
    base: int = 0
    dry_until: dict[tuple[str, str], float] = field(default_factory=dict)
    most: int = 0
    unannounced: list[str] = field(default_factory=list)
    numbers: int = 0

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def site(self) -> Site:
        return Site(
            install=INSTALL,
            image_id="ami-1",
            vpc_id="vpc-1",
            places=(Place("subnet-a", "a"), Place("subnet-b", "b")),
            key_pair="kite-sim",
        )

    # what is seen -------------------------------------------------------------------------------

    def alive(self, cluster_id: str, slot: int | None = None) -> list[Host]:
        return [
            host
            for host in self.hosts.values()
            if host.cluster_id == cluster_id
            and (slot is None or host.slot == slot)
            and host.machine(self.now) is not Machine.TERMINATED
        ]

    def fact(self, host: Host) -> InstanceFact:
        held = next((a for a in self.addresses.values() if a.association_id == host.address), None)
        return InstanceFact(
            host.instance_id,
            host.machine(self.now),
            token=host.token,
            public_ip=held.public_ip if held and host.address else "",
            private_ip=host.private_ip,
            slot=host.slot,
            attempt=host.attempt,
        )

    def shown(self, host: Host) -> bool:
        return self.chance.calm or self.now >= host.shown_at

    def by_address(self, address: str) -> Host | None:
        for host in self.hosts.values():
            ours = {host.private_ip, self.fact(host).public_ip}
            if address in ours and host.machine(self.now) is Machine.RUNNING:
                return host
        return None

    def answer(self, address: str) -> Answer:
        host = self.by_address(address)
        if host is None or self.now < host.installed_at + 3:
            return Answer.SILENT
        return Answer.ANSWERS if host.secured else Answer.UNSECURED

    # what is done -------------------------------------------------------------------------------

    def do(self, record: Record, action: Action) -> Outcome:  # noqa: C901
        """The effect, at once; the caller loses replies."""
        match action:
            case Launch():
                return self._launch(record, action)
            case Allocate():
                return self._allocate(record)
            case Associate(allocation_id, instance_id):
                return self._associate(allocation_id, instance_id)
            case EnsureGroups():
                self.groups.add(record.cluster_id)
                self.base = self.base or self._number()
                return Grouped(
                    (
                        Group("sg-base", "kite-base-sim", f"sg-base{self.base}", "base"),
                        Group("sg-x", "kite-x", f"sg-{record.cluster_id}", "whitelist"),
                    )
                )
            case Terminate(ids, _):
                for instance_id in ids:
                    self.end(self.hosts[instance_id])
            case Release(ids):
                for allocation_id in ids:
                    self.addresses.pop(allocation_id, None)
            case DropGroups(last):
                return self._drop(record.cluster_id, last=last)
            case Secure(_, address):
                host = self.by_address(address)
                if host:
                    host.secured = True
            case CloseGroups() | DeleteVolumes() | Install():
                pass
        return Done()

    def end(self, host: Host) -> None:
        if self.shown(host):
            host.ended_at = min(host.ended_at, self.now)

    def _launch(self, record: Record, launch: Launch) -> Outcome:
        intent = launch.intent
        if intent.client_token not in self.intents:
            self.unannounced.append(intent.client_token)
        params = repr(intent)
        if self.honours_tokens and intent.client_token in self.tokens:
            known, instance_id = self.tokens[intent.client_token]
            host = self.hosts[instance_id]
            if known != params:
                raise refusals.failure("IdempotentParameterMismatch", "sim")
            if self.now >= host.ended_at:
                raise refusals.failure("IdempotentInstanceTerminated", "sim")
            return Launched(self.fact(host))
        if f"sg-base{self.base}" not in intent.security_group_ids or not self.base:
            raise refusals.failure("InvalidGroup.NotFound", "sim")
        self._capacity(intent.instance_type, intent.subnet_id)
        return Launched(self.fact(self._host(record, launch, params)))

    def _capacity(self, kind: str, subnet: str) -> None:
        if self.chance.drought and not self.chance.calm:
            raise refusals.failure("InsufficientInstanceCapacity", "sim")
        if self.chance.hits("dry"):
            self.dry_until[kind, subnet] = self.now + self.chance.between(1, 900)
        if not self.chance.calm and self.now < self.dry_until.get((kind, subnet), 0):
            raise refusals.failure("InsufficientInstanceCapacity", "sim")

    def _host(self, record: Record, launch: Launch, params: str) -> Host:
        chance, now = self.chance, self.now
        running = now + (NEVER if chance.hits("never_boots") else chance.between(1, 40))
        host = Host(
            f"i-{self._number()}",
            record.cluster_id,
            launch.slot,
            launch.attempt,
            launch.intent.client_token,
            now,
            now + (chance.between(1, 120) if chance.hits("hide") else 0),
            running,
            running if chance.hits("dies_at_boot") else NEVER,
            NEVER if chance.hits("no_ssh") else running + chance.between(0, 30),
        )
        host.ended_at = host.dies_at
        self.hosts[host.instance_id] = host
        self.tokens[host.token] = (params, host.instance_id)
        self.most = max(self.most, len(self.alive(record.cluster_id, launch.slot)))
        return host

    def _allocate(self, record: Record) -> Outcome:
        number = self._number()
        fact = AddressFact(f"eipalloc-{number}", f"198.18.0.{number}")
        self.addresses[fact.allocation_id] = fact
        self.owners[fact.allocation_id] = record.cluster_id
        return Allocated(fact)

    def _associate(self, allocation_id: str, instance_id: str) -> Outcome:
        host, held = self.hosts[instance_id], self.addresses.get(allocation_id)
        if held is None:
            raise refusals.failure("InvalidAllocationID.NotFound", "sim")
        if host.machine(self.now) is not Machine.RUNNING:
            raise refusals.failure("IncorrectInstanceState", "sim")
        host.address = f"eipassoc-{self._number()}"
        self.addresses[allocation_id] = AddressFact(allocation_id, held.public_ip, host.address)
        return Associated(host.address)

    def _drop(self, cluster_id: str, *, last: bool) -> Outcome:
        if self.alive(cluster_id):
            return Dropped((f"sg-{cluster_id}",), "in use")
        self.groups.discard(cluster_id)
        if last:
            self.base = 0
        return Dropped()

    def _number(self) -> int:
        self.numbers += 1
        return self.numbers


def silence() -> DeadlinePassed:
    return DeadlinePassed("sim: no reply", reason="CLOUD_AWAY")
