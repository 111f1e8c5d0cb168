"""How long an instance stays between two states. Pure: the clock's reading comes in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """EC2's instance states."""

    PENDING = "pending"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    SHUTTING_DOWN = "shutting-down"
    TERMINATED = "terminated"


CODES = {
    State.PENDING: 0,
    State.RUNNING: 16,
    State.SHUTTING_DOWN: 32,
    State.TERMINATED: 48,
    State.STOPPING: 64,
    State.STOPPED: 80,
}

GONE = "gone"
NEXT = {
    State.PENDING: State.RUNNING,
    State.STOPPING: State.STOPPED,
    State.SHUTTING_DOWN: State.TERMINATED,
    State.TERMINATED: GONE,
}
FOREVER = math.inf


@dataclass(frozen=True, slots=True)
class Due:
    """At `at` (seconds of the clock) the instance leaves `state`."""

    state: State
    at: float


class LifeBook:
    """Who is on the way from one state to the next, and until when."""

    def __init__(self) -> None:
        self._due: dict[str, Due] = {}

    def begin(self, instance_id: str, state: State, until: float) -> None:
        self._due[instance_id] = Due(state, until)

    def end(self, instance_id: str) -> None:
        self._due.pop(instance_id, None)

    def clear(self) -> None:
        self._due.clear()

    def ripe(self, now: float) -> list[tuple[str, str]]:
        """(instance id, next state or `gone`) of everything whose time has come."""
        return [(who, NEXT[due.state]) for who, due in self._due.items() if due.at <= now]
