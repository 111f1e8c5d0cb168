"""One source range as users write it: read strictly, canonical, of a kind that can be a source.

Only two spellings are taken: a bare address, and an address with a prefix length. Everything that
libraries take beside them (netmasks, zone ids, IPv4 inside IPv6, leading zeros) is refused, because
two readers could disagree about what it opens.
"""

import re
from collections.abc import Iterable
from ipaddress import (
    AddressValueError,
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    collapse_addresses,
)
from typing import TypeAlias

from kite.errors import InvalidRequest

Range: TypeAlias = IPv4Network | IPv6Network

_FORM = re.compile(r"([0-9A-Fa-f:.]{2,45})(?:/(0|[1-9][0-9]{0,2}))?\Z", re.ASCII)
_SHOWN = 60

# What is never the source of a packet that reaches EC2.
# Source: IANA IPv4 and IPv6 Special-Purpose Address Registries.
_NOT_A_SOURCE: tuple[tuple[Range, str], ...] = (
    (IPv4Network("0.0.0.0/8"), "this network"),
    (IPv4Network("127.0.0.0/8"), "loopback"),
    (IPv4Network("169.254.0.0/16"), "link-local"),
    (IPv4Network("224.0.0.0/4"), "multicast"),
    (IPv4Network("240.0.0.0/4"), "reserved"),
    (IPv6Network("::1/128"), "loopback"),
    (IPv6Network("::ffff:0:0/96"), "IPv4 written as IPv6"),
    (IPv6Network("::/8"), "reserved"),
    (IPv6Network("fe80::/10"), "link-local"),
    (IPv6Network("ff00::/8"), "multicast"),
)
_V6_SOURCES = (IPv6Network("2000::/3"), IPv6Network("fc00::/7"))


def shown(text: str) -> str:
    """User text as it may stand in a sentence: printable ASCII, cut."""
    return ascii(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


def parse(text: str, *, field: str) -> Range:
    """The range `text` means; a bare address is that one address.

    Raises:
        InvalidRequest: INVALID_CIDR, HOST_BITS_SET (with both readings), or INVALID_RANGE.
    """
    if "%" in text:
        raise InvalidRequest(
            f"source-ip {shown(text)} has a zone id; give an address without one",
            reason="INVALID_RANGE",
            field=field,
        )
    matched = _FORM.match(text)
    if matched is None:
        raise _unreadable(text, field)
    address = _address(matched[1], text, field)
    bits = address.max_prefixlen
    length = bits if matched[2] is None else int(matched[2])
    if length > bits:
        raise _unreadable(text, field)
    found = network(address, length)
    if found.network_address != address:
        raise InvalidRequest(
            f"source-ip {shown(text)} has host bits set; "
            f"write {found} for the whole range or {address}/{bits} for the one address",
            reason="HOST_BITS_SET",
            field=field,
        )
    _refuse_no_source(found, text, field)
    return found


def _address(text: str, whole: str, field: str) -> IPv4Address | IPv6Address:
    try:
        return IPv6Address(text) if ":" in text else IPv4Address(text)
    except AddressValueError:
        raise _unreadable(whole, field) from None


def _unreadable(text: str, field: str) -> InvalidRequest:
    return InvalidRequest(
        f"source-ip {shown(text)} is no IPv4 or IPv6 range; write 203.0.113.7, 203.0.113.0/24 "
        "or 2001:db8::/48 (a prefix length, no netmask)",
        reason="INVALID_CIDR",
        field=field,
    )


def network(address: IPv4Address | IPv6Address, length: int) -> Range:
    """The range of `length` fixed bits around `address`."""
    if isinstance(address, IPv4Address):
        return IPv4Network((address, length), strict=False)
    return IPv6Network((address, length), strict=False)


def _refuse_no_source(found: Range, text: str, field: str) -> None:
    kind = next((name for special, name in _NOT_A_SOURCE if within(found, special)), "")
    if not kind and found.version == 6 and found.prefixlen >= 3:  # noqa: PLR2004 - 2000::/3
        kind = "" if any(within(found, source) for source in _V6_SOURCES) else "reserved"
    if kind:
        raise InvalidRequest(
            f"source-ip {shown(text)} is {kind} and can never be a client's address",
            reason="INVALID_RANGE",
            field=field,
        )


def within(inner: Range, outer: Range) -> bool:
    """Whether every address of `inner` lies in `outer`."""
    if isinstance(inner, IPv4Network):
        return isinstance(outer, IPv4Network) and inner.subnet_of(outer)
    return isinstance(outer, IPv6Network) and inner.subnet_of(outer)


def union(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """The fewest blocks that cover exactly what `ranges` cover together."""
    given = tuple(ranges)
    v4 = [one for one in given if isinstance(one, IPv4Network)]
    v6 = [one for one in given if isinstance(one, IPv6Network)]
    return (*collapse_addresses(v4), *collapse_addresses(v6))
