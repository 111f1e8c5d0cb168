"""Page tokens come back as they went out, or are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kite.errors import InvalidRequest
from registry_svc import paging


@pytest.mark.parametrize(("wished", "size"), [(0, 100), (1, 1), (500, 500)])
def test_sizes(wished, size):
    assert paging.size(wished) == size


@pytest.mark.parametrize("wished", [-1, 501])
def test_sizes_that_are_refused(wished):
    with pytest.raises(InvalidRequest) as caught:
        paging.size(wished)
    assert caught.value.reason == "INVALID_PAGE_SIZE"


parts = st.lists(st.text(st.characters(exclude_characters="\n", codec="utf-8")), min_size=1)


@given(parts)
def test_a_token_comes_back(given_parts):
    assert paging.read(paging.token(*given_parts), parts=len(given_parts)) == tuple(given_parts)


@pytest.mark.parametrize("text", ["!", "a", "YQ", "/+/=", "%", "é", "YWJj\n", "_w"])
def test_a_token_of_others_is_refused(text):
    with pytest.raises(InvalidRequest) as caught:
        paging.read(text, parts=2)
    assert caught.value.reason == "INVALID_PAGE_TOKEN"


@pytest.mark.parametrize("number", [0, 1, 1_800_000_000_000, 2**63 - 1])
def test_a_number_of_a_token_comes_back(number):
    assert paging.number(str(number)) == number


@pytest.mark.parametrize(
    "text", ["", "-1", str(2**63), "9" * 30, " 1", "1\n", "01", "1_0", "٣", "x"]
)
def test_a_number_that_no_token_had_is_refused(text):
    with pytest.raises(InvalidRequest) as caught:
        paging.number(text)
    assert caught.value.reason == "INVALID_PAGE_TOKEN"


@given(st.text())
def test_any_text_is_a_token_or_a_clear_refusal(text):
    try:
        found = paging.read(text, parts=2)
    except InvalidRequest as refused:
        assert refused.reason == "INVALID_PAGE_TOKEN"  # noqa: PT017 - both outcomes are fine
    else:
        assert len(found) == 2


MIB = 1 << 20


@pytest.mark.parametrize(
    ("sizes", "most", "fitting"),
    [
        ([], 5, 0),
        ([1, 1, 1], 5, 3),
        ([1, 1, 1], 2, 2),
        ([MIB, MIB, 1], 5, 2),
        ([MIB, MIB + 1], 5, 1),
        ([3 * MIB, 1], 5, 1),
        ([1, 3 * MIB, 1], 5, 1),
    ],
)
def test_a_page_ends_by_count_or_by_bytes_and_has_one_entry_at_least(sizes, most, fitting):
    assert paging.fitting(sizes, most=most) == fitting
