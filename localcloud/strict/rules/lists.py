"""Pages of everything but instances: moto answers with the whole list and knows no tokens."""

from __future__ import annotations

import base64
import binascii
from dataclasses import replace
from xml.etree import ElementTree as ET

from localcloud.strict.call import Call, Refusal, Reply
from localcloud.strict.cloud import Cloud
from localcloud.strict.rule import Rule

_API = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/"
SETS = {
    "DescribeNetworkInterfaces": "networkInterfaceSet",
    "DescribeSecurityGroupRules": "securityGroupRuleSet",
    "DescribeSecurityGroups": "securityGroupInfo",
    "DescribeSubnets": "subnetSet",
    "DescribeTags": "tagSet",
    "DescribeVolumes": "volumeSet",
    "DescribeVpcs": "vpcSet",
}
"""Action to the element that holds its list."""


def token_after(action: str, at: int) -> str:
    """The token of the page that begins at entry `at`."""
    return base64.urlsafe_b64encode(f"{action}:{at}".encode()).decode()


def place_of(action: str, token: str) -> int:
    """Where the page of a token begins; 0 without one. Raises Refusal for one not ours."""
    if not token:
        return 0
    try:
        named, _, at = (
            base64.b64decode(token, altchars=b"-_", validate=True).decode().partition(":")
        )
        if named == action:
            return int(at)
    except (binascii.Error, ValueError):
        pass
    raise Refusal("InvalidNextToken", "The specified NextToken is not valid.")


def cut(reply: Reply, action: str, at: int, size: int) -> Reply:
    """One page of a whole list, with the token of the next when there is more."""
    root = ET.fromstring(reply.body)  # noqa: S314 - moto's own answer
    space = root.tag.partition("}")[0] + "}" if root.tag.startswith("{") else ""
    ET.register_namespace("", space[1:-1])
    entries = root.find(space + SETS[action])
    if entries is None:
        return reply
    every = list(entries)
    for entry in (*every[:at], *every[at + size :]):
        entries.remove(entry)
    if len(every) > at + size:
        ET.SubElement(root, f"{space}nextToken").text = token_after(action, at + size)
    return replace(reply, body=ET.tostring(root, encoding="utf-8", xml_declaration=True))


class ListPages(Rule):
    """MaxResults cuts a list into pages; the token of another action is none."""

    name = "list-pages"
    document = _API + "API_DescribeSecurityGroups.html"
    actions = frozenset(SETS)
    _PAGE = 1000

    def before(self, call: Call, cloud: Cloud) -> Call | Reply:  # noqa: ARG002
        place_of(call.action, call.params.text("NextToken"))
        return call

    def after(self, call: Call, reply: Reply, cloud: Cloud) -> Reply:  # noqa: ARG002
        if not {"MaxResults", "NextToken"} & set(call.params.values):
            return reply
        at = place_of(call.action, call.params.text("NextToken"))
        return cut(reply, call.action, at, call.params.number("MaxResults") or self._PAGE)
