"""A local cloud of the tests' own, beside any that runs on this machine."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest

from localcloud import leftovers
from tests.localcloud.world import GROUND, World, raise_world

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items):
    reason = _unfit()
    for item in items:
        if HERE in Path(item.path).parents:
            item.add_marker(pytest.mark.localcloud)
            if reason:
                item.add_marker(pytest.mark.skip(reason=reason))


def _unfit() -> str:
    if platform.system() != "Linux":
        return "the local cloud needs Linux"
    if os.geteuid() != 0:
        return "the local cloud needs root (namespaces, mounts)"
    return ""


@pytest.fixture(scope="session")
def cloud(tmp_path_factory) -> World:
    """One running cloud for all tests; its end must leave nothing."""
    with raise_world(GROUND, tmp_path_factory.mktemp("cloud")) as world:
        world.client("a", "200")
        world.client("b", "201")
        yield world
    left = leftovers.find(GROUND)
    assert not left, left.lines()
