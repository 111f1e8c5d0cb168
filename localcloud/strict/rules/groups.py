"""Security groups in use: what holds them, how many an interface may have."""

from __future__ import annotations

from collections.abc import Iterator

from localcloud.strict.call import Call, Refusal, Reply
from localcloud.strict.cloud import Cloud
from localcloud.strict.facts import Group
from localcloud.strict.rule import Rule
from localcloud.strict.rules.permissions import Peer
from localcloud.strict.wire import with_tag_set

_API = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/"


def in_use_verdict(group: Group, holders: list[str], all_groups: list[Group]) -> Refusal | None:
    """A group goes only when no interface holds it and no other group's rule names it."""
    if group.is_default:
        text = f'the specified group: "{group.id}" name: "default" cannot be deleted by a user'
        return Refusal("CannotDelete", text)
    naming = [
        other.id
        for other in all_groups
        if other.id != group.id
        and any(
            rule.peer is Peer.GROUP and rule.value == group.id
            for rule in (*other.ingress.values(), *other.egress.values())
        )
    ]
    if not holders and not naming:
        return None
    return Refusal("DependencyViolation", f"resource {group.id} has a dependent object")


class GroupInUse(Rule):
    """DeleteSecurityGroup is refused while an interface or another group's rule needs it."""

    name = "group-in-use"
    document = _API + "API_DeleteSecurityGroup.html"
    actions = frozenset({"DeleteSecurityGroup"})

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:
        group = cloud.group_of(call)
        if group is None:
            return call
        holders = cloud.holders_of(call, group.id)
        refusal = in_use_verdict(group, holders, cloud.groups(call))
        if refusal is not None:
            raise refusal
        return call


class InterfaceInUse(Rule):
    """DeleteNetworkInterface is refused while the interface is attached."""

    name = "interface-in-use"
    document = _API + "API_DeleteNetworkInterface.html"
    actions = frozenset({"DeleteNetworkInterface"})

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:
        interface_id = call.params.text("NetworkInterfaceId")
        interface = cloud.backend(call).enis.get(interface_id)
        if interface is not None and interface.attachment_id:
            text = f"Network interface '{interface_id}' is currently in use."
            raise Refusal("InvalidParameterValue", text)
        return call


def group_lists(call: Call) -> Iterator[tuple[str, ...]]:
    """The group ids a call wants on each interface."""
    params = call.params
    if call.action == "RunInstances":
        yield params.texts("SecurityGroupIds") + params.texts("SecurityGroups")
        for interface in params.structs("NetworkInterfaces"):
            yield interface.texts("Groups")
    else:
        yield params.texts("Groups")


class GroupsPerInterface(Rule):
    """An interface holds at most five groups, all of its VPC, all existing."""

    name = "groups-per-interface"
    document = "https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html"
    actions = frozenset(
        {
            "RunInstances",
            "CreateNetworkInterface",
            "ModifyNetworkInterfaceAttribute",
            "ModifyInstanceAttribute",
        }
    )

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:
        for ids in group_lists(call):
            if len(ids) > cloud.knobs.groups_per_interface:
                text = "The maximum number of security groups per interface has been reached."
                raise Refusal("SecurityGroupsPerInterfaceLimitExceeded", text)
            self._known(call, cloud, ids)
        return call

    @staticmethod
    def _known(call: Call, cloud: Cloud, ids: tuple[str, ...]) -> None:
        vpc_id = cloud.vpc_of(call)
        for group_id in ids:
            group = cloud.group(call, group_id)
            if group is None:
                text = f"The security group '{group_id}' does not exist"
                raise Refusal("InvalidGroup.NotFound", text)
            if vpc_id and group.vpc_id != vpc_id:
                text = f"Security group {group_id} and the subnet belong to different networks."
                raise Refusal("InvalidParameter", text)


class NewGroupTags(Rule):
    """CreateSecurityGroup answers with the tags it gave."""

    name = "new-group-tags"
    document = _API + "API_CreateSecurityGroup.html"
    actions = frozenset({"CreateSecurityGroup"})

    def after(self, call: Call, reply: Reply, cloud: Cloud) -> Reply:  # noqa: ARG002
        tags = [
            (tag.text("Key"), tag.text("Value"))
            for spec in call.params.structs("TagSpecifications")
            for tag in spec.structs("Tags")
        ]
        return with_tag_set(reply, call.action, tags) if tags else reply
