"""Tags: how many, how long, whose names are taken, on what. Pure verdicts, thin rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from localcloud.strict.call import Call, Params, Refusal, Reply
from localcloud.strict.cloud import Cloud
from localcloud.strict.rule import EVERY, Rule

_LIMITS = "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html"
_API = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/"
MOST = 50
LONGEST_KEY = 128
LONGEST_VALUE = 256
_LAUNCH = frozenset(
    {"instance", "volume", "network-interface", "spot-instances-request", "elastic-gpu"}
)
TAGGABLE: Mapping[str, frozenset[str]] = {
    "RunInstances": _LAUNCH,
    "CreateSecurityGroup": frozenset({"security-group"}),
    "AuthorizeSecurityGroupIngress": frozenset({"security-group-rule"}),
    "AuthorizeSecurityGroupEgress": frozenset({"security-group-rule"}),
    "AllocateAddress": frozenset({"elastic-ip"}),
    "CreateVolume": frozenset({"volume"}),
    "CreateSnapshot": frozenset({"snapshot"}),
    "CreateNetworkInterface": frozenset({"network-interface"}),
    "CreateKeyPair": frozenset({"key-pair"}),
    "ImportKeyPair": frozenset({"key-pair"}),
    "CreateVpc": frozenset({"vpc"}),
    "CreateSubnet": frozenset({"subnet"}),
}
NOT_FOUND = {
    "i": "InvalidInstanceID.NotFound",
    "ami": "InvalidAMIID.NotFound",
    "sg": "InvalidGroup.NotFound",
    "sgr": "InvalidSecurityGroupRuleId.NotFound",
    "vol": "InvalidVolume.NotFound",
    "eni": "InvalidNetworkInterfaceID.NotFound",
    "snap": "InvalidSnapshot.NotFound",
    "eipalloc": "InvalidAllocationID.NotFound",
    "key": "InvalidKeyPair.NotFound",
    "vpc": "InvalidVpcID.NotFound",
    "subnet": "InvalidSubnetID.NotFound",
    "igw": "InvalidInternetGatewayID.NotFound",
    "rtb": "InvalidRouteTableID.NotFound",
    "pcx": "InvalidVpcPeeringConnectionID.NotFound",
}


def tags_verdict(tags: Sequence[tuple[str, str]], held: Mapping[str, str]) -> Refusal | None:
    """May these tags be put on a resource that holds `held` already?"""
    seen: set[str] = set()
    for key, value in tags:
        text = _wrong(key, value, seen)
        if text:
            return Refusal("InvalidParameterValue", text)
        seen.add(key)
    own = {key for key in held if not key.startswith("aws:")} | seen
    if len(own) > MOST:
        return Refusal("TagLimitExceeded", f"More than {MOST} tags on one resource.")
    return None


def _wrong(key: str, value: str, seen: set[str]) -> str:
    if not key:
        return "Tag keys must not be empty."
    if len(key) > LONGEST_KEY:
        return f"Tag key has {len(key)} characters; at most {LONGEST_KEY} are taken."
    if len(value) > LONGEST_VALUE:
        return f"Tag value has {len(value)} characters; at most {LONGEST_VALUE} are taken."
    if key.lower().startswith("aws:"):
        return f"Tag keys starting with 'aws:' are reserved for internal use: '{key}'"
    if key in seen:
        return f"Duplicate tag key '{key}' specified."
    return ""


def specs_verdict(action: str, kinds: Sequence[str]) -> Refusal | None:
    """May an action tag resources of these kinds, each named once?"""
    allowed = TAGGABLE.get(action)
    for number, kind in enumerate(kinds):
        if allowed is not None and kind not in allowed:
            text = f"'{kind}' is not a valid taggable resource type for this operation."
            return Refusal("InvalidParameterValue", text)
        if kind in kinds[:number]:
            text = f"Tag specifications for '{kind}' are given twice."
            return Refusal("InvalidParameterValue", text)
    return None


def _pairs(params: Params) -> list[tuple[str, str]]:
    return [(tag.text("Key"), tag.text("Value")) for tag in params.structs("Tags")]


def _tag_lists(call: Call, cloud: Cloud) -> Iterator[tuple[list[tuple[str, str]], dict[str, str]]]:
    if call.action == "CreateTags":
        for resource_id in call.params.texts("Resources"):
            yield _pairs(call.params), cloud.tags_of(call, resource_id)
    for spec in call.params.structs("TagSpecifications"):
        yield _pairs(spec), {}


class TagLimits(Rule):
    """50 tags a resource, keys to 128 and values to 256 characters, no `aws:`, no key twice."""

    name = "tag-limits"
    document = _LIMITS
    actions = EVERY

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:
        if call.action != "CreateTags" and "TagSpecifications" not in call.params:
            return call
        for tags, held in _tag_lists(call, cloud):
            refusal = tags_verdict(tags, held)
            if refusal is not None:
                raise refusal
        kinds = [s.text("ResourceType") for s in call.params.structs("TagSpecifications")]
        refusal = specs_verdict(call.action, kinds)
        if refusal is not None:
            raise refusal
        return call


class TaggedThings(Rule):
    """CreateTags and DeleteTags want resources that exist, or change nothing."""

    name = "tagged-things"
    document = _API + "API_CreateTags.html"
    actions = frozenset({"CreateTags", "DeleteTags"})

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:
        for resource_id in call.params.texts("Resources"):
            if cloud.exists(call, resource_id) is False:
                code = NOT_FOUND[resource_id.partition("-")[0]]
                raise Refusal(code, f"The ID '{resource_id}' does not exist")
        return call


class TagsEnd(Rule):
    """DescribeTags shows the tags of what exists, of the right kind, and nothing else."""

    name = "tags-end"
    document = _API + "API_DescribeTags.html"
    actions = frozenset({"DescribeTags"})
    _KINDS = {"eipalloc": "elastic-ip", "sir": "spot-instances-request"}  # noqa: RUF012

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:
        tags = cloud.backend(call).tags
        for resource_id in list(tags):
            if not tags[resource_id] or cloud.exists(call, resource_id) is False:
                del tags[resource_id]
        return call

    def install(self, cloud: Cloud) -> None:  # noqa: ARG002
        from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE

        self._before = {prefix: EC2_PREFIX_TO_RESOURCE[prefix] for prefix in self._KINDS}
        EC2_PREFIX_TO_RESOURCE.update(self._KINDS)

    def remove(self, cloud: Cloud) -> None:  # noqa: ARG002
        from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE

        EC2_PREFIX_TO_RESOURCE.update(self._before)
