"""Every action the fake knows, and the strict rules that stand before them."""

from __future__ import annotations

from collections.abc import Mapping

from localcloud.fake import addressing, grouping, launching, lists, network
from localcloud.fake.cloud import Handler
from localcloud.strict.chain import Chain
from localcloud.strict.rule import Rule
from localcloud.strict.rules import (
    addresses,
    capacity,
    group_rules,
    groups,
    ids,
    interfaces,
    launches,
    naming,
    paging,
    states,
    tags,
    throttling,
    tokens,
    unsimulated,
    visibility,
    volumes,
)

ACTIONS: Mapping[str, Handler] = {
    "AllocateAddress": addressing.allocate,
    "AssociateAddress": addressing.associate,
    "AttachInternetGateway": network.attach_gateway,
    "AuthorizeSecurityGroupEgress": grouping.authorize,
    "AuthorizeSecurityGroupIngress": grouping.authorize,
    "CreateInternetGateway": network.create_gateway,
    "CreateSecurityGroup": grouping.create,
    "CreateSubnet": network.create_subnet,
    "CreateTags": network.tag,
    "CreateVolume": network.create_volume,
    "CreateVpc": network.create_vpc,
    "DeleteSecurityGroup": grouping.delete,
    "DeleteTags": network.untag,
    "DeleteVolume": network.delete_volume,
    "DescribeAddresses": lists.describe(addressing.ADDRESSES),
    "DescribeImages": network.describe_images,
    "DescribeInstanceTypeOfferings": network.offerings,
    "DescribeInstances": lists.describe_instances,
    "DescribeKeyPairs": network.describe_key_pairs,
    "DescribeNetworkInterfaces": lists.describe(network.INTERFACES),
    "DescribeSecurityGroupRules": grouping.describe_rules,
    "DescribeSecurityGroups": lists.describe(grouping.GROUPS),
    "DescribeSubnets": lists.describe(network.SUBNETS),
    "DescribeTags": lists.describe_tags,
    "DescribeVolumes": lists.describe(network.VOLUMES),
    "DescribeVpcs": lists.describe(network.VPCS),
    "DisassociateAddress": addressing.disassociate,
    "ModifyVpcAttribute": network.modify_vpc,
    "RebootInstances": launching.reboot,
    "ReleaseAddress": addressing.release,
    "RevokeSecurityGroupEgress": grouping.revoke,
    "RevokeSecurityGroupIngress": grouping.revoke,
    "RunInstances": launching.run,
    "StartInstances": launching.start,
    "StopInstances": launching.stop,
    "TerminateInstances": launching.terminate,
}


def fake_rules() -> list[Rule]:
    """The strict rules that need nothing of moto, in the order of the strict chain."""
    return [
        throttling.RequestRates(),
        ids.MalformedIds(),
        paging.PageSizes(),
        paging.NamedWhole(),
        paging.FilterValues(),
        tags.TagLimits(),
        naming.GroupNames(),
        naming.RuleDescriptions(),
        group_rules.PortRanges(),
        volumes.VolumeSizes(),
        interfaces.LaunchShape(),
        launches.UserData(),
        unsimulated.NoSpot(),
        tokens.ClientTokens(),
        tags.TaggedThings(),
        launches.InstanceTypes(),
        launches.Images(),
        launches.LaunchKeys(),
        groups.GroupsPerInterface(),
        groups.GroupInUse(),
        group_rules.DuplicateRules(),
        group_rules.RuleLimit(),
        group_rules.WholeRevoke(),
        states.PowerStates(),
        states.Reboots(),
        addresses.AddressQuota(),
        addresses.AssociateStates(),
        addresses.GatewayAttached(),
        addresses.ReleaseStates(),
        capacity.VcpuQuota(),
        capacity.Capacity(),
        throttling.ResourceRates(),
        group_rules.CanonicalCidrs(),
        launches.LaunchCounts(),
        interfaces.DefaultSubnet(),
        volumes.RootVolume(),
        visibility.VisibilityDelay(),
        visibility.TagLag(),
    ]


class FakeChain(Chain):
    """Rules before the fake: there is no moto to reach into."""

    def install(self) -> None:
        """Nothing to reach into."""

    def remove(self) -> None:
        """Nothing was reached into."""
