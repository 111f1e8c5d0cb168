"""How a change that did not come into force is told. Pure."""

from kite.errors import Conflict, KiteError

RESTORED = "The whitelist before is in force; nothing has changed"
RESTORING = "The whitelist before is being restored"
APPLYING = "Kite goes on applying the stored list"


def changed(now: int, expected: int) -> Conflict:
    """The list is another one than its caller thought."""
    return Conflict(
        f"the whitelist has revision {now}, not {expected}: somebody changed it; read it again",
        reason="REVISION_MISMATCH",
    )


def told(failed: KiteError, *, after: str, true: str) -> KiteError:
    """The failure with what became of the list (one of the above) and what is `true` in EC2."""
    return type(failed)(
        f"{failed.description}. {after}. In force now: {true}",
        reason=failed.reason,
        field=failed.field,
        retry_after=failed.retry_after,
        context={**failed.context, "restored": str(after == RESTORED).lower()},
    )
