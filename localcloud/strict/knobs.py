"""What a user of the strict cloud may set; every value has the local cloud's default."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from localcloud.strict.life import FOREVER, State
from localcloud.strict.rates import Rate


@dataclass(frozen=True, slots=True)
class Knobs:
    """Times are seconds of the injected clock; quotas are per account and region.

    With `throttled` requests draw from EC2's published token buckets, which fill
    `throttle_pace` times as fast; `rates` and `resource_rates` replace single ones by action
    (`DescribeInstances:all` is the bucket of the form without filter and pagination).
    `full` holds patterns `type@zone` for which there is no capacity; a `vcpu_quota` of 0 is
    none. A volume is changed `volume_changes` times within `volume_changes_seconds`.
    """

    pending_seconds: float = 0.0
    stopping_seconds: float = 0.0
    shutting_down_seconds: float = 0.0
    terminated_visible_seconds: float = 3600.0
    address_quota: int = 64
    rules_per_group: int = 60
    groups_per_interface: int = 5
    visible_after_seconds: float = 0.0
    visible_empty: bool = False
    tags_after_seconds: float = 0.0
    full: tuple[str, ...] = ()
    vcpu_quota: int = 0
    volume_changes: int = 1
    volume_changes_seconds: float = 21_600.0
    optimizing_seconds: float = 0.0
    throttled: bool = False
    throttle_pace: float = 1.0
    rates: Mapping[str, Rate] = field(default_factory=dict)
    resource_rates: Mapping[str, Rate] = field(default_factory=dict)

    def seconds_in(self, state: State, *, held: Collection[State]) -> float:
        """How long a passing state lasts; somebody else ends those that are held."""
        if state in held:
            return FOREVER
        return {
            State.PENDING: self.pending_seconds,
            State.STOPPING: self.stopping_seconds,
            State.SHUTTING_DOWN: self.shutting_down_seconds,
            State.TERMINATED: self.terminated_visible_seconds,
        }[state]


def _rates(value: Any) -> Mapping[str, Rate]:
    if not isinstance(value, dict):
        raise TypeError("an object of action to [size, refill] is wanted")
    return {str(action): Rate(*map(float, pair)) for action, pair in value.items()}


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
        raise TypeError("a number of at least 0 is wanted")
    return float(value)


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise TypeError("a whole number of at least 0 is wanted")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise TypeError("a list of texts is wanted")
    return tuple(value)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("true or false is wanted")
    return value


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "float": _number,
    "int": _count,
    "bool": _flag,
    "tuple[str, ...]": _texts,
    "Mapping[str, Rate]": _rates,
}


def turned(knobs: Knobs, values: Mapping[str, Any]) -> Knobs:
    """The knobs with some of them set from JSON; names take dashes or underscores.

    Raises ValueError for a name or a value that does not fit; nothing is set then.
    """
    kinds = {one.name: str(one.type) for one in fields(Knobs)}
    wanted: dict[str, Any] = {}
    for given, value in values.items():
        name = given.replace("-", "_")
        if name not in kinds:
            raise ValueError(f"no knob {given!r}; known are {sorted(kinds)}")
        try:
            wanted[name] = _READERS[kinds[name]](value)
        except TypeError as error:
            raise ValueError(f"{given}: {error}, not {value!r}") from error
    return replace(knobs, **wanted)


def shown(knobs: Knobs) -> dict[str, Any]:
    """The knobs as JSON, in the form `turned` takes."""
    values = {one.name: getattr(knobs, one.name) for one in fields(Knobs)}
    values["full"] = list(knobs.full)
    for name in ("rates", "resource_rates"):
        values[name] = {action: [r.size, r.refill] for action, r in values[name].items()}
    return values
