"""Each safeguard switched off turns a day red: it is needed, and the days can see it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.sim.__main__ import main
from tests.sim.ablations import SAFEGUARDS, SPARE, first_red
from tests.sim.day import live
from tests.sim.many import pool

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def reds():
    names = [switch.name for switch in SAFEGUARDS]
    with pool() as workers:
        return dict(zip(names, workers.map(first_red, names), strict=True))


@pytest.mark.parametrize("switch", SAFEGUARDS, ids=lambda switch: switch.name)
def test_without_it_a_day_goes_wrong(switch, reds):
    assert reds[switch.name] is not None, f"nothing shows that this is needed: {switch.safeguard}"


@pytest.mark.parametrize("switch", SAFEGUARDS, ids=lambda switch: switch.name)
def test_with_it_the_same_day_ends_well(switch, reds):
    seed = reds[switch.name]
    assert seed is None or not live(seed, switch.plan).faults


@pytest.mark.parametrize("switch", SPARE, ids=lambda switch: switch.name)
def test_what_no_day_needs_has_a_test_that_fails_without_it(switch):
    found = subprocess.run(
        [sys.executable, "-m", "tests.sim.held", switch.name],
        capture_output=True,
        cwd=ROOT,
        text=True,
        timeout=60,
        check=False,
    )
    assert found.returncode == pytest.ExitCode.TESTS_FAILED, found.stdout + found.stderr
    assert f"FAILED tests/{switch.held_by}" in found.stdout


def test_a_red_day_is_told_again(reds, monkeypatch, capsys):
    seed = str(reds["no_unseen_guard"])
    monkeypatch.setattr("sys.argv", ["sim", "--seed", seed, "--without", "no_unseen_guard"])
    assert main() == 1
    monkeypatch.setattr("sys.argv", ["sim", "--seed", seed, "--like", "no_unseen_guard"])
    assert main() == 0
    assert capsys.readouterr().out.rstrip().endswith("ended well")
