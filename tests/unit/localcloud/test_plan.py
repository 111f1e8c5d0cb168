from __future__ import annotations

from itertools import product

import pytest

from localcloud.plan import Do, Stage, decide
from localcloud.wish import Wanted


@pytest.mark.parametrize(("wanted", "stage"), list(product(Wanted, Stage)))
def test_every_pair_is_decided(wanted, stage):
    assert decide(wanted, stage) in Do


def settle(wanted: Wanted, stage: Stage) -> Stage:
    after = {Do.START: Stage.UP, Do.STOP: Stage.DOWN, Do.REMOVE: Stage.ABSENT}
    for _ in range(3):
        stage = after.get(decide(wanted, stage), stage)
    return stage


@pytest.mark.parametrize("stage", Stage)
def test_what_is_gone_ends_absent_from_everywhere(stage):
    assert settle(Wanted.GONE, stage) is Stage.ABSENT


@pytest.mark.parametrize("stage", set(Stage) - {Stage.BROKEN})
def test_what_shall_run_ends_up(stage):
    assert settle(Wanted.RUN, stage) is Stage.UP


def test_a_broken_host_is_left_alone_until_it_is_gone():
    assert decide(Wanted.RUN, Stage.BROKEN) is Do.NOTHING
    assert decide(Wanted.GONE, Stage.BROKEN) is Do.REMOVE
