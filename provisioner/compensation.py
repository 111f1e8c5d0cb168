"""What a claim that was over must take back of what it just did. Pure.

A process may stand still between its last look at the lease and the arrival of its call. What the
next holder will find under its names is left to it; what nobody will look for any more is undone.
"""

from kite.errors import KiteError
from provisioner.facts import Allocated, Launched, Outcome
from provisioner.plan import (
    Action,
    DropGroups,
    EnsureGroups,
    Launch,
    Release,
    Terminate,
)
from provisioner.record import NodeState, Record

Results = tuple[tuple[Action, Outcome | KiteError], ...]


def undo(results: Results, stored: Record | None, *, others: bool) -> tuple[Action, ...]:
    """Actions that take back what does not fit the cluster as stored now; None = it is gone.

    `others` says that another cluster keeps what belongs to the whole install.
    """
    return tuple(
        undone for action, outcome in results for undone in _undo(action, outcome, stored, others)
    )


def _undo(
    action: Action,
    outcome: Outcome | KiteError,
    stored: Record | None,
    others: bool,  # noqa: FBT001 - as in undo
) -> tuple[Action, ...]:
    match outcome:
        case Launched(instance) if isinstance(action, Launch) and not _awaited(
            action, instance.instance_id, stored
        ):
            return (Terminate((instance.instance_id,)),)
        case Allocated(address) if not _could_be_theirs(address.allocation_id, stored):
            return (Release((address.allocation_id,)),)
        case _ if isinstance(action, EnsureGroups) and stored is None:
            return (DropGroups(last_cluster=not others),)
        case _:
            return ()


def _awaited(launch: Launch, instance_id: str, stored: Record | None) -> bool:
    """The next holder repeats this very launch, looks for it by its token, or saw its end.

    An attempt that was given up without this machine is not looked at any more.
    """
    return any(
        (node.slot, node.attempt) == (launch.slot, launch.attempt)
        and node.state is not NodeState.GONE
        and (node.retiring or node.state is not NodeState.FAILED or node.instance_id == instance_id)
        for node in (stored.nodes if stored else ())
    )


def _could_be_theirs(allocation_id: str, stored: Record | None) -> bool:
    """It is the cluster's address, or will be found by its tag."""
    return stored is not None and stored.address.allocation_id in {"", allocation_id}
