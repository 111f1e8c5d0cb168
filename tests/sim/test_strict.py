"""The judge pardons what it must and nothing beside it: one fault by hand for each of its rules."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kite.sweep import HOUR_MS, Kind
from provisioner import removal
from provisioner.record import ClusterState
from tests.sim import process
from tests.sim.ablations import LATE, without
from tests.sim.chance import Odds
from tests.sim.day import Plan, live

ORDINARY = Plan(Odds(), prompt=True)
PAUSES = Plan(Odds(freeze=0.02, slow_end=1.0, deleted=1.0, again=0.0), processes=2)


def test_on_ordinary_days_every_wish_comes_true_in_its_time():
    for seed in range(40):
        day = live(seed, ORDINARY)
        assert day.tale.told == {}
        assert day.faults == [], f"seed {seed}"
        assert set(day.ends) <= {ClusterState.RUNNING}, f"seed {seed}"


@pytest.mark.parametrize(
    ("moment", "wish"), [("after RunInstances", "create"), ("before TerminateInstances", "delete")]
)
def test_a_wish_that_takes_longer_is_red(moment, wish):
    plan = replace(ORDINARY, script=((moment, "suspend"),), processes=1, odds=Odds(deleted=1.0))
    faults = [one for seed in range(5) for one in live(seed, plan).faults]
    assert any(one.startswith(f"{wish}-cluster of ") for one in faults)


def paused_and_wrong(what, seeds=40):
    """A day on which processes stood still and that is red for another reason."""
    for seed in range(seeds):
        day = live(seed, PAUSES)
        if "freeze" in day.tale.told and any(what in one for one in day.wrong_ways):
            return seed
    return None


def test_a_pause_does_not_pardon_an_end_that_nobody_confirmed():
    with without("no_confirmation_of_the_end"):
        assert paused_and_wrong("was nobody's for") is not None
        # Groups and addresses in use cannot go either, which a removal would wait for.
        # Undone within: the switch has put its own there, and must find them again.
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(removal, "_rest", lambda *_: ())
            patch.setattr(removal, "_clean", lambda *_: True)
            assert paused_and_wrong("is told to be gone and") is not None


def test_a_pause_does_not_pardon_a_machine_too_many_that_was_waited_for():
    with without("no_stable_token"):
        assert paused_and_wrong("was launched beside") is not None


@pytest.mark.parametrize("slow", ["sweeps by the hour", "a guard of three hours"])
def test_a_machine_that_came_late_goes_soon_after_the_trouble(monkeypatch, slow):
    if slow == "sweeps by the hour":
        monkeypatch.setattr(process, "SWEEP_SECONDS", 3600)
    else:
        guards = {**process.POLICY.guards_ms, Kind.INSTANCE: 3 * HOUR_MS}
        monkeypatch.setattr(process, "POLICY", replace(process.POLICY, guards_ms=guards))
    plan = replace(LATE, patience=ORDINARY.patience)
    faults = [one for seed in range(20) for one in live(seed, plan).faults]
    assert any("of them in calm" in one or one.endswith("is nobody's") for one in faults)
