"""Names and descriptions EC2 takes: lengths, characters, reserved beginnings. Pure verdicts."""

from __future__ import annotations

import re

from localcloud.strict.call import Call, Refusal, Reply, walk
from localcloud.strict.cloud import Cloud
from localcloud.strict.rule import Rule
from localcloud.strict.rules.group_rules import AUTHORIZE, UPDATE

_API = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/"
LONGEST = 255
_SAID = "a-z, A-Z, 0-9, spaces, and ._-:/()#,@[]+=&;{}!$*"
_TEXT = re.compile(r"[A-Za-z0-9 ._\-:/()#,@\[\]+=&;{}!$*]*")


def _invalid(text: str) -> Refusal:
    return Refusal("InvalidParameterValue", text)


def group_verdict(name: str, description: str) -> Refusal | None:
    """May a security group be called and described so?"""
    for value, said in ((name, "groupName"), (description, "GroupDescription")):
        if not value:
            text = f"The request must contain the parameter {said}"
            return Refusal("MissingParameter", text)
    if name.lower().startswith("sg-"):
        return _invalid(f"Invalid value '{name}' for groupName. It may not begin with sg-.")
    if name == "default":
        return Refusal("InvalidGroup.Reserved", "The security group 'default' is reserved")
    for value, said in ((name, "groupName"), (description, "GroupDescription")):
        if len(value) > LONGEST:
            return _invalid(f"{said} has {len(value)} characters; at most {LONGEST} are taken.")
        if not _TEXT.fullmatch(value):
            return _invalid(f"Invalid value for {said}. Valid characters: {_SAID}")
    return None


def description_verdict(description: str) -> Refusal | None:
    """May a rule be described so?"""
    if len(description) <= LONGEST and _TEXT.fullmatch(description):
        return None
    text = (
        "Invalid rule description. Valid descriptions are strings of at most 255 characters "
        f"from the set {_SAID}"
    )
    return _invalid(text)


def key_name_verdict(name: str) -> Refusal | None:
    """May a key pair be called so?"""
    if 0 < len(name) <= LONGEST and name.isascii() and name.isprintable():
        return None
    return _invalid("Invalid value for KeyName: 1 to 255 printable ASCII characters are taken.")


class GroupNames(Rule):
    """Names starting `sg-`, too long, or of other characters are refused."""

    name = "group-names"
    document = _API + "API_CreateSecurityGroup.html"
    actions = frozenset({"CreateSecurityGroup"})

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:  # noqa: ARG002
        refusal = group_verdict(call.params.text("GroupName"), call.params.text("Description"))
        if refusal is not None:
            raise refusal
        return call


class RuleDescriptions(Rule):
    """A rule's description has at most 255 characters of a small set."""

    name = "rule-descriptions"
    document = _API + "API_IpRange.html"
    actions = AUTHORIZE | UPDATE

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:  # noqa: ARG002
        for name, value in walk(call.params.values):
            refusal = description_verdict(str(value)) if name == "Description" else None
            if refusal is not None:
                raise refusal
        return call


class KeyNames(Rule):
    """A key pair's name is at most 255 ASCII characters."""

    name = "key-names"
    document = _API + "API_CreateKeyPair.html"
    actions = frozenset({"CreateKeyPair", "ImportKeyPair"})

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:  # noqa: ARG002
        refusal = key_name_verdict(call.params.text("KeyName"))
        if refusal is not None:
            raise refusal
        return call


class KeyPairIds(Rule):
    """DeleteKeyPair takes a key pair's id as well as its name; absent ones are no error."""

    name = "key-pair-ids"
    document = _API + "API_DeleteKeyPair.html"
    actions = frozenset({"DeleteKeyPair"})

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:
        wanted = call.params.text("KeyPairId")
        if not wanted:
            return call
        pairs = cloud.backend(call).key_pairs.values()
        name = next((pair.key_name for pair in pairs if pair.id == wanted), wanted)
        return call.altered(KeyPairId=None, KeyName=name)
