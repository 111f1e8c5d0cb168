"""Cheaper ways to the same results, so that thousands of days fit into a minute.

Keys and hashes are pure functions of names, and days use the same names: they are made once.
`dataclasses.replace` asks every field of a class for its nature at every call; ours asks once.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import sys
from operator import attrgetter
from typing import Any

_PURE = (
    ("provisioner.user_data", "ssh_key"),
    ("provisioner.user_data", "user_data_hash"),
    ("provisioner.world", "user_data_hash"),
    ("provisioner.world", "password"),
    ("provisioner.installs", "ssh_key"),
    ("provisioner.installs", "password"),
    ("provisioner.nodes", "token"),
    ("provisioner.questions", "token"),
)
_shapes: dict[type, tuple[dict[str, int], Any]] = {}


def replaced(thing: Any, /, **changes: Any) -> Any:
    """As dataclasses.replace for classes whose fields are all of `__init__`."""
    kind = type(thing)
    shape = _shapes.get(kind)
    if shape is None:
        names = [field.name for field in dataclasses.fields(kind) if field.init]
        if len(names) < 2 or len(names) != len(dataclasses.fields(kind)):
            return dataclasses.replace(thing, **changes)
        shape = {name: at for at, name in enumerate(names)}, attrgetter(*names)
        _shapes[kind] = shape
    places, read = shape
    values = list(read(thing))
    for name, value in changes.items():
        values[places[name]] = value
    return kind(*values)


class _Numbers:
    """In the place of `secrets`: ids of commits need to be unique, not secret."""

    count = itertools.count()

    def token_hex(self, length: int) -> str:
        return f"{next(self.count):0{2 * length}x}"


@functools.cache
def prepare() -> None:
    """Put them into the modules that days run, once for the process."""
    for name, module in list(sys.modules.items()):
        if (
            name.startswith(("provisioner.", "registry_svc."))
            and vars(module).get("replace") is dataclasses.replace
        ):
            module.replace = replaced  # type: ignore[attr-defined]
    sys.modules["provisioner.registry"].secrets = _Numbers()  # type: ignore[attr-defined]
    for name, function in _PURE:
        module = sys.modules[name]
        if hasattr(module, function):
            setattr(module, function, functools.cache(getattr(module, function)))
