"""Security groups and their rules. What may not be is refused by the strict rules before."""

from __future__ import annotations

from collections.abc import Iterator

from localcloud.fake import shown
from localcloud.fake.cloud import FakeCloud
from localcloud.fake.estate import Estate
from localcloud.fake.filters import filters_of, matching
from localcloud.fake.lists import Listing, Readers, page_of
from localcloud.fake.things import Group, GroupRule
from localcloud.fake.xml import items, reply
from localcloud.strict.call import Call, Params, Refusal, Reply
from localcloud.strict.rules.lists import token_after
from localcloud.strict.rules.permissions import Peer, Permission, flat, permission

GROUPS = Listing(
    things=lambda estate: estate.groups,
    ids="GroupIds",
    kind="sg",
    element="securityGroupInfo",
    show=shown.group,
    readers={
        "group-id": lambda one: (one.id,),
        "group-name": lambda one: (one.name,),
        "vpc-id": lambda one: (one.vpc_id,),
        "description": lambda one: (one.description,),
        "ip-permission.group-id": lambda one: [
            r.permission.value for r in one.ingress.values() if r.permission.peer is Peer.GROUP
        ],
    },
    narrow={"group-id": lambda _, value: (value,)},
)


def create(_: FakeCloud, estate: Estate, call: Call) -> Reply:
    name, vpc_id = call.params.text("GroupName"), call.params.text("VpcId")
    if not vpc_id:
        vpc_id = next(v.id for v in estate.vpcs.values() if v.is_default)
    if vpc_id not in estate.vpcs:
        raise Refusal("InvalidVpcID.NotFound", f"The vpc ID '{vpc_id}' does not exist")
    if any(g.name == name and g.vpc_id == vpc_id for g in estate.groups.values()):
        text = f"The security group '{name}' already exists for VPC '{vpc_id}'"
        raise Refusal("InvalidGroup.Duplicate", text)
    made = estate.add_group(name, call.params.text("Description"), vpc_id)
    for spec in call.params.structs("TagSpecifications"):
        estate.tags.put(made.id, {t.text("Key"): t.text("Value") for t in spec.structs("Tags")})
    tags = shown.tag_set(estate.tags.of(made.id))
    return reply(call.action, {"return": True, "groupId": made.id, "tagSet": tags})


def delete(_: FakeCloud, estate: Estate, call: Call) -> Reply:
    gone = _group(estate, call)
    del estate.groups[gone.id]
    estate.interfaces_of.pop(gone.id, None)
    estate.tags.forget(gone.id)
    return reply(call.action, {"return": True, "groupId": gone.id})


def _group(estate: Estate, call: Call) -> Group:
    wanted = call.params.text("GroupId")
    if wanted not in estate.groups:
        text = f"The security group '{wanted}' does not exist"
        raise Refusal("InvalidGroup.NotFound", text)
    return estate.groups[wanted]


def _side(group: Group, action: str) -> dict[str, GroupRule]:
    return group.egress if action.endswith("Egress") else group.ingress


def authorize(_: FakeCloud, estate: Estate, call: Call) -> Reply:
    group = _group(estate, call)
    side, added = _side(group, call.action), []
    for one, description in _asked(call.params):
        made = GroupRule(estate.new_id("sgr"), one, description)
        side[made.id] = made
        added.append(made)
    group.fact = None
    egress = call.action.endswith("Egress")
    parts = [shown.group_rule(estate, group.id, rule, egress=egress) for rule in added]
    return reply(call.action, {"return": True, "securityGroupRuleSet": items(parts)})


def _asked(params: Params) -> Iterator[tuple[Permission, str]]:
    """Every rule of a call with its description."""
    for item in params.structs("IpPermissions") or (flat(params),):
        ports = (item.text("IpProtocol"), item.number("FromPort"), item.number("ToPort"))
        for ranges, peer, name in (
            ("IpRanges", Peer.IPV4, "CidrIp"),
            ("Ipv6Ranges", Peer.IPV6, "CidrIpv6"),
            ("UserIdGroupPairs", Peer.GROUP, "GroupId"),
            ("PrefixListIds", Peer.LIST, "PrefixListId"),
        ):
            for one in item.structs(ranges):
                yield permission(*ports, peer, one.text(name)), one.text("Description")


def revoke(_: FakeCloud, estate: Estate, call: Call) -> Reply:
    """By rule ids; the strict rules turn every other form into this one."""
    group = _group(estate, call)
    side = _side(group, call.action)
    ids = call.params.texts("SecurityGroupRuleIds")
    missing = [one for one in ids if one not in side]
    if missing:
        text = f"The security group rule ID '{missing[0]}' does not exist"
        raise Refusal("InvalidSecurityGroupRuleId.NotFound", text)
    for one in ids:
        side.pop(one, None)
    group.fact = None
    return reply(call.action, {"return": True})


def describe_rules(_: FakeCloud, estate: Estate, call: Call) -> Reply:
    """Rules of all groups, outgoing and incoming, page by page."""
    filters = filters_of(call)
    passes = matching(filters, _READERS, lambda one: estate.tags.of(one[1].id))
    exact = [f for f in filters if f.name == "group-id" and f.exact]
    ids = exact[0].values if exact else tuple(estate.groups)
    groups = [estate.groups[one] for one in ids if one in estate.groups]
    wanted = set(call.params.texts("SecurityGroupRuleIds"))
    found = [
        one
        for group in groups
        for one in _rules(group)
        if passes(one) and (not wanted or one[1].id in wanted)
    ]
    low, high = page_of(call, range(1, len(found) + 1), whole=True)
    token = token_after(call.action, high) if high < len(found) else None
    parts = [shown.group_rule(estate, g.id, r, egress=e) for g, r, e in found[low:high]]
    return reply(call.action, {"securityGroupRuleSet": items(parts), "nextToken": token})


_READERS: Readers = {
    "group-id": lambda one: (one[0].id,),
    "security-group-rule-id": lambda one: (one[1].id,),
}


def _rules(group: Group) -> Iterator[tuple[Group, GroupRule, bool]]:
    for egress, side in ((True, group.egress), (False, group.ingress)):
        for rule in side.values():
            yield group, rule, egress
