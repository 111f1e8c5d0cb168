"""How a change of a whitelist ends whose process may have died before it could tell. Pure.

The loop that mends looks at the group of every cluster anyhow: what it finds or brings about is
the end of every change of that cluster that runs, whoever began it. A process that still works on
one comes to the same end, and the first end that is recorded stays.
"""

from dataclasses import dataclass

from kite.errors import CloudRefused, Forbidden, InvalidRequest, KiteError, OverLimit

# Longer than a process that lives takes to find out the same (20 s of patience, then its tries).
DEAD_MS = 120_000
DELETED = "CLUSTER_DELETING"
IN_FORCE = "the list is in force"
NEVER = "the cluster was deleted before it was told that the list is in force"
APPLYING = "Kite goes on applying the stored list"
_REFUSALS = (CloudRefused, Forbidden, InvalidRequest, OverLimit)


@dataclass(frozen=True, slots=True)
class End:
    """`reason` is empty for success."""

    description: str
    reason: str = ""


def ending(*, wanted: bool, failed: KiteError | None, age_ms: int) -> End | None:
    """The end of a running change; None = it runs on.

    Args:
        wanted: its cluster is there and wanted.
        failed: why the wish of now is not in force; None = it is.
        age_ms: since it began.
    """
    if not wanted:
        return End(NEVER, DELETED)
    if failed is None:
        return End(IN_FORCE)
    if isinstance(failed, _REFUSALS) and age_ms >= DEAD_MS:
        return End(f"{failed.description}. {APPLYING}", failed.reason)
    return None
