"""The world as the loop meets it: eyes that see and hands that act, for one cluster at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol, assert_never

from kite import crash
from kite.errors import KiteError
from kite.secrets import password
from provisioner.ec2.act import Hands
from provisioner.ec2.client import Ec2
from provisioner.ec2.describer import Describer
from provisioner.ec2.finding import SiteFinder
from provisioner.ec2.see import Finder
from provisioner.facts import Answer, Done, Facts, InstanceFact, Leftovers, Outcome, Site
from provisioner.groups import Groups
from provisioner.installs import Installs
from provisioner.launch_refusals import place_missing
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
from provisioner.questions import Questions
from provisioner.reach import ssh_answers
from provisioner.record import Record
from provisioner.registry import Registry
from provisioner.user_data import user_data_hash


class World(Protocol):
    """What the loop needs; `see` and `site` raise KiteError, `act` never does."""

    async def site(self) -> Site: ...

    async def see(self, record: Record, asked: Questions) -> Facts: ...

    async def act(self, record: Record, action: Action) -> Outcome | KiteError: ...

    def forget(self, cluster_id: str) -> None:
        """The cluster is gone: drop what was cached for it."""
        ...


class Probe(Protocol):
    """Milvus over its own port; `secure` raises KiteError."""

    async def look(self, address: str, password: str) -> Answer: ...

    async def secure(self, address: str, password: str) -> None: ...


class Ec2World:
    """The World over EC2, the whitelist service, Ansible and Milvus itself."""

    def __init__(
        self,
        ec2: Ec2,
        sites: SiteFinder,
        *,
        secret: str,
        registry: Registry,
        groups: Groups,
        installs: Installs,
        probe: Probe,
        ssh: Callable[[str], Awaitable[bool]] = ssh_answers,
    ) -> None:
        self._sites = sites
        self._secret = secret
        self._registry = registry
        self._groups = groups
        self._installs = installs
        self._probe = probe
        self._ssh = ssh
        self._describer = Describer(ec2)
        self._finder = Finder(ec2, sites.install)
        self._hands = Hands(ec2, install=sites.install, secret=secret)

    async def site(self) -> Site:
        return await self._sites.site()

    # see ----------------------------------------------------------------------------------------

    async def see(self, record: Record, asked: Questions) -> Facts:
        site = await self.site()
        cluster_id = record.cluster_id
        instances, launched, address, ssh, answers, left = await asyncio.gather(
            self._describer.instances(asked.ids),
            self._launched(cluster_id, asked.tokens),
            self._finder.addresses(cluster_id) if asked.address else _nothing(),
            self._reachable(asked.ssh),
            self._answers(cluster_id, asked.milvus),
            self._leftovers(cluster_id) if asked.leftovers else _nothing(),
        )
        return Facts(
            site=site,
            instances=instances,
            launched=launched,
            address=address[0] if address else None,
            installs=self._installs.facts(asked.installs),
            ssh=ssh,
            answers=answers,
            hashes={token: self._hash(token) for token in asked.hash_tokens},
            leftovers=left,
        )

    def _hash(self, token: str) -> str:
        return user_data_hash(self._secret, self._sites.install, token)

    async def _launched(self, cluster_id: str, tokens: Sequence[str]) -> Mapping[str, InstanceFact]:
        found = await asyncio.gather(*(self._finder.by_token(cluster_id, t) for t in tokens))
        return {token: fact for token, fact in zip(tokens, found, strict=True) if fact}

    async def _reachable(self, targets: Mapping[str, str]) -> frozenset[str]:
        answers = await asyncio.gather(*(self._ssh(address) for address in targets.values()))
        return frozenset(t for t, well in zip(targets, answers, strict=True) if well)

    async def _answers(self, cluster_id: str, targets: Mapping[str, str]) -> Mapping[str, Answer]:
        key = password(self._secret, cluster_id)
        answers = await asyncio.gather(*(self._probe.look(a, key) for a in targets.values()))
        return dict(zip(targets, answers, strict=True))

    async def _leftovers(self, cluster_id: str) -> Leftovers:
        instances, addresses, volumes, others = await asyncio.gather(
            self._finder.by_cluster(cluster_id),
            self._finder.addresses(cluster_id),
            self._finder.volumes(cluster_id),
            self._registry.others(cluster_id),
        )
        return Leftovers(tuple(instances), tuple(addresses), *volumes, others=others)

    # act ----------------------------------------------------------------------------------------

    async def act(self, record: Record, action: Action) -> Outcome | KiteError:
        try:
            return await self._act(record, action)
        except KiteError as failed:
            if isinstance(action, Launch) and place_missing(failed):
                self._sites.doubt()
            return failed

    async def _act(self, record: Record, action: Action) -> Outcome:
        match action:
            case Allocate() | Launch() | Associate() | Release() | DeleteVolumes():
                return await self._machines(record, action)
            case Terminate(ids, tokens):
                await self._installs.cancel(tokens)
                await self._terminate(ids)
            case Install():
                crash.point("before-install")
                self._installs.begin(record.cluster_id, action)
                crash.point("after-install")
            case Secure(_, address):
                await self._probe.secure(address, password(self._secret, record.cluster_id))
                crash.point("after-secure")
            case EnsureGroups() | CloseGroups() | DropGroups():
                return await self._security(record, action)
            case _ as never:
                assert_never(never)
        return Done()

    async def _terminate(self, ids: tuple[str, ...]) -> None:
        try:
            await self._hands.terminate(ids)
        finally:  # without an answer they may be ending as well
            self._describer.changed(ids)

    async def _machines(
        self, record: Record, action: Allocate | Launch | Associate | Release | DeleteVolumes
    ) -> Outcome:
        match action:
            case Allocate():
                return await self._hands.allocate(record.cluster_id)
            case Launch():
                return await self._hands.launch(record, action)
            case Associate(allocation_id, instance_id):
                try:
                    return await self._hands.associate(allocation_id, instance_id)
                finally:
                    self._describer.changed((instance_id,))
            case Release(ids):
                await self._hands.release(ids)
            case DeleteVolumes(ids):
                await self._hands.delete_volumes(ids)
        return Done()

    async def _security(
        self, record: Record, action: EnsureGroups | CloseGroups | DropGroups
    ) -> Outcome:
        match action:
            case EnsureGroups(vpc_id, peers):
                return await self._groups.ensure(record, vpc_id, peers=peers)
            case CloseGroups():
                await self._groups.close(record.cluster_id)
                return Done()
            case DropGroups(last):
                return await self._groups.drop(record.cluster_id, last_cluster=last)

    def forget(self, cluster_id: str) -> None:
        self._installs.forget(cluster_id)


async def _nothing() -> None:
    return None
