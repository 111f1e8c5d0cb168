"""Bad days end well: no machine twice, none leaked, none lost."""

from __future__ import annotations

import os

import pytest

from tests.sim.day import Day, live

DAYS = int(os.environ.get("KITE_TEST_DAYS", "300"))
ROUND = 20


@pytest.mark.parametrize("first", range(0, DAYS, ROUND))
def test_a_bad_day_ends_well(first):
    for seed in range(first, first + ROUND):
        day = live(Day(seed))
        assert not day.faults, f"seed {seed}: {day.faults}"
