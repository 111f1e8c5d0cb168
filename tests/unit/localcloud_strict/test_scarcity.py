"""Verdicts about what there is too little of, and what may not be done again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.strict.call import Refusal
from localcloud.strict.rules.capacity import capacity_verdict, is_standard, quota_verdict, vcpus
from localcloud.strict.rules.changes import Pace, change_verdict
from localcloud.strict.rules.ids import not_found
from localcloud.strict.rules.lists import place_of, token_after
from localcloud.strict.rules.peerings import overlapping

HOURS = 3600.0


def code(refusal):
    return refusal.code if refusal else ""


@pytest.mark.parametrize(
    ("full", "refused"),
    [
        ((), False),
        (("m5.large@us-east-1a",), True),
        (("m5.*@us-east-1a",), True),
        (("*@us-east-1?",), True),
        (("m5.xlarge@us-east-1a", "c5.large@us-east-1a"), False),
        (("m5.large@us-east-1b",), False),
    ],
)
def test_room_by_type_and_zone(full, refused):
    refusal = capacity_verdict("m5.large", "us-east-1a", full)
    assert code(refusal) == ("InsufficientInstanceCapacity" if refused else "")
    assert refusal is None or refusal.status == 500


@pytest.mark.parametrize(
    ("running", "wanted", "quota", "refused"),
    [(0, 2, 2, False), (2, 2, 3, True), (2, 1, 3, False), (99, 99, 0, False)],
)
def test_vcpus_of_an_account(running, wanted, quota, refused):
    refusal = quota_verdict(running, wanted, quota)
    assert code(refusal) == ("VcpuLimitExceeded" if refused else "")


def test_which_types_count_to_the_standard_quota():
    for kind in ("m5.large", "c7g.xlarge", "t3.micro", "r5.large", "z1d.large"):
        assert is_standard(kind)
    for kind in ("g4dn.xlarge", "p3.2xlarge", "inf1.xlarge", "trn1.2xlarge", "dl1.24xlarge"):
        assert not is_standard(kind)
    assert vcpus("m5.large") == 2
    assert vcpus("no.such") == 0


@pytest.mark.parametrize(
    ("changed", "now", "pace", "busy", "wanted"),
    [
        ((), 0, Pace(1, 6 * HOURS), "", ""),
        ((), 0, Pace(1, 6 * HOURS), "optimizing", "IncorrectModificationState"),
        ((0,), 6 * HOURS - 1, Pace(1, 6 * HOURS), "", "VolumeModificationRateExceeded"),
        ((0,), 6 * HOURS, Pace(1, 6 * HOURS), "", ""),
        ((0, 1, 2), 9, Pace(4, 24 * HOURS), "", ""),
        ((0, 1, 2, 3), 9, Pace(4, 24 * HOURS), "", "VolumeModificationRateExceeded"),
        ((0, 1, 2, 3), 24 * HOURS, Pace(4, 24 * HOURS), "", ""),
    ],
)
def test_how_soon_a_volume_may_be_changed_again(changed, now, pace, busy, wanted):
    assert code(change_verdict(changed, now, pace, busy)) == wanted


def test_overlapping_blocks():
    assert overlapping(["10.1.0.0/16"], ["10.2.0.0/16", "10.1.128.0/20"])
    assert not overlapping(["10.1.0.0/16"], ["10.2.0.0/16"])
    assert not overlapping([], ["10.2.0.0/16"])


@given(st.integers(0, 10**9))
def test_a_page_token_leads_to_its_place_and_to_no_other_list(at):
    token = token_after("DescribeTags", at)
    assert place_of("DescribeTags", token) == at
    with pytest.raises(Refusal, match="InvalidNextToken"):
        place_of("DescribeVolumes", token)


@pytest.mark.parametrize("token", ["rubbish", "r-0123", "äöü", "RGVzY3JpYmVUYWdzOng="])
def test_a_token_nobody_gave_is_refused(token):
    with pytest.raises(Refusal, match="InvalidNextToken"):
        place_of("DescribeTags", token)
    assert place_of("DescribeTags", "") == 0


def test_every_unknown_instance_is_named():
    assert not_found(["i-1"]).message == "The instance ID 'i-1' does not exist"
    assert "IDs 'i-1, i-2' do not" in not_found(["i-1", "i-2"]).message
