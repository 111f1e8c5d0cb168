"""What the loop tells of a whitelist it had to touch. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from whitelist_svc.change import Applied, Held
from whitelist_svc.rules import Entry

DRIFT, EXPIRED, APPLIED = "WhitelistDrift", "WhitelistExpired", "WhitelistApplied"
WAITING = "WhitelistWaiting"
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Told:
    """An event to be."""

    type: str
    description: str
    details: Mapping[str, str] = field(default_factory=dict)


def mended(applied: Applied, *, expired: Collection[Entry], late: bool) -> tuple[Told, ...]:
    """What to tell after a group was brought to its wish.

    Args:
        applied: what had to be done.
        expired: entries whose time was over; closing their rules is no drift.
        late: the wish is newer than what was applied last, so the difference is no drift.
    """
    told = [_expired(expired)] if expired else []
    over = {entry.cidr for entry in expired}
    granted = [str(key) for key in applied.granted]
    revoked = [one.text for one in applied.revoked if one.key is None or one.key.cidr not in over]
    if not granted and not revoked:
        return tuple(told)
    details = {"granted": str(len(granted)), "revoked": str(len(revoked))}
    if late:
        text = f"A whitelist stored before came into force: {_edits(granted, revoked)}."
        return (*told, Told(APPLIED, text, details))
    text = f"EC2 did not hold the wished whitelist; put right: {_edits(granted, revoked)}."
    return (*told, Told(DRIFT, text, details))


def _expired(entries: Iterable[Entry]) -> Told:
    names = [f"{entry.cidr} {entry.port_type}" for entry in entries]
    return Told(EXPIRED, f"Time is over for {_listed(names)}.", {"entries": str(len(names))})


def waiting(why: str, reason: str) -> Told:
    """The stored list is not in force; it stays wished."""
    text = f"The stored whitelist is not in force yet, Kite goes on applying it: {why}"
    return Told(WAITING, text, {"reason": reason})


def by_hand(found: Collection[Held]) -> Told:
    """Rules that nobody wished and that are left alone."""
    text = f"Rules that nobody wished were added by hand: {_listed(texts(found))}."
    return Told(DRIFT, text, {"strange": str(len(found))})


def texts(found: Iterable[Held]) -> list[str]:
    return sorted(one.text for one in found)


def _edits(granted: Sequence[str], revoked: Sequence[str]) -> str:
    parts = []
    if granted:
        parts.append(f"opened {_listed(granted)}")
    if revoked:
        parts.append(f"closed {_listed(revoked)}")
    return "; ".join(parts)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
