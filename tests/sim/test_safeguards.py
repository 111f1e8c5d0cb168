"""Each safeguard switched off turns the days red: proof that the simulator can see."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provisioner import questions, turn
from provisioner.facts import Leftovers
from provisioner.limits import Wait
from provisioner.node import TABLE, Life, Saw
from tests.sim import process
from tests.sim.chance import Odds
from tests.sim.cloud import Cloud
from tests.sim.day import Day, live
from tests.sim.registry import Store

ENOUGH = 600


def no_client_token(patch):
    patch.setattr(Cloud, "honours_tokens", False)


def no_write_ahead(patch):
    real = turn.Turn._save

    async def save(self, before, planned, record):
        if any(n.intent and not n.instance_id for n in record.nodes):
            return replace(planned, record=record)
        return await real(self, before, planned, record)

    patch.setattr(turn.Turn, "_save", save)


def no_patience_with_the_unseen(patch):
    waits = dict(process.LIMITS.waits_ms) | {Wait.UNSEEN: 1}
    patch.setattr(process, "LIMITS", replace(process.LIMITS, waits_ms=waits))


def no_confirmation_of_the_end(patch):
    for life in (Life.REPLACING, Life.STARTING, Life.LOADING):
        patch.setitem(TABLE[life], Saw.ENDING, TABLE[life][Saw.ENDED])


def no_end_of_what_is_replaced(patch):
    for saw in (Saw.PENDING, Saw.BOOTING):
        patch.setitem(TABLE[Life.REPLACING], saw, TABLE[Life.REPLACING][Saw.ENDED])


def no_end_of_what_failed(patch):
    for saw in Saw:
        patch.setitem(TABLE[Life.FAILED], saw, TABLE[Life.FAILED][Saw.ENDED])


def no_look_for_what_was_lost(patch):
    """Neither by token nor, at the end, by tag."""

    def left(self, record, shown, owned):
        return Leftovers(others=self.store.others(record.cluster_id))

    for life in (Life.LEAVING, Life.REPLACING, Life.FAILED):
        patch.setitem(TABLE[life], Saw.ASKED, TABLE[life][Saw.ENDED])
    patch.setattr(questions, "_lost", lambda *_, **__: False)
    patch.setattr(process.Process, "_left", left)


def no_compensation(patch):
    async def nothing(self, claim, results):
        return None

    patch.setattr(turn.Turn, "_compensate", nothing)


def no_fence(patch):
    patch.setattr(Store, "fenced", False)


def no_agreement_on_the_last(patch):
    patch.setattr("tests.sim.registry.keeps_base", lambda o, me: o.cluster_id != me)


FROZEN = Odds(freeze=0.05, dry=0.5, dies_at_boot=0.3)
SAFEGUARDS = [
    (no_client_token, None),
    (no_write_ahead, None),
    (no_patience_with_the_unseen, None),
    (no_confirmation_of_the_end, None),
    (no_end_of_what_is_replaced, Odds(never_boots=0.5, no_ssh=0.5, throttle=0.3)),
    (no_end_of_what_failed, Odds(install_breaks=0.8, throttle=0.3)),
    (no_look_for_what_was_lost, Odds(lost=0.3, crash=0.05)),
    (no_compensation, FROZEN),
    (no_fence, FROZEN),
    (no_agreement_on_the_last, None),
]


@pytest.mark.parametrize(("off", "odds"), SAFEGUARDS, ids=lambda one: getattr(one, "__name__", ""))
def test_without_it_the_days_go_wrong(off, odds, monkeypatch):
    off(monkeypatch)
    assert any(live(Day(seed, odds)).faults for seed in range(ENOUGH))


def test_frozen_days_end_well_too():
    for seed in range(40):
        assert not live(Day(seed, FROZEN)).faults
