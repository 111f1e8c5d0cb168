"""The address a request really came from. Pure.

`X-Forwarded-For` is written by whoever likes to; it is read from the right, and only as far as each
hop is a proxy named in the settings.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network


def networks(texts: Sequence[str]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(text) for text in texts)


def address(
    peer: str, forwarded: Sequence[str], proxies: Sequence[IPv4Network | IPv6Network]
) -> str:
    """The first address from the right that is no trusted proxy; `peer` when nothing is known."""
    hops = [hop.strip() for line in forwarded for hop in line.split(",")]
    here = _plain(peer)
    while here is not None and hops and any(here in network for network in proxies):
        further = _plain(hops.pop())
        if further is None:
            break
        here = further
    return str(here) if here is not None else peer


def as_range(text: str) -> str:
    """The address as a whitelist entry: /32 or /128."""
    return str(ip_network(text))


def _plain(text: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found
