"""Tests of other modules under names of this one, to run over another cloud."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Collection
from typing import Any


def borrow(
    *modules: str, only: Collection[str] = (), without: Collection[str] = ()
) -> dict[str, Any]:
    """The tests and all fixtures of some modules; a test that proves its rule is taken bare."""
    found: dict[str, Any] = {}
    for module in modules:
        prefix = module.rpartition("test_")[2]
        for name, thing in vars(importlib.import_module(module)).items():
            if name.startswith("test_") and name not in without and (not only or name in only):
                bare = inspect.getclosurevars(thing).nonlocals.get("test", thing)
                found[f"test_{prefix}_{name.removeprefix('test_')}"] = bare
            elif type(thing).__name__ == "FixtureFunctionDefinition":
                found[name] = thing
    return found
