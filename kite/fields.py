"""One setting: its text read into the type it is declared with, its bounds, its secrecy."""

import math
import re
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin

MASK = "********"
_WORDS = {
    **dict.fromkeys(("true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}


class SecretStr:
    """Text that is never shown by accident."""

    def __init__(self, text: str) -> None:
        self._text = text

    def get_secret_value(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"SecretStr({str(self)!r})"

    def __str__(self) -> str:
        return MASK if self._text else ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretStr) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)


class FieldInfo:
    """What `Field` was told; `read` raises ValueError with a sentence that leaves the value out."""

    def __init__(
        self,
        default: Any,
        description: str,
        pattern: str,
        bounds: dict[str, float],
        check: Callable[[Any], Any] | None,
    ) -> None:
        self.default = default
        self.description = description
        self._pattern = pattern
        self._bounds = bounds
        self._check = check

    def read(self, given: object, kind: Any) -> Any:
        """`given` is the setting's text, or a value of its type."""
        value: Any = parsed(given, kind) if isinstance(given, str) else given
        if self._pattern and not re.fullmatch(self._pattern, value):
            raise ValueError(f"must match {self._pattern}")
        for bound, limit in self._bounds.items():
            words, holds = _BOUNDS[bound]
            if not holds(value, limit):
                raise ValueError(f"must be {words} {limit:g}")
        return self._check(value) if self._check else value


_BOUNDS: dict[str, tuple[str, Callable[[float, float], bool]]] = {
    "ge": ("greater than or equal to", lambda value, limit: value >= limit),
    "gt": ("greater than", lambda value, limit: value > limit),
    "le": ("less than or equal to", lambda value, limit: value <= limit),
}


def Field(  # noqa: N802 - declares an attribute, as a class would
    default: Any,
    *,
    description: str,
    pattern: str = "",
    check: Callable[[Any], Any] | None = None,
    **bounds: float,
) -> Any:
    """A setting with its default.

    Args:
        default: used as it is when nothing is set.
        description: what it means, for .env.example.
        pattern: regular expression that the whole text must match.
        check: gets the value and answers it, perhaps in another form; ValueError refuses it.
        bounds: ge, gt, le: numbers the value must keep to.
    """
    if strange := bounds.keys() - _BOUNDS.keys():
        raise TypeError(f"no such bounds: {', '.join(sorted(strange))}")
    return FieldInfo(default, description, pattern, bounds, check)


def parsed(text: str, kind: Any) -> Any:
    """The value of type `kind` that `text` means; raises ValueError with a sentence."""
    if isinstance(kind, UnionType):
        return _perhaps(text, kind)
    if get_origin(kind) in {tuple, frozenset}:
        return get_origin(kind)(part.strip() for part in text.split(",") if part.strip())
    if kind is bool:
        return _boolean(text)
    if kind in {int, float}:
        return _number(text, kind)
    if issubclass(kind, Enum):
        return _one_of(text, kind)
    if kind in {str, Path, SecretStr}:
        return kind(text)
    raise TypeError(f"settings of type {kind} cannot be read")


def _perhaps(text: str, kind: UnionType) -> Any:
    """Empty text means nothing."""
    (other,) = set(get_args(kind)) - {NoneType}
    return parsed(text, other) if text.strip() else None


def _boolean(text: str) -> bool:
    if (value := _WORDS.get(text.strip().lower())) is None:
        raise ValueError("expected true or false")
    return value


def _number(text: str, kind: type[int] | type[float]) -> float:
    wrong = ValueError("expected a whole number" if kind is int else "expected a number")
    try:
        value = kind(text)
    except ValueError:
        raise wrong from None
    if not math.isfinite(value):
        raise wrong
    return value


def _one_of(text: str, kind: type[Enum]) -> Enum:
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"expected one of {', '.join(str(one.value) for one in kind)}") from None
