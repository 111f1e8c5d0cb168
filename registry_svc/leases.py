"""Who may act on what, until when: leases and fences, decided without a clock of their own.

A fence grows with every new holder and never falls. A write by the holder is guarded by its fence
alone: while nobody else has claimed, a holder that is late has lost nothing.
All times are epoch milliseconds of the registry's clock.
"""

from dataclasses import dataclass, replace

from kite.errors import InvalidRequest, LeaseLost

DEFAULT_SECONDS, LONGEST_SECONDS = 30, 600
LONGEST_MS = LONGEST_SECONDS * 1000
MOST_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Lease:
    """`holder` is empty when nobody holds it; `generation` is the newest wish the holder saw.

    `claim` is the number that the holder gave the claim which took it.
    """

    holder: str = ""
    fence: int = 0
    until_ms: int = 0
    generation: int = 0
    claim: int = 0


def seconds(wished: int) -> int:
    """Length of a lease; 0 = the usual one.

    Raises:
        InvalidRequest: negative or longer than 10 minutes.
    """
    if not 0 <= wished <= LONGEST_SECONDS:
        raise InvalidRequest(
            f"lease_seconds must be 0 to {LONGEST_SECONDS}, not {wished}",
            reason="INVALID_LEASE",
            field="/lease_seconds",
        )
    return wished or DEFAULT_SECONDS


def holder_name(text: str) -> str:
    """`text` when it may name a holder.

    Raises:
        InvalidRequest: empty or longer than 200 characters.
    """
    if not 1 <= len(text) <= 200:  # noqa: PLR2004
        raise InvalidRequest(
            "holder must be 1 to 200 characters; it names the process that asks",
            reason="INVALID_HOLDER",
            field="/holder",
        )
    return text


def free(lease: Lease, now_ms: int) -> bool:
    """Held by nobody, over, or longer than any lease: then the clock has jumped back since."""
    return not lease.holder or not now_ms < lease.until_ms <= now_ms + LONGEST_MS


def due(lease: Lease, *, due_at_ms: int, now_ms: int) -> bool:
    """May be claimed now."""
    return free(lease, now_ms) and due_at_ms <= now_ms


def taken(
    lease: Lease, holder: str, *, now_ms: int, seconds: int, generation: int = 0, claim: int = 0
) -> Lease:
    """The lease after a claim; only for a lease that is free."""
    return Lease(holder, lease.fence + 1, now_ms + seconds * 1000, generation, claim)


def unheard(lease: Lease, holder: str, *, known: bool, claim: int) -> bool:
    """Whether the holder, who sends this claim, never heard that it holds the lease.

    What a newer claim took is known by now, or will be: this one was long on its way.
    """
    return lease.holder == holder and not known and (not claim or lease.claim < claim)


def held(lease: Lease, *, holder: str, fence: int) -> bool:
    return bool(lease.holder) and lease.holder == holder and lease.fence == fence


def renewed(lease: Lease, *, now_ms: int, seconds: int) -> Lease:
    """Longer, never shorter, unless no lease can be that long."""
    wished = now_ms + seconds * 1000
    plausible = lease.until_ms <= now_ms + LONGEST_MS
    return replace(lease, until_ms=max(lease.until_ms, wished) if plausible else wished)


def released(lease: Lease) -> Lease:
    """Free again; the fence stays, so that the next one is greater."""
    return replace(lease, holder="", until_ms=0)


def check(lease: Lease, *, holder: str, fence: int) -> None:
    """Refuse a write by somebody who is not (any more) the holder.

    Raises:
        LeaseLost: with the fence of now, so that the log tells who overtook whom.
    """
    if not held(lease, holder=holder, fence=fence):
        raise LeaseLost(
            f"fence {fence} of {holder} is over (now {lease.fence} of "
            f"{lease.holder or 'nobody'}); stop touching this cluster and claim again",
            context={"fence": str(fence), "fence-now": str(lease.fence)},
        )


def next_due(lease: Lease, *, wished_ms: int, now_ms: int, generation: int) -> int:
    """When a cluster is due after a commit: at once when the wish changed behind the holder.

    No later than ten minutes from now, whatever clock the wish was read from.
    """
    if not wished_ms or lease.generation != generation:
        return now_ms
    return min(wished_ms, now_ms + LONGEST_MS)
