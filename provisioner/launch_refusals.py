"""What a refused launch means for the node it was for. Pure."""

from dataclasses import replace

from kite.errors import (
    AlreadyExists,
    CloudRefused,
    Forbidden,
    InvalidRequest,
    KiteError,
    NoCapacity,
    OverLimit,
)
from kite.refusals import MALFORMED_CALL, TOKEN_MISMATCH, TOKEN_OVER, gone
from provisioner import nodes
from provisioner.limits import Limits, Wait
from provisioner.node import OTHER_LAUNCH
from provisioner.record import Node
from provisioner.sight import GROUP_MISSING, NO_CAPACITY, PLACE_MISSING

USER_DATA_CHANGED = "USER_DATA_CHANGED"
_NO_OFFER = frozenset({NO_CAPACITY, PLACE_MISSING})  # one wait, whichever the last answer was
_FOR_GOOD = (CloudRefused, OverLimit, AlreadyExists, InvalidRequest, Forbidden)


def for_good(error: KiteError) -> bool:
    """Asked again the same way, the answer would be the same; a malformed call is never sent."""
    return isinstance(error, _FOR_GOOD) or error.reason == MALFORMED_CALL


def group_missing(error: KiteError) -> bool:
    """EC2 does not know (yet, or any more) a security group of the launch."""
    code = error.context.get("aws-code", "")
    return code.startswith(("InvalidGroup", "InvalidSecurityGroup")) and gone(code)


def place_missing(error: KiteError) -> bool:
    """EC2 does not know the image or subnet of the launch any more: it was found a while ago."""
    code = error.context.get("aws-code", "")
    return code.startswith(("InvalidAMIID", "InvalidSubnetID")) and code != "InvalidAMIID.Malformed"


def after_refusal(
    node: Node,
    error: KiteError,
    limits: Limits,
    now: int,
    *,
    first: bool = False,
    overdue: bool = False,
) -> Node:
    """The node after its launch was refused; unchanged while the outcome is unknown.

    A refusal for good still lets a machine be looked for, unless this was the `first` try under
    its token: an earlier one, whose answer was lost, may have made one. `overdue`: this try was
    made when its groups had been missing for long enough.

    What this record freezes before it asks, it never asks for differently. So when EC2 says that
    the token stands for another launch, the record is older than that one (a restored copy), and
    the machine may hold data: it is looked for and taken over, not ended.
    """
    if _of_another_launch(node, error):
        return replace(node, reason=OTHER_LAUNCH)
    if reason := _nothing_made(error, first=first):
        return _next_offer(node, reason, limits, now)
    if group_missing(error):
        return _missing(node, error, limits, now, overdue=overdue)
    if reason := _cannot_be_repeated(error):
        return replace(node, retiring=True, reason=reason, why=error.description)
    if error.context.get("aws-code", "") in TOKEN_OVER:
        return _used_up(node, now)
    return _for_good(node, error, error.reason, now, machine=not first) if for_good(error) else node


def _of_another_launch(node: Node, error: KiteError) -> bool:
    """The token stands for a machine that this record knows nothing of, and it has not ended."""
    code = error.context.get("aws-code", "")
    return code in TOKEN_MISMATCH or (node.reason == OTHER_LAUNCH and code not in TOKEN_OVER)


def _for_good(node: Node, error: KiteError, reason: str, now: int, *, machine: bool = True) -> Node:
    return nodes.failed(node, error.description, reason, now, machine=machine)


def _missing(node: Node, error: KiteError, limits: Limits, now: int, *, overdue: bool) -> Node:
    """Just made things may not be seen by every part of EC2 yet.

    The minute runs from the first refusal, and a try begun after it decides: how long our own
    process stood still meanwhile says nothing about EC2.
    """
    if overdue:
        return _for_good(node, error, GROUP_MISSING, now)
    first = node.reason != GROUP_MISSING
    deadline = now + limits.missing_ms if first else node.deadline_ms
    return replace(node, reason=GROUP_MISSING, deadline_ms=deadline)


def _nothing_made(error: KiteError, *, first: bool) -> str:
    """The reason when no machine can have come of it and another offer may do; else empty."""
    if isinstance(error, NoCapacity):
        return NO_CAPACITY
    return PLACE_MISSING if first and place_missing(error) else ""


def _cannot_be_repeated(error: KiteError) -> str:
    """The reason when what is frozen can never be sent again; an earlier try may have worked."""
    if place_missing(error):
        return PLACE_MISSING
    return error.reason if error.reason == USER_DATA_CHANGED else ""


def _next_offer(node: Node, reason: str, limits: Limits, now: int) -> Node:
    """The intent stays to say which offer comes next, without its token: nothing was made."""
    refused, deadline = node.refused, node.deadline_ms
    if node.reason not in _NO_OFFER:
        refused, deadline = (), now + limits.waits_ms[Wait.CAPACITY]
    intent = node.intent and replace(node.intent, client_token="")
    if intent and reason == NO_CAPACITY and intent.offer not in refused:
        refused = (*refused, intent.offer)
    return replace(node, intent=intent, reason=reason, deadline_ms=deadline, refused=refused)


def _used_up(node: Node, now: int) -> Node:
    """The token belongs to a machine that ends: the attempt is spent, and counts.

    The intent stays, so that the machine is looked for and its end is seen first.
    """
    launches = (*nodes.recent(node, now), now)
    why = "the machine of this attempt ended before it was written down"
    return replace(node, retiring=True, why=why, reason="INSTANCE_LOST", launches_ms=launches)
