"""Waits are judged by who looked on: what nobody could see for a while may be well by now. Pure."""

from dataclasses import replace

from provisioner.limits import Limits
from provisioner.record import Node, NodeState, Record

_GROWING = frozenset({NodeState.STARTING, NodeState.LOADING})


def lengthened(record: Record, limits: Limits, last: int | None, now: int) -> Record:
    """The record as a first look after a blind time takes it: what grows has some time left.

    `last` is when the cluster was looked at before, None = never by this visit; epoch milliseconds.
    """
    if last is not None and now - last < limits.blind_ms:
        return record
    soonest = now + limits.second_look_ms

    def waits(node: Node) -> Node:
        if node.state not in _GROWING or node.retiring or not 0 < node.deadline_ms < soonest:
            return node
        return replace(node, deadline_ms=soonest)

    return replace(record, nodes=tuple(waits(node) for node in record.nodes))
