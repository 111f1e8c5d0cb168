"""EC2's filters: values of one name are alternatives, names must all hold. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from localcloud.strict.call import Call, Refusal

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Filter:
    name: str
    values: tuple[str, ...]

    @property
    def exact(self) -> bool:
        """Whether no value has a wildcard."""
        return not any(set(value) & set("*?\\") for value in self.values)


def filters_of(call: Call) -> tuple[Filter, ...]:
    return tuple(Filter(f.text("Name"), f.texts("Values")) for f in call.params.structs("Filters"))


@lru_cache(maxsize=256)
def _pattern(value: str) -> re.Pattern[str]:
    """`*` is any text, `?` one character, a backslash takes the next as it is."""
    parts: list[str] = []
    left = iter(value)
    for letter in left:
        match letter:
            case "*":
                parts.append(".*")
            case "?":
                parts.append(".")
            case "\\":
                parts.append(re.escape(next(left, "\\")))
            case _:
                parts.append(re.escape(letter))
    return re.compile("".join(parts), re.DOTALL)


def _any(wanted: Filter, given: Iterable[str]) -> bool:
    if wanted.exact:
        return not set(wanted.values).isdisjoint(given)
    patterns = [_pattern(value) for value in wanted.values]
    return any(p.fullmatch(one) for one in given for p in patterns)


def matching(
    filters: Sequence[Filter],
    readers: Mapping[str, Callable[[T], Iterable[str]]],
    tags: Callable[[T], Mapping[str, str]],
) -> Callable[[T], bool]:
    """What says whether a thing passes all filters. Raises Refusal for an unknown name."""
    for one in filters:
        if not one.name.startswith("tag:") and one.name not in {*readers, "tag-key"}:
            text = f"The filter '{one.name}' is invalid"
            raise Refusal("InvalidParameterValue", text)

    def values(one: Filter, thing: T) -> Iterable[str]:
        if one.name == "tag-key":
            return tags(thing)
        if one.name.startswith("tag:"):
            key = one.name.removeprefix("tag:")
            held = tags(thing)
            return (held[key],) if key in held else ()
        return readers[one.name](thing)

    return lambda thing: all(_any(one, values(one, thing)) for one in filters)
