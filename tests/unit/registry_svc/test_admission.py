"""What may become a record, and what the refusals say."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kite.epoch import LAST_MS
from kite.errors import AlreadyExists, Conflict, InvalidRequest, OverLimit, WrongState
from kite.ports import PortType
from registry_svc import admission
from registry_svc.admission import AddressMode, Present, RuleWish, Wish
from registry_svc.plans import Catalogue, Plan

M5 = Plan("M5", "m5.large", "", 0, 8, 16384)
CATALOGUE = Catalogue({"m5": M5}, frozenset({"m5.large"}), Plan("", "", "", 0, 8, 1000))
WISH = Wish("milvus-test", "search-cats", "M5", 50, AddressMode.ELASTIC, "hash")


@pytest.mark.parametrize("disk", [8, 50, 16384])
def test_the_seeds_request_is_admitted(disk):
    assert admission.admit(replace(WISH, disk_gib=disk), CATALOGUE) == M5


@pytest.mark.parametrize(
    ("change", "reason", "field"),
    [
        ({"milvus_type": "M6"}, "UNKNOWN_TYPE", "/milvus-type"),
        ({"disk_gib": 7}, "DISK_TOO_SMALL", "/disk-size"),
        ({"disk_gib": 16385}, "DISK_TOO_LARGE", "/disk-size"),
        ({"disk_gib": 0}, "DISK_TOO_SMALL", "/disk-size"),
        ({"disk_gib": -1}, "DISK_TOO_SMALL", "/disk-size"),
        ({"milvus_type": "m5.large", "disk_gib": 1001}, "DISK_TOO_LARGE", "/disk-size"),
        ({"idempotency_key": "k" * 256}, "INVALID_IDEMPOTENCY_KEY", ""),
        ({"body_hash": "h" * 129}, "INVALID_REQUEST", "/body_hash"),
        ({"rules": (RuleWish("nonsense", PortType.MILVUS),)}, "INVALID_RULE", "/ip-ranges/0"),
    ],
)
def test_refused(change, reason, field):
    with pytest.raises(InvalidRequest) as caught:
        admission.admit(replace(WISH, **change), CATALOGUE)
    assert (caught.value.reason, caught.value.field) == (reason, field)


def test_the_limits_are_told():
    with pytest.raises(InvalidRequest, match="8 to 16384 GiB for type M5, not 7"):
        admission.admit(replace(WISH, disk_gib=7), CATALOGUE)


def rules(*sources):
    return tuple(RuleWish(s, PortType.MILVUS) for s in sources)


@pytest.mark.parametrize(
    "wished",
    [
        (),
        rules("115.236.166.154/32", "10.0.0.0/8"),
        rules("0.0.0.0/0", "::/0", "2001:db8::/48"),
        (RuleWish("10.0.0.1/32", PortType.MILVUS), RuleWish("10.0.0.1/32", PortType.MILVUS_EM)),
        rules(*(f"10.0.{n // 256}.{n % 256}/32" for n in range(1000))),
    ],
)
def test_rules_that_are_fine(wished):
    admission.check_rules(wished)


@pytest.mark.parametrize(
    ("wished", "fault"),
    [
        (rules("115.236.166.154"), "is not canonical; write 115.236.166.154/32"),
        (rules("2001:DB8::/48"), "is not canonical; write 2001:db8::/48"),
        (rules("10.1.2.3/8"), "is not a network address"),
        (rules("10.0.0.0/33"), "is not a network address"),
        (rules(""), "is not a network address"),
        (rules("10.0.0.1/32", "10.0.0.1/32"), "10.0.0.1/32 with milvus-port comes twice"),
        ((RuleWish("10.0.0.1/32", None),), "names no port type"),
        ((RuleWish("10.0.0.1/32", PortType.MILVUS, expires_at_ms=-1),), "no date can name"),
        ((RuleWish("10.0.0.1/32", PortType.MILVUS, expires_at_ms=LAST_MS + 1),), "no date can"),
    ],
)
def test_rules_that_are_refused(wished, fault):
    with pytest.raises(InvalidRequest, match=fault) as caught:
        admission.check_rules(wished)
    assert caught.value.reason == "INVALID_RULE"
    assert caught.value.field == f"/ip-ranges/{len(wished) - 1}"


def test_the_last_date_is_fine():
    admission.check_rules([RuleWish("10.0.0.1/32", PortType.MILVUS, expires_at_ms=LAST_MS)])


def test_too_many_rules_are_refused():
    with pytest.raises(InvalidRequest) as caught:
        admission.check_rules(rules(*(f"10.0.{n // 256}.{n % 256}/32" for n in range(1001))))
    assert caught.value.reason == "TOO_MANY_RULES"


def test_the_same_again_is_accepted():
    admission.same_again(WISH, Present("hash", wanted=True))


@pytest.mark.parametrize(
    ("present", "kind", "reason"),
    [
        (Present("other", wanted=True), AlreadyExists, "NAME_TAKEN"),
        (Present("hash", wanted=False), Conflict, "CLUSTER_DELETING"),
        (Present("other", wanted=False), Conflict, "CLUSTER_DELETING"),
    ],
)
def test_a_taken_name_is_refused(present, kind, reason):
    with pytest.raises(kind) as caught:
        admission.same_again(WISH, present)
    assert type(caught.value) is kind
    assert (caught.value.reason, caught.value.field) == (reason, "/milvus-name")


def test_a_key_stands_for_one_body():
    admission.check_key(WISH, first_body_hash="hash")
    with pytest.raises(InvalidRequest) as caught:
        admission.check_key(WISH, first_body_hash="other")
    assert caught.value.reason == "IDEMPOTENCY_KEY_REUSED"


@pytest.mark.parametrize(
    ("taken", "number"), [([], 1), ([1], 2), ([2], 1), ([1, 3], 2), ([9, 10], 1), ([2, 2], 1)]
)
def test_the_lowest_place_is_given(taken, number):
    assert admission.free_number(taken, quota=3, user="u") == number


@pytest.mark.parametrize("taken", [[1, 2, 3], [7, 8, 9], [1, 2, 3, 4]])
def test_no_place_is_left(taken):
    with pytest.raises(OverLimit, match=f"u has {len(taken)} clusters and may have 3") as caught:
        admission.free_number(taken, quota=3, user="u")
    assert caught.value.reason == "QUOTA_EXCEEDED"


@given(st.sets(st.integers(1, 30)), st.integers(1, 20))
def test_a_place_is_free_and_within_the_quota(taken, quota):
    try:
        number = admission.free_number(taken, quota=quota, user="u")
    except OverLimit:
        assert len(taken) >= quota
    else:
        assert number not in taken
        assert 1 <= number <= quota


def test_what_was_expected():
    for expected in (0, 5):
        admission.check_expected(expected=expected, actual=5, what="cluster")
    with pytest.raises(Conflict, match=r"cluster changed meanwhile \(expected 4, is 5\)"):
        admission.check_expected(expected=4, actual=5, what="cluster")


def test_only_a_wanted_cluster_is_changed():
    admission.check_changeable(wanted=True, milvus_name="x")
    with pytest.raises(WrongState) as caught:
        admission.check_changeable(wanted=False, milvus_name="x")
    assert caught.value.reason == "CLUSTER_DELETING"


@pytest.mark.parametrize("origin", ["", "user", "whitelist"])
def test_a_whitelist_is_wished_by_a_user_or_the_loop(origin):
    admission.check_origin(origin)
    with pytest.raises(InvalidRequest, match="user, whitelist"):
        admission.check_origin("the king")


def test_only_an_unwanted_cluster_goes():
    admission.check_gone(wanted=False, cluster_id="x")
    with pytest.raises(WrongState) as caught:
        admission.check_gone(wanted=True, cluster_id="x")
    assert caught.value.reason == "CLUSTER_WANTED"


def test_an_id_of_a_call_fits_into_a_record():
    admission.check_call("x" * admission.CALL_LENGTH)
    with pytest.raises(InvalidRequest, match="at most 64") as caught:
        admission.check_call("x" * (admission.CALL_LENGTH + 1))
    assert caught.value.field == "/call_id"


@pytest.mark.parametrize("expected", ["", "c-one"])
def test_what_was_meant_for_another_cluster_of_the_name(expected):
    admission.check_same_cluster(expected, "c-one", "x")
    with pytest.raises(Conflict, match="x is another cluster by now"):
        admission.check_same_cluster("c-two", "c-one", "x")
