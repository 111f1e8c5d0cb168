"""A volume that outlived its machine and came to light after its cluster: a day, no longer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kite.sweep import Policy
from tests.sim import process
from tests.sim.chance import Odds
from tests.sim.day import Plan, live
from tests.sim.judge import SWEPT
from tests.sim.virtual import EPOCH_MS

LATE = Plan(
    Odds(volume_stays=1.0, lag=1.0, deleted=1.0, again=0.0), processes=1, clusters=1, workers=0
)
KEPT = Policy().tomb_volume_ms


@pytest.mark.parametrize("seed", range(3))
def test_it_is_kept_for_a_day_and_swept_then(seed):
    day = live(seed, LATE)
    assert day.faults == []
    (row,) = day.store.rows.values()
    gone = row.cluster.deleted_at_ms
    (swept,) = [at for at, _, what in day.tale.lines if what == "vol-i-4 is deleted"]
    assert KEPT <= EPOCH_MS + swept * 1000 - gone <= KEPT + SWEPT * 1000


def test_a_sweep_that_keeps_it_for_longer_is_red(monkeypatch):
    longer = replace(process.POLICY, tomb_volume_ms=KEPT + 30 * 60_000)
    monkeypatch.setattr(process, "POLICY", longer)
    assert live(0, LATE).wrong_ends == ["vol-i-4 is left"]
