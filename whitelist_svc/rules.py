"""What a user may put on a whitelist, and the canonical list it becomes.

Nothing passes here that covers more than the policy allows, neither by one range nor by several
that lie side by side.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kite.epoch import LAST_MS
from kite.errors import Forbidden, InvalidRequest
from kite.ports import WEB_GUI_PORT, PortType, numbers, port_type
from whitelist_svc import ranges
from whitelist_svc.change import Key
from whitelist_svc.ranges import Range

MOST_ASKED = 1_000
LONGEST_NOTE = 200

# Source: EC2 API reference, IpRange.Description.
_NOTE = re.compile(r"[A-Za-z0-9 ._\-:/()#,@\[\]+=&;{}!$*]*\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Wished:
    """One range as the user wrote it; `expires_at_ms` 0 = never."""

    source_ip: str
    port_type: str
    note: str = ""
    expires_at_ms: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a whitelist, canonical."""

    cidr: str
    port_type: PortType
    note: str = ""
    expires_at_ms: int = 0

    def live(self, now_ms: int) -> bool:
        return self.expires_at_ms == 0 or self.expires_at_ms > now_ms


@dataclass(frozen=True, slots=True)
class Policy:
    """What this install allows.

    Attributes:
        least_prefix_v4, least_prefix_v6: shortest prefix a range, or ranges side by side, may have.
        public: users may ask for wider ranges, 0.0.0.0/0 too, when they say so in the request.
        per_family: rules per security group and address family (an AWS quota, default 60).
        web_gui: port that milvus-em-port opens.
    """

    least_prefix_v4: int = 16
    least_prefix_v6: int = 48
    public: bool = False
    per_family: int = 60
    web_gui: int = WEB_GUI_PORT

    def too_wide(self, one: Range) -> bool:
        least = self.least_prefix_v4 if one.version == 4 else self.least_prefix_v6  # noqa: PLR2004
        return one.prefixlen < least


@dataclass(frozen=True, slots=True)
class Accepted:
    """`public` = it covers more than the policy allows without being asked."""

    entries: tuple[Entry, ...]
    public: bool


def accept(
    wished: Sequence[Wished], policy: Policy, *, now_ms: int, allow_public: bool
) -> Accepted:
    """The canonical whitelist: in the order asked, equal pairs merged.

    Raises:
        InvalidRequest: INVALID_CIDR, HOST_BITS_SET, INVALID_RANGE, UNKNOWN_PORT_TYPE, INVALID_NOTE,
            INVALID_EXPIRY or TOO_MANY_RULES; `field` points at the entry.
        Forbidden: RANGE_TOO_WIDE.
    """
    if len(wished) > MOST_ASKED:
        raise _too_many(f"{len(wished)} ranges were given; at most {MOST_ASKED} are read")
    read = [_read(one, now_ms, f"/ip-ranges/{place}") for place, one in enumerate(wished)]
    open_to_all = policy.public and allow_public
    wide = _refuse_wide(read, policy, open_to_all=open_to_all)
    entries = _merged(entry for _, entry in read)
    _refuse_many(entries, policy.per_family)
    return Accepted(entries, wide)


def _read(one: Wished, now_ms: int, field: str) -> tuple[Range, Entry]:
    found = ranges.parse(one.source_ip, field=f"{field}/source-ip")
    kind = port_type(one.port_type, field=f"{field}/port-type")
    if len(one.note) > LONGEST_NOTE or not _NOTE.match(one.note):
        raise InvalidRequest(
            f"a note has at most {LONGEST_NOTE} characters: letters, digits, spaces and "
            "._-:/()#,@[]+=&;{}!$*",
            reason="INVALID_NOTE",
            field=f"{field}/note",
        )
    if one.expires_at_ms and not now_ms < one.expires_at_ms <= LAST_MS:
        raise InvalidRequest(
            "expires-at must lie in the future (leave it out for an entry without end)",
            reason="INVALID_EXPIRY",
            field=f"{field}/expires-at",
        )
    return found, Entry(str(found), kind, one.note, one.expires_at_ms)


def _refuse_wide(read: Sequence[tuple[Range, Entry]], policy: Policy, *, open_to_all: bool) -> bool:
    """Whether more is covered than the policy allows unasked; refused unless asked and allowed."""
    wide = False
    for place, (found, _) in enumerate(read):
        if policy.too_wide(found):
            wide = True
            if not open_to_all:
                raise _too_wide(str(found), policy, f"/ip-ranges/{place}/source-ip")
    for kind in PortType:
        for block in ranges.union(found for found, entry in read if entry.port_type is kind):
            if policy.too_wide(block):
                wide = True
                if not open_to_all:
                    raise _too_wide(f"ranges that together cover {block}", policy, "/ip-ranges")
    return wide


def _too_wide(what: str, policy: Policy, field: str) -> Forbidden:
    hint = "; set allow-public to open it on purpose" if policy.public else ""
    return Forbidden(
        f"{what} is wider than this install allows (at least /{policy.least_prefix_v4} for IPv4, "
        f"/{policy.least_prefix_v6} for IPv6){hint}",
        reason="RANGE_TOO_WIDE",
        field=field,
    )


def _merged(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Equal (range, port type) once: the first note that says something, the longest stay."""
    found: dict[tuple[str, PortType], Entry] = {}
    for entry in entries:
        pair = (entry.cidr, entry.port_type)
        before = found.get(pair, entry)
        stays = 0 in (before.expires_at_ms, entry.expires_at_ms)
        until = 0 if stays else max(before.expires_at_ms, entry.expires_at_ms)
        found[pair] = Entry(*pair, before.note or entry.note, until)
    return tuple(found.values())


def _refuse_many(entries: Sequence[Entry], most: int) -> None:
    for family, v6 in (("IPv4", False), ("IPv6", True)):
        count = sum((":" in entry.cidr) is v6 for entry in entries)
        if count > most:
            raise _too_many(
                f"{count} {family} rules were asked for; a security group takes {most} "
                "(a range counts once per port type); join ranges or drop some"
            )


def _too_many(text: str) -> InvalidRequest:
    return InvalidRequest(text, reason="TOO_MANY_RULES", field="/ip-ranges")


def live(entries: Iterable[Entry], now_ms: int) -> tuple[Entry, ...]:
    """The entries that have not expired."""
    return tuple(entry for entry in entries if entry.live(now_ms))


def next_end_ms(entries: Iterable[Entry], now_ms: int) -> int:
    """When the next live entry expires; 0 = none does."""
    ends = (entry.expires_at_ms for entry in entries if entry.expires_at_ms > now_ms)
    return min(ends, default=0)


def keys(entries: Iterable[Entry], *, web_gui: int) -> dict[Key, str]:
    """What EC2 must hold for `entries`: each rule with the description it gets."""
    port = numbers(web_gui=web_gui)
    return {
        Key(entry.cidr, port[entry.port_type]): description(entry.port_type) for entry in entries
    }


def description(kind: PortType) -> str:
    """How a rule made by Kite is marked in EC2; the user's note stays in the registry."""
    return f"kite:{kind}"
