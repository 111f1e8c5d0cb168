"""The whitelist service in memory: security groups by name, made and dropped in the same EC2."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from email.utils import format_datetime
from typing import Any

from kite import refusals, tags
from kite.errors import Unavailable
from kite.v1 import cluster_pb2, whitelist_pb2
from tests.sim.cloud import Cloud, SecurityGroup
from tests.sim.hosts import at

BASE = "kite-base-sim"


@dataclass
class Groups:
    """Answers as whitelist_svc.whitelist_rpc does; half done things are possible."""

    cloud: Cloud

    def answer(self, path: str, request: Any) -> Any:
        return _METHODS[path.rpartition("/")[2]](self, request)

    def ensure(
        self, asked: whitelist_pb2.EnsureGroupsRequest
    ) -> whitelist_pb2.EnsureGroupsResponse:
        wanted = [(BASE, "base", ""), (f"kite-{asked.cluster_id}", "whitelist", asked.cluster_id)]
        if asked.peers:
            wanted.append((f"kite-{asked.cluster_id}-peers", "peers", asked.cluster_id))
        made = []
        for name, kind, cluster_id in wanted:
            if self.cloud.chance.hits("throttle"):
                raise Unavailable("sim: the whitelist service got half of it done")
            group = self._ensure(name, cluster_id)
            made.append(
                cluster_pb2.SecurityGroup(
                    logical_name=f"sg-{kind}",
                    group_name=name,
                    group_id=group.group_id,
                    kind=kind,
                )
            )
        return whitelist_pb2.EnsureGroupsResponse(groups=made)

    def _ensure(self, name: str, cluster_id: str) -> SecurityGroup:
        cloud = self.cloud
        if name not in cloud.groups:
            known = cloud.chance.between(1, 45) if cloud.chance.hits("unknown_group") else 0
            group_id = f"sg-{cloud.number():x}"
            cloud.groups[name] = SecurityGroup(group_id, name, cluster_id, cloud.now + known)
            cloud.tale.tell("ec2", f"{group_id} is {name}")
        return cloud.groups[name]

    def close(self, asked: whitelist_pb2.CloseGroupsRequest) -> whitelist_pb2.CloseGroupsResponse:
        return whitelist_pb2.CloseGroupsResponse()

    def drop(self, asked: whitelist_pb2.DropGroupsRequest) -> whitelist_pb2.DropGroupsResponse:
        cloud, remaining = self.cloud, []
        mine = [g for g in cloud.groups.values() if g.cluster_id == asked.cluster_id]
        for group in mine:
            if cloud.chance.hits("throttle"):
                raise Unavailable("sim: the whitelist service got half of it done")
            if not self._dropped(group):
                remaining.append(cluster_pb2.SecurityGroup(group_id=group.group_id))
        others = any(g.cluster_id for g in cloud.groups.values())
        if asked.last_cluster and not remaining and not others and BASE in cloud.groups:
            self._dropped(cloud.groups[BASE])
        why = "machines still use them" if remaining else ""
        return whitelist_pb2.DropGroupsResponse(remaining=remaining, why=why)

    # what the sweep of the whitelist service asks EC2 -------------------------------------------

    def describe_security_groups(self, asked: Any) -> dict[str, Any]:
        return {
            "SecurityGroups": [_shown(group) for group in self.cloud.groups.values()],
            "ResponseMetadata": {"HTTPHeaders": {"date": format_datetime(at(self.cloud.now))}},
        }

    def describe_security_group_rules(self, asked: Any) -> dict[str, Any]:
        return {"SecurityGroupRules": []}

    def delete_security_group(self, asked: Any) -> dict[str, Any]:
        for group in list(self.cloud.groups.values()):
            if group.group_id == asked["GroupId"]:
                if not self._dropped(group):
                    raise refusals.failure("DependencyViolation", "sim")
                return {}
        raise refusals.failure("InvalidGroup.NotFound", "sim")

    def _dropped(self, group: SecurityGroup) -> bool:
        """False for a DependencyViolation (EC2 API, DeleteSecurityGroup)."""
        cloud = self.cloud
        if any(group.group_id in h.groups and h.alive(cloud.now) for h in cloud.hosts.values()):
            return False
        cloud.groups.pop(group.name, None)
        cloud.tale.tell("ec2", f"{group.group_id} ({group.name}) is deleted")
        return True


def _shown(group: SecurityGroup) -> dict[str, Any]:
    kind = "whitelist" if group.cluster_id else "base"
    marks = {tags.INSTALL: "sim", tags.KIND: kind}
    if group.cluster_id:
        marks[tags.CLUSTER] = group.cluster_id
    return {
        "GroupId": group.group_id,
        "GroupName": group.name,
        "VpcId": "vpc-1",
        "Tags": tags.pack(marks),
    }


_METHODS: dict[str, Callable[[Groups, Any], Any]] = {
    "EnsureGroups": Groups.ensure,
    "CloseGroups": Groups.close,
    "DropGroups": Groups.drop,
}
