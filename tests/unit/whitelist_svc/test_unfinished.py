"""The end of a change whose process may be dead."""

import pytest

from kite.errors import CloudRefused, CloudThrottled, NotFound, OverLimit, Unavailable
from whitelist_svc.unfinished import APPLYING, DEAD_MS, DELETED, IN_FORCE, NEVER, End, ending

REFUSED = CloudRefused("EC2 says no", reason="CLOUD_PERMISSION")


@pytest.mark.parametrize(
    ("wanted", "failed", "age_ms", "expected"),
    [
        (True, None, 0, End(IN_FORCE)),
        (True, REFUSED, DEAD_MS, End(f"EC2 says no. {APPLYING}", "CLOUD_PERMISSION")),
        (True, OverLimit("too many", reason="FULL"), DEAD_MS, End(f"too many. {APPLYING}", "FULL")),
        # The process that began it may yet tell, and knows more.
        (True, REFUSED, DEAD_MS - 1, None),
        (True, REFUSED, -5, None),
        # What passes by itself is no end.
        (True, Unavailable("silence"), 10 * DEAD_MS, None),
        (True, CloudThrottled("slowly"), 10 * DEAD_MS, None),
        (True, NotFound("deleted just now"), 10 * DEAD_MS, None),
        (False, None, 0, End(NEVER, DELETED)),
        (False, REFUSED, 0, End(NEVER, DELETED)),
    ],
)
def test_how_it_ends(wanted, failed, age_ms, expected):
    assert ending(wanted=wanted, failed=failed, age_ms=age_ms) == expected
