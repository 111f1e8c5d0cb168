"""A machine that ran and that EC2 does not show for a while is not given up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provisioner.limits import Wait
from provisioner.node import TABLE, Life, Saw
from provisioner.record import ClusterState
from tests.sim.day import Plan, calm_odds, live

HIDDEN = Plan(calm_odds(veil=1.0), processes=2, workers=1, trouble=2400.0, tidy=0.0)
SEEDS = range(4)
GIVEN_UP = replace(TABLE[Life.RUNNING][Saw.UNSEEN], wait=Wait.UNSEEN)


def told(day):
    """Why its clusters rest as they do, and which machines there are."""
    records = [day.store.record(one) for one in day.store.rows]
    return {(one.state, one.reason) for one in records}, len(day.cloud.hosts)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_running_cluster_comes_back_when_it_is_shown_again(seed):
    day = live(seed, HIDDEN)
    assert day.faults == []
    assert day.tale.told["veil"] >= 2
    assert told(day) == ({(ClusterState.RUNNING, "")}, 2 * len(day.store.rows))


def test_given_up_after_five_minutes_its_machines_are_nobodys(monkeypatch):
    monkeypatch.setitem(TABLE[Life.RUNNING], Saw.UNSEEN, GIVEN_UP)
    days = [live(seed, HIDDEN) for seed in SEEDS]
    faults = [fault for day in days for fault in day.faults]
    assert any("is nobody's" in fault for fault in faults)
    assert any((ClusterState.FAILED, "INSTANCE_LOST") in told(day)[0] for day in days)


def test_deleted_while_it_is_hidden_nothing_of_it_is_left():
    plan = replace(HIDDEN, odds=calm_odds(veil=1.0, deleted=1.0))
    days = [live(seed, plan) for seed in range(20)]
    assert [fault for day in days for fault in day.faults] == []
    hosts = [(host, day.lasted) for day in days for host in day.cloud.hosts.values()]
    assert not any(host.alive(lasted) for host, lasted in hosts)
    assert any(one.excused for day in days for one in day.watch.lost)  # some were hidden for long
