"""One EC2 call, its reply and its refusal: what rules look at and what they answer with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Params:
    """Read access to decoded parameters, by the names the EC2 API uses."""

    values: Mapping[str, Any] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def text(self, name: str) -> str:
        """The text under `name`, empty when absent."""
        value = self.values.get(name)
        return "" if value is None else str(value)

    def number(self, name: str) -> int | None:
        value = self.values.get(name)
        return None if value is None else int(value)

    def flag(self, name: str) -> bool:
        return self.values.get(name) is True

    def texts(self, name: str) -> tuple[str, ...]:
        return tuple(str(value) for value in self.values.get(name) or ())

    def struct(self, name: str) -> Params:
        return Params(self.values.get(name) or {})

    def structs(self, name: str) -> tuple[Params, ...]:
        return tuple(Params(value) for value in self.values.get(name) or ())


@dataclass(frozen=True, slots=True)
class Call:
    """A decoded request: action, parameters, and whose cloud it means."""

    action: str
    params: Params
    account: str
    region: str

    @property
    def describing(self) -> bool:
        """True when the action only reads."""
        return self.action.startswith(("Describe", "Get", "List", "Search"))

    @property
    def dry(self) -> bool:
        return self.params.flag("DryRun")

    def altered(self, **changes: Any) -> Call:
        """The same call with some parameters replaced; None removes one."""
        values = {**self.params.values, **changes}
        return replace(self, params=Params({k: v for k, v in values.items() if v is not None}))

    def only(self, **values: Any) -> Call:
        """The same action with these parameters and no others."""
        return replace(self, params=Params(values))


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer; `code` is `OK` or the EC2 error code it carries."""

    status: int
    body: bytes
    code: str = "OK"
    headers: tuple[tuple[str, str], ...] = ()


class Refusal(Exception):
    """EC2 says no. `code` and `message` travel to the client as they are."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


def walk(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every (name, scalar) pair below a decoded parameter, depth first.

    The scalars of a list go by the list's name.
    """
    match value:
        case Mapping():
            for key, inner in value.items():
                yield from walk(inner, key)
        case list():
            for inner in value:
                yield from walk(inner, name)
        case _:
            yield name, value
