"""What EC2 shows: instances by id in one shared batch, by token or tag only where needed."""

import asyncio
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from kite import tags
from kite.errors import KiteError
from provisioner.ec2.client import Ec2
from provisioner.facts import AddressFact, InstanceFact, Machine

BATCH, FILTER_VALUES = 500, 200
_ID = re.compile(r"i-[0-9a-f]+")


class Describer:
    """All clusters of this process share one DescribeInstances at a time.

    Whatever is asked for while one is in flight goes into the next; so k clusters in transition
    cost one call a turn, not k.
    """

    def __init__(self, ec2: Ec2) -> None:
        self._ec2 = ec2
        self._waiting: set[str] = set()
        self._next: asyncio.Future[Mapping[str, InstanceFact]] | None = None
        self._worker: asyncio.Task[None] | None = None

    async def instances(self, ids: Iterable[str]) -> dict[str, InstanceFact]:
        """Those of `ids` that EC2 shows now. Raises KiteError."""
        wanted = set(ids)
        if not wanted:
            return {}
        self._waiting |= wanted
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        answer = self._next
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        found = await asyncio.shield(answer)
        return {i: found[i] for i in wanted if i in found}

    async def _work(self) -> None:
        while self._next is not None:
            batch, answer = sorted(self._waiting), self._next
            self._waiting, self._next = set(), None
            try:
                answer.set_result(await self._look(batch))
            except KiteError as failed:
                answer.set_exception(failed)
                answer.exception()  # everybody who asked may have gone

    async def _look(self, ids: list[str]) -> Mapping[str, InstanceFact]:
        parts = [ids[at : at + BATCH] for at in range(0, len(ids), BATCH)]
        found: dict[str, InstanceFact] = {}
        for part in await asyncio.gather(*(self._by_ids(part) for part in parts)):
            found |= part
        return found

    async def _by_ids(self, ids: list[str]) -> dict[str, InstanceFact]:
        """One unknown id makes EC2 refuse the whole call; it names them, and we ask again."""
        left = set(ids)
        while left:
            try:
                answer = await self._ec2.call(
                    "DescribeInstances:ids", {"InstanceIds": sorted(left)}
                )
            except KiteError as failed:
                if failed.context.get("aws-code") != "InvalidInstanceID.NotFound":
                    raise
                unknown = left & set(_ID.findall(failed.description))
                if not unknown:
                    return await self._by_filter(sorted(left))
                left -= unknown
            else:
                return {fact.instance_id: fact for fact in _facts(answer)}
        return {}

    async def _by_filter(self, ids: list[str]) -> dict[str, InstanceFact]:
        found: dict[str, InstanceFact] = {}
        for at in range(0, len(ids), FILTER_VALUES):
            values = ids[at : at + FILTER_VALUES]
            for fact in await _filtered(self._ec2, "instance-id", values):
                found[fact.instance_id] = fact
        return found


class Finder:
    """Lookups by token and by our own tags: for adoption and at the end of a deletion."""

    def __init__(self, ec2: Ec2, install: str) -> None:
        self._ec2 = ec2
        self._install = install

    async def by_token(self, cluster_id: str, token: str) -> InstanceFact | None:
        """The machine launched under the token, by token, else by our tags and token.

        A machine that has ended is found only when no other is.
        """
        found = await _filtered(self._ec2, "client-token", [token])
        if not found:
            found = [i for i in await self.by_cluster(cluster_id) if i.token == token]
        found.sort(key=lambda i: i.machine is Machine.TERMINATED)
        return found[0] if found else None

    async def by_cluster(self, cluster_id: str) -> list[InstanceFact]:
        """Every machine of the cluster that EC2 still shows, ended ones too."""
        answers = await self._tagged("DescribeInstances", "Reservations", cluster_id)
        instances = [i for reservation in answers for i in reservation.get("Instances", [])]
        return [_fact(i) for i in instances if self._ours(i)]

    async def addresses(self, cluster_id: str) -> list[AddressFact]:
        """Elastic addresses with the cluster's tags, in a fixed order."""
        answer = await self._ec2.call("DescribeAddresses", {"Filters": _by_tag(cluster_id)})
        found = [
            AddressFact(a["AllocationId"], a["PublicIp"], a.get("AssociationId", ""))
            for a in answer.get("Addresses", [])
            if self._ours(a)
        ]
        return sorted(found, key=lambda a: a.allocation_id)

    async def volumes(self, cluster_id: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Ids of the cluster's volumes: those free to delete, those still in use."""
        found = await self._tagged("DescribeVolumes", "Volumes", cluster_id)
        ours = [v for v in found if self._ours(v) and v["State"] not in {"deleting", "deleted"}]
        free = tuple(v["VolumeId"] for v in ours if v["State"] in {"available", "error"})
        return free, tuple(v["VolumeId"] for v in ours if v["VolumeId"] not in free)

    def _ours(self, thing: Mapping[str, Any]) -> bool:
        return tags.unpack(thing.get("Tags")).get(tags.INSTALL) == self._install

    async def _tagged(self, action: str, key: str, cluster_id: str) -> list[dict[str, Any]]:
        return await _pages(self._ec2, action, key, _by_tag(cluster_id))


def _by_tag(cluster_id: str) -> list[dict[str, Any]]:
    return [{"Name": f"tag:{tags.CLUSTER}", "Values": [cluster_id]}]


async def _filtered(ec2: Ec2, name: str, values: list[str]) -> list[InstanceFact]:
    filters = [{"Name": name, "Values": values}]
    pages = await _pages(ec2, "DescribeInstances", "Reservations", filters)
    return [_fact(i) for reservation in pages for i in reservation.get("Instances", [])]


async def _pages(
    ec2: Ec2, action: str, key: str, filters: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    token = ""
    while True:
        more = {"NextToken": token} if token else {}
        answer = await ec2.call(action, {"Filters": filters, "MaxResults": 500, **more})
        found += answer.get(key, [])
        token = answer.get("NextToken", "")
        if not token:
            return found


def _facts(answer: Mapping[str, Any]) -> list[InstanceFact]:
    reservations = answer.get("Reservations", [])
    return [_fact(i) for reservation in reservations for i in reservation.get("Instances", [])]


def _fact(instance: Mapping[str, Any]) -> InstanceFact:
    owner = tags.owner_of(tags.unpack(instance.get("Tags")))
    reason = instance.get("StateReason", {})
    launched = instance.get("LaunchTime")
    return InstanceFact(
        instance_id=instance["InstanceId"],
        machine=Machine(instance["State"]["Name"]),
        token=instance.get("ClientToken", ""),
        reason=reason.get("Message") or reason.get("Code", ""),
        public_ip=instance.get("PublicIpAddress", ""),
        private_ip=instance.get("PrivateIpAddress", ""),
        subnet_id=instance.get("SubnetId", ""),
        launched_at_ms=int(launched.timestamp() * 1000) if isinstance(launched, datetime) else 0,
        slot=owner.slot if owner else -1,
        attempt=owner.attempt if owner else -1,
    )


fact = _fact
