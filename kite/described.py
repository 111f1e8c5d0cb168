"""What the settings of a service are: name, meaning, default, and the masked present value.

`python -m <service>.settings` prints this as one JSON document, so that the `kite` command can show
the settings of every service without importing any of them.
"""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from kite.settings import PREFIX, Common, SettingsRefused, load

MASK = "********"
HOME = Path(__file__).parents[1]  # a default below our own files is the same on every machine


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting; `value` is empty when the settings as they are were refused."""

    name: str
    description: str
    default: str
    secret: bool
    common: bool
    value: str


@dataclass(frozen=True, slots=True)
class Described:
    """All settings of one service, what is wrong with them now, and what they still lack.

    A service with `faults` does not start; one that lacks something starts and is of no use yet.
    """

    settings: tuple[Setting, ...]
    faults: tuple[str, ...]
    lacking: tuple[str, ...] = ()

    def as_json(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> "Described":
        """Raises ValueError or KeyError or TypeError when the text is something else."""
        raw = json.loads(text)
        settings = tuple(Setting(**one) for one in raw["settings"])
        return Described(settings, tuple(raw["faults"]), tuple(raw["lacking"]))


def describe(cls: type[Common], environ: Mapping[str, str] | None = None) -> Described:
    """Every field of `cls` in its order, with values read as the service itself would."""
    faults: tuple[str, ...] = ()
    present: Common | None = None
    try:
        present = load(cls, environ)
    except SettingsRefused as refused:
        faults = tuple(str(refused).splitlines())
    return Described(
        tuple(_setting(name, field, present) for name, field in cls.model_fields.items()),
        faults,
        () if present is None else present.lacking(),
    )


def _setting(name: str, field: FieldInfo, present: Common | None) -> Setting:
    default = field.get_default(call_default_factory=True, validated_data={})
    return Setting(
        name=f"{PREFIX}{name.upper()}",
        description=field.description or "",
        default=_text(default),
        secret=isinstance(default, SecretStr),
        common=name in Common.model_fields,
        value="" if present is None else _text(getattr(present, name)),
    )


def _text(value: Any) -> str:
    """The form a setting has in the environment; a secret is masked, an empty one shown empty."""
    match value:
        case SecretStr():
            return MASK if value.get_secret_value() else ""
        case bool():
            return str(value).lower()
        case list() | tuple():
            return ",".join(map(str, value))
        case set() | frozenset():
            return ",".join(sorted(map(str, value)))
        case Path() if value.is_relative_to(HOME):
            return str(value.relative_to(HOME))
        case _:
            return "" if value is None else str(value)


def tell(cls: type[Common]) -> None:
    """Print the description of `cls` on standard output."""
    sys.stdout.write(describe(cls, os.environ).as_json() + "\n")
