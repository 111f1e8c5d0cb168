"""Names are checked once and safe everywhere behind it."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kite import names
from kite.errors import InvalidRequest

HOSTILE = set("*?[]{}%\"'`$;&|<>\\/\n\r\t\0 .:")


@pytest.mark.parametrize("text", ["search-cats", "ab", "a1", "0a", "a" * 63, "a-b-c", "1-1"])
def test_good_cluster_names_come_back(text):
    assert names.cluster_name(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "-ab",
        "ab-",
        "Ab",
        "a_b",
        "a.b",
        "a b",
        "a" * 64,
        "ab\n",
        "猫咪",
        "a*",
        "{{ x }}",
        "$ne",
        "../x",
        "a\0b",
    ],
)
def test_bad_cluster_names_are_refused(text):
    with pytest.raises(InvalidRequest) as refused:
        names.cluster_name(text, field="/name")
    assert (refused.value.reason, refused.value.field) == ("INVALID_NAME", "/name")


@pytest.mark.parametrize("text", ["sg-x", "aws-x", "aws:x", "kite-x", "__recycle", "sg-"])
def test_reserved_cluster_names_are_refused(text):
    with pytest.raises(InvalidRequest) as refused:
        names.cluster_name(text)
    assert (refused.value.reason, refused.value.field) == ("RESERVED_NAME", "/milvus-name")


@given(st.text())
@example("ab\n")
def test_what_passes_is_safe_everywhere(text):
    try:
        passed = names.cluster_name(text)
    except InvalidRequest:
        return
    assert passed == text
    assert not HOSTILE & set(passed)
    assert names.CLUSTER_NAME_MIN <= len(passed) <= names.CLUSTER_NAME_MAX
    assert passed.isascii()


@pytest.mark.parametrize("text", ["milvus-test", "A", "a.b@c.d", "Zoe_1", "x" * 64])
def test_good_user_names_come_back(text):
    assert names.user_name(text) == text


@pytest.mark.parametrize("text", ["", ".a", "a.", "-a", "a b", "x" * 65, "a\n", "é", "a*", "{{a}}"])
def test_bad_user_names_are_refused(text):
    with pytest.raises(InvalidRequest) as refused:
        names.user_name(text)
    assert refused.value.reason == "INVALID_USERNAME"


def test_two_spellings_are_two_users():
    assert names.user_name("Alice") != names.user_name("alice")


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("req-1", True),
        ("A_b-9", True),
        ("x" * 64, True),
        ("", False),
        ("x" * 65, False),
        ("a b", False),
        ("a\nb", False),
        ('a"b', False),
    ],
)
def test_request_ids(text, fits):
    assert names.request_id(text) is fits
