"""A crowd creates at once against a throttled EC2; `make overload` is the larger form."""

import pytest

from tests.overload.judge import faults
from tests.overload.run import overload

pytestmark = pytest.mark.timeout(240)


def test_a_crowd_is_served_and_nobody_hears_of_limits(tmp_path):
    outcome = overload(tmp_path, users=8, clusters=16)
    assert faults(outcome) == []
    assert outcome.ended["succeeded"] == 16  # nothing but limits stood in the way
