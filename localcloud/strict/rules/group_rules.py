"""Changing the rules of a security group: canonical, all or nothing, within limits."""

from __future__ import annotations

from typing import Any

from localcloud.strict.call import Call, Refusal, Reply
from localcloud.strict.cloud import Cloud
from localcloud.strict.patches import Patches
from localcloud.strict.rule import Rule
from localcloud.strict.rules.permissions import (
    duplicate,
    over_limit,
    permissions_of,
    ports_verdict,
    with_canonical_cidrs,
)

_API = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/"
AUTHORIZE = frozenset({"AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress"})
REVOKE = frozenset({"RevokeSecurityGroupIngress", "RevokeSecurityGroupEgress"})
UPDATE = frozenset(
    {
        "UpdateSecurityGroupRuleDescriptionsIngress",
        "UpdateSecurityGroupRuleDescriptionsEgress",
        "ModifySecurityGroupRules",
    }
)
_FLAT = ("IpProtocol", "FromPort", "ToPort", "CidrIp", "IpPermissions")


class CanonicalCidrs(Rule):
    """CIDR blocks are stored and compared in canonical form."""

    name = "canonical-cidr"
    document = _API + "API_IpRange.html"
    actions = AUTHORIZE | REVOKE | UPDATE

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:  # noqa: ARG002
        return call.only(**with_canonical_cidrs(call.params.values))


class PortRanges(Rule):
    """Ports out of range, turned round or missing are refused; so are unknown protocols."""

    name = "port-range"
    document = _API + "API_IpPermission.html"
    actions = AUTHORIZE | {"ModifySecurityGroupRules"}

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:  # noqa: ARG002
        items = [
            *call.params.structs("IpPermissions"),
            *(r.struct("SecurityGroupRule") for r in call.params.structs("SecurityGroupRules")),
        ]
        if "IpProtocol" in call.params:
            items.append(call.params)
        for item in items:
            ports = (item.number("FromPort"), item.number("ToPort"))
            refusal = ports_verdict(item.text("IpProtocol"), *ports)
            if refusal is not None:
                raise refusal
        return call


class DuplicateRules(Rule):
    """A batch with one rule that exists is refused whole; the reply lists all rules added."""

    name = "duplicate-rules"
    document = _API + "API_AuthorizeSecurityGroupIngress.html"
    actions = AUTHORIZE

    def __init__(self) -> None:
        self._patches = Patches()

    def install(self, cloud: Cloud) -> None:
        from moto.ec2.models.security_groups import SecurityGroupBackend

        for name in ("authorize_security_group_ingress", "authorize_security_group_egress"):
            plain = getattr(SecurityGroupBackend, name)
            self._patches.set(SecurityGroupBackend, name, _collecting(plain, cloud))

    def remove(self, cloud: Cloud) -> None:  # noqa: ARG002
        self._patches.undo()

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:
        group = cloud.group_of(call)
        if group is None:
            return call
        held = group.egress if call.action.endswith("Egress") else group.ingress
        twice = duplicate(held.values(), permissions_of(call.params))
        if twice is not None:
            text = f'the specified rule "{twice}" already exists'
            raise Refusal("InvalidPermission.Duplicate", text)
        return call


def _collecting(plain: Any, cloud: Cloud) -> Any:
    """Moto authorizes one permission at a time and answers with the last; keep all of a call."""
    added: list[Any] = []
    turn = 0

    def authorize(backend: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal turn
        rules, group = plain(backend, *args, **kwargs)
        if turn != cloud.turn:
            turn = cloud.turn
            added.clear()
        added.extend(rules)
        return list(added), group

    return authorize


class RuleLimit(Rule):
    """60 rules per direction for IPv4 and 60 for IPv6, counted apart."""

    name = "rule-limit"
    document = "https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html"
    actions = AUTHORIZE

    def __init__(self) -> None:
        self._patches = Patches()

    def install(self, cloud: Cloud) -> None:  # noqa: ARG002
        from moto.ec2.models.security_groups import SecurityGroupBackend

        name = "_verify_group_will_respect_rule_count_limit"
        self._patches.set(SecurityGroupBackend, name, lambda *_args, **_kwargs: None)

    def remove(self, cloud: Cloud) -> None:  # noqa: ARG002
        self._patches.undo()

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:
        group = cloud.group_of(call)
        if group is None:
            return call
        held = group.egress if call.action.endswith("Egress") else group.ingress
        wanted = permissions_of(call.params)
        if over_limit(held.values(), wanted, cloud.knobs.rules_per_group):
            text = "The maximum number of rules per security group has been reached."
            raise Refusal("RulesPerSecurityGroupLimitExceeded", text)
        return call


class WholeRevoke(Rule):
    """Revoking is all or nothing, and needs no description to find a rule.

    A rule that is not there is InvalidPermission.NotFound; in the default VPC it is passed
    over without an error.
    """

    name = "whole-revoke"
    document = _API + "API_RevokeSecurityGroupIngress.html"
    actions = REVOKE

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:
        group = cloud.group_of(call)
        wanted = permissions_of(call.params)
        if group is None or call.dry or not wanted or "SecurityGroupRuleIds" in call.params:
            return call
        held = group.egress if call.action.endswith("Egress") else group.ingress
        ids = [rule_id for rule_id, rule in held.items() if rule in wanted]
        if not set(wanted) <= set(held.values()) and not group.in_default_vpc:
            text = "The specified rule does not exist in this security group."
            raise Refusal("InvalidPermission.NotFound", text)
        if not ids:
            return _revoked(call.action)
        flat = dict.fromkeys(_FLAT)
        return call.altered(**flat, SecurityGroupRuleIds=ids)


def _revoked(action: str) -> Reply:
    body = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<{action}Response '
        'xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><return>true</return>'
        f"</{action}Response>"
    )
    return Reply(200, body.encode(), headers=(("Content-Type", "text/xml;charset=UTF-8"),))
