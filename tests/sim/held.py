"""Run the test that holds a safeguard without it: `python -m tests.sim.held <its switch>`."""

from __future__ import annotations

import sys

import pytest

from tests.sim.ablations import BY_NAME, without


def main(name: str) -> int:
    """pytest's own exit code: 1 is right."""
    with without(name):
        asked = [f"tests/{BY_NAME[name].held_by}", "-q", "-p", "no:cacheprovider"]
        return int(pytest.main(asked))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
