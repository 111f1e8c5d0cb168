"""One provisioner process: the real loop over the simulated cloud and registry, killable anywhere.

Every call passes two gates, before and after its effect; at each the process may die or the
reply may get lost. A dead process does nothing more: its calls never return.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from kite import refusals
from kite.errors import KiteError, Unavailable
from provisioner.facts import Facts, InstallFact, Leftovers, Outcome, Site
from provisioner.limits import Limits
from provisioner.loop import Loop, Pace
from provisioner.plan import Action, Install, Terminate
from provisioner.questions import Questions
from provisioner.record import Record
from provisioner.registry import Claim, Write
from tests.sim.cloud import NEVER, Cloud, Host, silence
from tests.sim.registry import Store
from tests.sim.virtual import VirtualClock

LIMITS = Limits(poll_ms=2_000, settled_ms=60_000)
PACE = Pace(poll_seconds=5.0, reread_seconds=6.0)


@dataclass
class Job:
    host: Host
    ends_at: float
    ok: bool
    reason: str
    tries: int


@dataclass
class Process:
    """World and Registry of one process; `dead` is set by bad luck."""

    name: str
    cloud: Cloud
    store: Store
    dead: asyncio.Event = field(default_factory=asyncio.Event)
    jobs: dict[str, Job] = field(default_factory=dict)
    known_site: Site | None = None
    frozen_until: float = 0.0
    looping: asyncio.Task[None] | None = None

    def start(self) -> None:
        loop = Loop(self, self, VirtualClock(), LIMITS, PACE, chance=self.cloud.chance.dice.random)
        self.looping = asyncio.create_task(loop.run(), name=self.name)

    async def stop(self) -> None:
        self.dead.set()
        if self.looping:
            self.looping.cancel()
            await asyncio.gather(self.looping, return_exceptions=True)

    async def _gate(self, seconds: float = 0.0) -> None:
        if self.cloud.chance.hits("crash"):
            self.dead.set()
        if self.dead.is_set():
            await asyncio.get_running_loop().create_future()  # for ever
        if self.cloud.chance.hits("freeze"):
            self.frozen_until = self.cloud.now + self.cloud.chance.between(5, 90)
        await asyncio.sleep(max(seconds, self.frozen_until - self.cloud.now))

    # World --------------------------------------------------------------------------------------

    async def site(self) -> Site:
        if self.known_site is None:
            await self._cloud_call()
            self.known_site = self.cloud.site()
        return self.known_site

    async def _cloud_call(self) -> None:
        await self._gate(self.cloud.chance.between(0.01, 0.3))
        if self.cloud.chance.hits("throttle"):
            raise refusals.failure("RequestLimitExceeded", "sim")
        if self.cloud.chance.hits("lost"):
            raise silence()

    async def see(self, record: Record, asked: Questions) -> Facts:
        await self._cloud_call()
        cloud = self.cloud
        shown = {i: h for i, h in cloud.hosts.items() if cloud.shown(h)}
        tokens = {h.token: cloud.fact(h) for h in shown.values()}
        owned = [a for i, a in cloud.addresses.items() if cloud.owners[i] == record.cluster_id]
        return Facts(
            site=await self.site(),
            instances={i: cloud.fact(shown[i]) for i in asked.ids if i in shown},
            launched={t: tokens[t] for t in asked.tokens if t in tokens},
            address=owned[0] if asked.address and owned else None,
            installs={t: self._install(t) for t in asked.installs if t in self.jobs},
            ssh=frozenset(t for t, a in asked.ssh.items() if self._ssh(a)),
            answers={t: cloud.answer(a) for t, a in asked.milvus.items()},
            hashes={t: f"hash-{t}" for t in asked.hash_tokens},
            leftovers=self._left(record, shown, owned) if asked.leftovers else None,
        )

    def _left(self, record: Record, shown: dict[str, Host], owned: list) -> Leftovers:  # type: ignore[type-arg]
        mine = [self.cloud.fact(h) for h in shown.values() if h.cluster_id == record.cluster_id]
        others = self.store.others(record.cluster_id)
        return Leftovers(tuple(mine), tuple(owned), others=others)

    def _ssh(self, address: str) -> bool:
        host = self.cloud.by_address(address)
        return host is not None and self.cloud.now >= host.ssh_at

    def _install(self, token: str) -> InstallFact:
        job = self.jobs[token]
        if self.cloud.now < job.ends_at:
            return InstallFact(running=True, step="unpack", done=1, total=3, tries=job.tries)
        if job.ok:
            job.host.installed_at = min(job.host.installed_at, job.ends_at)
        return InstallFact(running=False, ok=job.ok, reason=job.reason, tries=job.tries)

    async def act(self, record: Record, action: Action) -> Outcome | KiteError:
        try:
            await self._cloud_call()
            outcome = self._do(record, action)
        except KiteError as failed:
            return failed
        await self._gate(0.1)
        if self.cloud.chance.hits("lost"):
            return silence()
        return outcome

    def _do(self, record: Record, action: Action) -> Outcome:
        if isinstance(action, Install):
            self._begin(action)
        if isinstance(action, Terminate):
            for token in action.tokens:
                self.jobs.pop(token, None)
        return self.cloud.do(record, action)

    def _begin(self, install: Install) -> None:
        chance, host = self.cloud.chance, self.cloud.hosts[install.instance_id]
        old = self.jobs.get(install.token)
        ok, reason = True, ""
        if chance.hits("install_breaks"):
            ok, reason = False, "TASK_FAILED"
        elif chance.hits("install_stumbles"):
            ok, reason = False, "UNREACHABLE"
        seconds = 1.0 if host.installed_at < NEVER else chance.between(5, 90)
        tries = old.tries + 1 if old else 1
        self.jobs[install.token] = Job(host, self.cloud.now + seconds, ok, reason, tries)

    def forget(self, cluster_id: str) -> None:
        return None

    # Registry -----------------------------------------------------------------------------------

    async def _registry_call(self) -> None:
        await self._gate(0.005)
        if self.cloud.chance.hits("registry"):
            raise Unavailable("sim: registry is away")

    async def _registry_answer(self) -> None:
        await self._gate()
        if self.cloud.chance.hits("registry"):
            raise Unavailable("sim: the registry's answer got lost")

    async def claim(self, most: int) -> list[Claim]:
        await self._registry_call()
        found = self.store.claim(self.name, most)
        await self._registry_answer()
        return found

    async def renew(self, held: Sequence[tuple[str, int]]) -> dict[str, float]:
        await self._registry_call()
        return self.store.renew(self.name, list(held))

    async def commit(self, claim: Claim, write: Write) -> Claim:
        await self._registry_call()
        stored = self.store.commit(self.name, claim, write)
        await self._registry_answer()
        return stored

    async def get(self, cluster_id: str) -> Record | None:
        await self._registry_call()
        return self.store.get(cluster_id)

    async def others(self, cluster_id: str) -> bool:
        return self.store.others(cluster_id)

    def hints(self) -> AsyncIterator[str]:
        return self.store.hints()
