"""Scripted misfortune: which calls go wrong, how, and how often."""

from __future__ import annotations

import fnmatch
import threading
from dataclasses import dataclass, field, replace
from enum import StrEnum

from localcloud.strict.call import Call, Refusal


class Kind(StrEnum):
    """What happens to a call that a fault meets."""

    LOST_REPLY = "lost-reply"
    RESET = "reset"
    DELAY = "delay"
    DELAY_REPLY = "delay-reply"
    ERROR = "error"
    NO_CAPACITY = "no-capacity"
    THROTTLE = "throttle"
    HIDE = "hide"


@dataclass(frozen=True, slots=True)
class Fault:
    """One misfortune.

    `action` is a pattern (`*`, `Describe*`); `times` how many matching calls it meets, 0 for
    all; `skip` how many it lets pass first. `seconds` for delays; `code`, `message`, `status`
    for coded errors (without a status 400; no capacity 500, and EC2 also has it with 400);
    `instance_type` and `zone` narrow no-capacity; `describes` is how many looks a fresh id
    stays hidden from, `empty` answers those with an empty list instead of NotFound.
    """

    kind: Kind
    action: str = "*"
    times: int = 1
    skip: int = 0
    seconds: float = 0.0
    code: str = ""
    message: str = ""
    status: int | None = None
    instance_type: str = "*"
    zone: str = "*"
    describes: int = 1
    empty: bool = False


@dataclass(slots=True)
class _Armed:
    fault: Fault
    number: int
    met: int = 0
    passed: int = field(default=0)


class FaultScript:
    """The faults in force, oldest first. Safe to change from any thread while calls run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._armed: list[_Armed] = []
        self._number = 0

    def add(self, fault: Fault) -> int:
        """Arm a fault; its number takes it away again."""
        with self._lock:
            self._number += 1
            self._armed.append(_Armed(replace(fault), self._number))
            return self._number

    def remove(self, number: int) -> None:
        with self._lock:
            self._armed = [armed for armed in self._armed if armed.number != number]

    def clear(self) -> None:
        with self._lock:
            self._armed.clear()

    @property
    def armed(self) -> bool:
        """True when anything could go wrong."""
        return bool(self._armed)

    def all(self) -> list[tuple[int, Fault, int]]:
        """(number, fault, times met) of everything armed or used up."""
        with self._lock:
            return [(armed.number, armed.fault, armed.met) for armed in self._armed]

    def meeting(self, call: Call, zone: str = "") -> list[Fault]:
        """The faults this call meets now; each use is counted."""
        if not self._armed:
            return []
        with self._lock:
            return [armed.fault for armed in self._armed if _meets(armed, call, zone)]


def _meets(armed: _Armed, call: Call, zone: str) -> bool:
    fault = armed.fault
    if fault.times and armed.met >= fault.times:
        return False
    if not fnmatch.fnmatchcase(call.action, fault.action):
        return False
    if fault.kind is Kind.NO_CAPACITY and not _wants(call, fault, zone):
        return False
    if armed.passed < fault.skip:
        armed.passed += 1
        return False
    armed.met += 1
    return True


def _wants(call: Call, fault: Fault, zone: str) -> bool:
    return (
        call.action in {"RunInstances", "StartInstances"}
        and fnmatch.fnmatchcase(call.params.text("InstanceType"), fault.instance_type)
        and fnmatch.fnmatchcase(zone, fault.zone)
    )


def refusal_of(fault: Fault) -> Refusal | None:
    """The error a fault answers with, if it is of that sort."""
    match fault.kind:
        case Kind.ERROR:
            return Refusal(
                fault.code or "InternalError", fault.message or fault.code, fault.status or 400
            )
        case Kind.THROTTLE:
            return Refusal("RequestLimitExceeded", "Request limit exceeded.", 503)
        case Kind.NO_CAPACITY:
            return Refusal(
                fault.code or "InsufficientInstanceCapacity",
                fault.message or "There is not enough capacity for this type in this zone now.",
                fault.status or 500,
            )
        case _:
            return None
