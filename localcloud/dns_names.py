"""Which names the local cloud's DNS knows. Pure.

EC2 names carry their address (EC2 user guide, "Amazon EC2 instance hostname types"):
`ec2-198-18-88-4.compute-1.amazonaws.com` in us-east-1, `ec2-….REGION.compute.amazonaws.com`
elsewhere (`.com.cn` in China), `ip-10-88-0-4.ec2.internal` or
`ip-….REGION.compute.internal` inside.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import AddressValueError, IPv4Address, IPv4Network

REGION = r"[a-z]{2}(?:-[a-z]+)+-[0-9]+"
NAME = re.compile(
    rf"(?:ec2-(?P<outer>\d+-\d+-\d+-\d+)\.(?:compute-1|{REGION}\.compute)\.amazonaws\.com(?:\.cn)?"
    rf"|ip-(?P<inner>\d+-\d+-\d+-\d+)\.(?:ec2|{REGION}\.compute)\.internal)\.?",
    re.IGNORECASE,
)


def address(name: str, ours: Iterable[IPv4Network]) -> IPv4Address | None:
    """The address in an EC2 name when it lies in one of our ranges, else None."""
    if not (match := NAME.fullmatch(name)):
        return None
    try:
        found = IPv4Address((match["outer"] or match["inner"]).replace("-", "."))
    except AddressValueError:
        return None
    return found if any(found in network for network in ours) else None
