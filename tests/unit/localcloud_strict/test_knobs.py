import json
from dataclasses import fields

import pytest

from localcloud.strict.knobs import Knobs, shown, turned
from localcloud.strict.rates import Rate


def test_some_knobs_are_turned_and_others_stay():
    knobs = turned(
        Knobs(address_quota=3),
        {"throttled": True, "pending-seconds": 2, "rates": {"RunInstances": [7, 0.5]}},
    )
    assert knobs.throttled
    assert knobs.pending_seconds == 2.0
    assert knobs.address_quota == 3
    assert knobs.rates == {"RunInstances": Rate(7, 0.5)}
    assert turned(Knobs(), json.loads(json.dumps(shown(knobs)))) == knobs


@pytest.mark.parametrize(
    "wrong",
    [
        {"colour": 1},
        {"throttled": 1},
        {"pending-seconds": "2"},
        {"pending-seconds": -1},
        {"pending-seconds": True},
        {"address-quota": 1.5},
        {"rates": {"RunInstances": [1]}},
        {"rates": {"RunInstances": 5}},
        {"rates": [1]},
    ],
)
def test_what_does_not_fit_is_refused_with_its_name(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        turned(Knobs(), wrong)


def test_every_knob_can_be_turned_over_http():
    assert turned(Knobs(), shown(Knobs())) == Knobs()
    assert set(shown(Knobs())) == {one.name for one in fields(Knobs)}
