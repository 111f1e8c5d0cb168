"""Each safeguard switched off turns a day red: it is needed, and the days can see it."""

from __future__ import annotations

import pytest

from tests.sim.ablations import SAFEGUARDS, first_red
from tests.sim.day import live
from tests.sim.many import pool


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
