"""Event streams by the thousand; `make overload STREAMS=10000` is the larger form."""

import asyncio
from collections import Counter

import pytest

from tests.overload.stream_judge import REFUSED, faults
from tests.overload.streams import Figures, streams

pytestmark = pytest.mark.timeout(280)


def test_streams_nobody_reads_are_dropped_and_their_room_comes_back():
    seen = asyncio.run(streams(1_000, patience=8))
    assert faults(seen) == []


def well() -> Figures:
    mib = {"before": 70.0, "first open": 90.0, "first most": 150.0, "second most": 150.0}
    return Figures(
        1_000,
        opened=2_000,
        readers=200,
        whole=200,
        refused=dict(REFUSED),
        asked=Counter({200: 9}),
        ends=Counter(READER_TOO_SLOW=1_700, cut=100),
        mib=mib,
        files={"before": 20, "after": 21},
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda f: f.refused.update({"a stream": (200, "", "")}), "a stream too many"),
        (lambda f: f.refused.update({"a user's stream": (429, "X", "")}), "a user's stream"),
        (lambda f: f.refused.pop("a connection"), "a connection too many"),
        (lambda f: setattr(f, "opened", 1_999), "were opened"),
        (lambda f: f.asked.update({503: 1}), "meanwhile"),
        (lambda f: f.asked.clear(), "meanwhile"),
        (lambda f: f.ends.update({"STREAM_TOO_OLD": 1}), "nobody read ended"),
        (lambda f: f.ends.subtract({"cut": 1}), "nobody read ended"),
        (lambda f: setattr(f, "ends", Counter(cut=1_800)), "told why"),
        (lambda f: setattr(f, "whole", 199), "readers were told all"),
        (lambda f: f.mib.update({"first open": 150.0}), "a stream took"),
        (lambda f: f.mib.update({"first most": 300.0}), "a stream took"),
        (lambda f: f.mib.update({"second most": 180.0}), "not given back"),
        (lambda f: f.files.update(after=40), "left open"),
    ],
)
def test_the_judge_sees_it(change, told):
    seen = well()
    assert faults(seen) == []
    change(seen)
    (found,) = faults(seen)
    assert told in found
