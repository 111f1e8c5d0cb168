"""What a user hears of a list that did not come into force."""

import pytest

from kite.errors import CloudRefused
from whitelist_svc import refusal

NO = CloudRefused("EC2 says no", reason="CLOUD_PERMISSION", context={"aws-code": "X"})


@pytest.mark.parametrize(
    ("after", "restored"),
    [(refusal.RESTORED, "true"), (refusal.RESTORING, "false"), (refusal.APPLYING, "false")],
)
def test_the_failure_says_what_became_of_the_list(after, restored):
    told = refusal.told(NO, after=after, true="nothing")
    assert (type(told), told.reason) == (CloudRefused, "CLOUD_PERMISSION")
    assert told.description == f"EC2 says no. {after}. In force now: nothing"
    assert told.context == {"aws-code": "X", "restored": restored}


def test_a_list_that_somebody_changed_names_both_revisions():
    told = refusal.changed(5, 4)
    assert told.reason == "REVISION_MISMATCH"
    assert "revision 5, not 4" in told.description
