"""A crowd creates at once against a throttled EC2; `make overload` is the larger form."""

from collections import Counter

import pytest

from tests.overload.crowd import Crowd
from tests.overload.judge import faults
from tests.overload.run import Outcome, overload

pytestmark = pytest.mark.timeout(240)


def test_a_crowd_is_served_and_nobody_hears_of_limits(tmp_path):
    # Others of the account launch too: half of the published rate is left, so that EC2 says no.
    outcome = overload(tmp_path, users=8, clusters=16, rate=(5.0, 1.0))
    assert faults(outcome) == []
    assert outcome.ended["succeeded"] == 16  # nothing but limits stood in the way


def well() -> Outcome:
    document = {"milvus-name": "cats", "status": "running", "reason": ""}
    return Outcome(
        ended=Counter(succeeded=1),
        deleted=Counter(succeeded=1),
        documents=[document],
        crowd=Crowd("", 1, 1),
        before={"bff-1": 70.0},
        most={"bff-1": 80.0},
        refused=1,
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda o: o.crowd.strange.append("500"), "should not be"),
        (lambda o: o.crowd.throttled.append("x"), "throttled"),
        (lambda o: o.ended.clear(), "not 1 of them"),
        (lambda o: o.documents[0].update(status="loading"), "without a reason"),
        (lambda o: o.documents[0].update(status="failed"), "without a reason"),
        (lambda o: o.deleted.clear(), "deletions"),
        (lambda o: o.left.append("sg-1"), "left in EC2"),
        (lambda o: setattr(o, "refused", 0), "no limit was met"),
        (lambda o: o.most.update({"bff-1": 700.0}), "grew by"),
    ],
)
def test_the_judge_sees_it(change, told):
    outcome = well()
    assert faults(outcome) == []
    change(outcome)
    (found,) = faults(outcome)
    assert told in found
