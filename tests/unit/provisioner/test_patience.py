from __future__ import annotations

from dataclasses import replace

import pytest

from provisioner.limits import Limits
from provisioner.patience import lengthened
from provisioner.record import NodeState
from tests.unit.provisioner.shapes import NOW, node, record

LIMITS = Limits()
LATER = NOW + LIMITS.second_look_ms


def after(last, deadline, **more):
    """The deadline of a growing node after a look."""
    growing = replace(node(state=NodeState.LOADING, deadline_ms=deadline), **more)
    return lengthened(record(growing), LIMITS, last, NOW).nodes[0].deadline_ms


@pytest.mark.parametrize("last", [None, NOW - LIMITS.blind_ms, NOW - 10 * LIMITS.blind_ms])
@pytest.mark.parametrize("deadline", [1, NOW - 1, NOW, LATER - 1])
def test_after_a_blind_time_a_wait_goes_on_for_a_while(last, deadline):
    assert after(last, deadline) == LATER


@pytest.mark.parametrize("last", [NOW, NOW - LIMITS.blind_ms + 1])
def test_a_deadline_that_somebody_watched_stands(last):
    assert after(last, NOW - 1) == NOW - 1


def test_what_has_longer_anyway_is_left_alone():
    assert after(None, LATER) == LATER
    assert after(None, 0) == 0


@pytest.mark.parametrize(
    "more", [{"state": NodeState.RUNNING}, {"state": NodeState.FAILED}, {"retiring": True}]
)
def test_only_what_grows_is_waited_for(more):
    assert after(None, NOW - 1, **more) == NOW - 1
