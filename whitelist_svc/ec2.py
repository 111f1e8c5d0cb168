"""EC2's security groups: read them, change them. Decides nothing.

Every failure leaves as a KiteError with EC2's code in its context (`code_of`).
Source of the calls: EC2 API reference, VPC security groups.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kite import tags
from kite.errors import KiteError
from whitelist_svc import sight
from whitelist_svc.change import Held, Key
from whitelist_svc.groups import Group, Wanted
from whitelist_svc.session import Session


def code_of(failed: KiteError) -> str:
    """The EC2 error code behind a failure, or nothing."""
    return failed.context.get("aws-code", "")


class Ec2:
    """The security groups of one account and region."""

    def __init__(self, session: Session) -> None:
        self._session = session

    # -- looking --------------------------------------------------------------------------

    async def named(self, names: Sequence[str], *, vpc_id: str = "") -> tuple[Group, ...]:
        """Groups with exactly these names, whoever owns them; empty `vpc_id` = any VPC."""
        filters = [_filter("group-name", *names)]
        if vpc_id:
            filters.append(_filter("vpc-id", vpc_id))
        found = await self._groups(filters)
        # Filter values know wildcards; equality is decided here.
        return tuple(group for group in found if group.name in names)

    async def of_install(self, install: str) -> tuple[Group, ...]:
        """Every group of this install with its rules; rules carry no ids in this look."""
        found = await self._groups([_filter(f"tag:{tags.INSTALL}", install)])
        return tuple(group for group in found if group.owner.install == install)

    async def held(self, group_id: str) -> tuple[Held, ...]:
        """The incoming rules of a group, with ids."""
        found = await self._session.pages(
            "describe_security_group_rules",
            "SecurityGroupRules",
            Filters=[_filter("group-id", group_id)],
        )
        return tuple(
            sight.rule(one) for one in found if one["GroupId"] == group_id and not one["IsEgress"]
        )

    async def blockers(self, group_id: str) -> tuple[str, ...]:
        """Ids of what keeps a group from being deleted: interfaces and other groups' rules."""
        interfaces = await self._session.pages(
            "describe_network_interfaces",
            "NetworkInterfaces",
            Filters=[_filter("group-id", group_id)],
        )
        naming = await self._groups([_filter("ip-permission.group-id", group_id)])
        return (
            *(sight.interface(one) for one in interfaces),
            *(f"rule in {group.group_id}" for group in naming if group.group_id != group_id),
        )

    async def _groups(self, filters: list[dict[str, Any]]) -> tuple[Group, ...]:
        found = await self._session.pages(
            "describe_security_groups", "SecurityGroups", Filters=filters
        )
        return tuple(sight.group(one) for one in found)

    # -- changing -------------------------------------------------------------------------

    async def create(self, wanted: Wanted, vpc_id: str) -> str:
        """Make a group with its tags in one call; the id.

        Raises:
            CloudRefused: InvalidGroup.Duplicate when the name is taken in this VPC.
        """
        made = await self._session.call(
            "create_security_group",
            GroupName=wanted.name,
            Description=wanted.description,
            VpcId=vpc_id,
            TagSpecifications=[
                {"ResourceType": "security-group", "Tags": tags.pack(wanted.tags)},
            ],
        )
        return str(made["GroupId"])

    async def grant(self, group_id: str, rules: Mapping[Key, str]) -> tuple[Held, ...]:
        """Open rules (with their descriptions) in one call, all or nothing; what was made.

        Raises:
            CloudRefused: InvalidPermission.Duplicate when one of them is there already.
        """
        made = await self._session.call(
            "authorize_security_group_ingress",
            GroupId=group_id,
            IpPermissions=_permissions(rules),
        )
        return tuple(sight.rule(one) for one in made.get("SecurityGroupRules", ()))

    async def grant_peers(self, group_id: str) -> None:
        """Let members of a group reach each other on everything."""
        pair = {"GroupId": group_id, "Description": "kite:peers"}
        await self._session.call(
            "authorize_security_group_ingress",
            GroupId=group_id,
            IpPermissions=[{"IpProtocol": "-1", "UserIdGroupPairs": [pair]}],
        )

    async def revoke(self, group_id: str, rule_ids: Iterable[str]) -> None:
        """Close rules by id in one call, all or nothing."""
        await self._session.call(
            "revoke_security_group_ingress",
            GroupId=group_id,
            SecurityGroupRuleIds=list(rule_ids),
        )

    async def delete(self, group_id: str) -> None:
        await self._session.call("delete_security_group", GroupId=group_id)


def _filter(name: str, *values: str) -> dict[str, Any]:
    return {"Name": name, "Values": list(values)}


def _permissions(rules: Mapping[Key, str]) -> list[dict[str, Any]]:
    by_port: defaultdict[int, list[Key]] = defaultdict(list)
    for key in sorted(rules):
        by_port[key.port].append(key)
    return [
        {
            "IpProtocol": "tcp",
            "FromPort": port,
            "ToPort": port,
            "IpRanges": [
                {"CidrIp": key.cidr, "Description": rules[key]} for key in keys if not key.v6
            ],
            "Ipv6Ranges": [
                {"CidrIpv6": key.cidr, "Description": rules[key]} for key in keys if key.v6
            ],
        }
        for port, keys in by_port.items()
    ]
