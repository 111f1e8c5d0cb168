"""The smallest change from the rules a group holds to the rules it shall hold."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from ipaddress import ip_network

OURS = "kite:"


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """What makes two rules the same: canonical range and TCP port."""

    cidr: str
    port: int

    @property
    def v6(self) -> bool:
        return ":" in self.cidr

    def __str__(self) -> str:
        return f"{self.cidr} port {self.port}"


@dataclass(frozen=True, slots=True)
class Held:
    """A rule as EC2 holds it.

    Attributes:
        rule_id: sgr-...; empty when the look did not tell ids.
        key: None for a rule that Kite never makes (other protocol, port range, peer group).
        text: the rule in words.
        ours: it carries Kite's description.
        v4, v6: the limits it counts towards.
    """

    rule_id: str
    key: Key | None
    text: str
    ours: bool
    v4: bool
    v6: bool


@dataclass(frozen=True, slots=True)
class Change:
    """`revoke_first`: there is no room to grant before revoking."""

    grant: tuple[Key, ...] = ()
    revoke: tuple[Held, ...] = ()
    revoke_first: bool = False

    def __bool__(self) -> bool:
        return bool(self.grant or self.revoke)


@dataclass(frozen=True, slots=True)
class Applied:
    """What was done and what is there now."""

    rules: tuple[Held, ...]
    granted: tuple[Key, ...] = ()
    revoked: tuple[Held, ...] = ()
    revoked_first: bool = False

    @property
    def changed(self) -> bool:
        return bool(self.granted or self.revoked)


def canonical(cidr: str) -> str:
    """A range as EC2 tells it, in the spelling that Kite compares."""
    return str(ip_network(cidr, strict=False))


def change(
    *, want: Collection[Key], have: Iterable[Held], limit: int, keep_strange: bool = False
) -> Change:
    """Edits that lead from `have` to `want`: no rule that stays is touched.

    Args:
        want: the rules that shall be there.
        have: the rules that are there.
        limit: rules per group and address family.
        keep_strange: leave rules that do not carry Kite's description where they are.
    """
    held = tuple(have)
    there = {one.key for one in held}
    grant = tuple(sorted(key for key in want if key not in there))
    revoke = tuple(one for one in held if one.key not in want and (one.ours or not keep_strange))
    over = any(
        sum(one.v6 if v6 else one.v4 for one in held) + sum(key.v6 is v6 for key in grant) > limit
        for v6 in (False, True)
    )
    return Change(grant, revoke, revoke_first=bool(grant and revoke) and over)


def strange(*, want: Collection[Key], have: Iterable[Held]) -> tuple[Held, ...]:
    """Rules that nobody wished and Kite did not make."""
    return tuple(one for one in have if one.key not in want and not one.ours)
