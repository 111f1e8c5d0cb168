"""What EC2 shows by token or tag: asked only where an id is missing, or nothing may be left."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from kite import tags
from provisioner.ec2.client import Ec2
from provisioner.ec2.pages import pages
from provisioner.facts import AddressFact, InstanceFact, Machine, VolumeFact

DATA_DEVICE = "/dev/sdf"  # what a launch calls the data volume; the kernel has names of its own


class Finder:
    """Lookups by token and by our own tags: for adoption and at the end of a deletion."""

    def __init__(self, ec2: Ec2, install: str) -> None:
        self._ec2 = ec2
        self._install = install

    async def by_token(self, cluster_id: str, token: str) -> InstanceFact | None:
        """The machine launched under the token, by token, else by our tags and token.

        A machine that has ended is found only when no other is.
        """
        found = await filtered(self._ec2, "client-token", [token])
        if not found:
            found = [i for i in await self.by_cluster(cluster_id) if i.token == token]
        found.sort(key=lambda i: i.machine is Machine.TERMINATED)
        return found[0] if found else None

    async def by_cluster(self, cluster_id: str) -> list[InstanceFact]:
        """Every machine of the cluster that EC2 still shows, ended ones too."""
        answers = await self._tagged("DescribeInstances", "Reservations", cluster_id)
        instances = [i for reservation in answers for i in reservation.get("Instances", [])]
        return [fact(i) for i in instances if self._ours(i)]

    async def addresses(self, cluster_id: str) -> list[AddressFact]:
        """Elastic addresses with the cluster's tags, in a fixed order."""
        answer = await self._ec2.call("DescribeAddresses", {"Filters": _by_tag(cluster_id)})
        found = [
            AddressFact(a["AllocationId"], a["PublicIp"], a.get("AssociationId", ""))
            for a in answer.get("Addresses", [])
            if self._ours(a)
        ]
        return sorted(found, key=lambda a: a.allocation_id)

    async def volumes(self, cluster_id: str) -> tuple[tuple[str, ...], tuple[VolumeFact, ...]]:
        """The cluster's volumes: ids of those free to delete, and those still in use."""
        found = await self._tagged("DescribeVolumes", "Volumes", cluster_id)
        ours = [v for v in found if self._ours(v) and v["State"] not in {"deleting", "deleted"}]
        free = tuple(v["VolumeId"] for v in ours if v["State"] in {"available", "error"})
        return free, tuple(_held(v) for v in ours if v["VolumeId"] not in free)

    def _ours(self, thing: Mapping[str, Any]) -> bool:
        return tags.unpack(thing.get("Tags")).get(tags.INSTALL) == self._install

    async def _tagged(self, action: str, key: str, cluster_id: str) -> list[dict[str, Any]]:
        return await _listed(self._ec2, action, key, _by_tag(cluster_id))


def _held(volume: Mapping[str, Any]) -> VolumeFact:
    attached = (one.get("InstanceId", "") for one in volume.get("Attachments", ()))
    return VolumeFact(volume["VolumeId"], tuple(sorted({*attached} - {""})))


def _by_tag(cluster_id: str) -> list[dict[str, Any]]:
    return [{"Name": f"tag:{tags.CLUSTER}", "Values": [cluster_id]}]


async def filtered(ec2: Ec2, name: str, values: list[str]) -> list[InstanceFact]:
    filters = [{"Name": name, "Values": values}]
    return _facts(await _listed(ec2, "DescribeInstances", "Reservations", filters))


async def _listed(
    ec2: Ec2, action: str, key: str, filters: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    asked = {"Filters": filters, "MaxResults": 500}
    return [one async for page in pages(ec2, action, asked) for one in page.get(key, [])]


def facts_of(answer: Mapping[str, Any]) -> list[InstanceFact]:
    return _facts(answer.get("Reservations", []))


def _facts(reservations: Iterable[Mapping[str, Any]]) -> list[InstanceFact]:
    return [fact(i) for reservation in reservations for i in reservation.get("Instances", [])]


def fact(instance: Mapping[str, Any]) -> InstanceFact:
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
        data_volume=_data_volume(instance),
    )


def _data_volume(instance: Mapping[str, Any]) -> str:
    for device in instance.get("BlockDeviceMappings", []):
        if device.get("DeviceName") == DATA_DEVICE:
            return str(device.get("Ebs", {}).get("VolumeId", ""))
    return ""
