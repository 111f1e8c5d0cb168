"""EC2 as the local cloud sees it: its public API and nothing behind it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

from localcloud import wish
from localcloud.wish import Attached, Wish


@dataclass(frozen=True)
class Sight:
    """One look at the cloud: instances, and the rules of every group by id."""

    wishes: Mapping[str, Wish]
    groups: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Papers:
    """What is asked once, when a host is built."""

    keys: tuple[str, ...]
    user_data: str | None
    volumes: tuple[Attached, ...]


class Ec2:
    """Reads one region through boto3; safe for threads."""

    def __init__(self, endpoint: str, region: str) -> None:
        self.client: Any = boto3.client(
            "ec2",
            endpoint_url=endpoint,
            region_name=region,
            aws_access_key_id="local",
            aws_secret_access_key="local",  # noqa: S106 - the local cloud asks for none
            config=Config(
                max_pool_connections=10,
                connect_timeout=5,
                read_timeout=30,
                retries={"mode": "standard", "total_max_attempts": 3},
                proxies={},
            ),
        )

    def look(self) -> Sight:
        pages = self.client.get_paginator("describe_instances").paginate()
        reservations = [one for page in pages for one in page["Reservations"]]
        groups = self._all("describe_security_groups", "SecurityGroups")
        return Sight(wish.wishes(reservations), {group["GroupId"]: group for group in groups})

    def volumes(self) -> tuple[set[str], dict[str, tuple[Attached, ...]]]:
        """Every volume there is, and those on instances by instance id."""
        described = self._all("describe_volumes", "Volumes")
        return {one["VolumeId"] for one in described}, wish.volumes(described)

    def papers(self, one: Wish) -> Papers:
        """All that a new host is told. Raises botocore errors."""
        _, attached = self.volumes()
        data = self.client.describe_instance_attribute(
            InstanceId=one.instance_id, Attribute="userData"
        )
        encoded = data.get("UserData", {}).get("Value")
        return Papers(
            keys=self._keys(one.key_name),
            user_data=base64.b64decode(encoded).decode() if encoded else None,
            volumes=attached.get(one.instance_id, ()),
        )

    def _keys(self, name: str | None) -> tuple[str, ...]:
        if not name:
            return ()
        pairs = self.client.describe_key_pairs(IncludePublicKey=True)["KeyPairs"]
        return tuple(
            pair["PublicKey"] for pair in pairs if pair["KeyName"] == name and "PublicKey" in pair
        )

    def _all(self, operation: str, what: str) -> list[Mapping[str, Any]]:
        pages = self.client.get_paginator(operation).paginate()
        return [one for page in pages for one in page[what]]
