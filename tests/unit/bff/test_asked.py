import pytest
from hypothesis import given
from hypothesis import strategies as st

from bff import asked
from bff.asked import Page, Wait
from kite.errors import Conflict, InvalidRequest


@pytest.mark.parametrize(
    ("query", "prefer", "expected"),
    [
        ({}, [], Wait()),
        ({"wait": "7"}, ["wait=9"], Wait(7)),
        ({}, ["wait=9"], Wait(9, preferred=True)),
        ({}, ['respond-async, WAIT = "9"; x=1'], Wait(9, preferred=True)),
        ({}, ["respond-async", "wait=9"], Wait(9, preferred=True)),
        ({}, ["wait=999999"], Wait(60, preferred=True)),
        ({}, ["wait=soon", "handling=strict"], Wait()),
        ({}, ["wait=-1"], Wait()),
    ],
)
def test_waits(query: dict, prefer: list, expected: Wait):
    assert asked.wait(query, prefer) == expected


@pytest.mark.parametrize("text", ["61", "-1", "x", "", "1.5", "٣"])
def test_an_unfit_wait_is_refused(text: str):
    with pytest.raises(InvalidRequest) as caught:
        asked.wait({"wait": text}, [])
    assert caught.value.reason == "INVALID_WAIT"


def test_pages():
    assert asked.page({}) == Page(50, "")
    assert asked.page({"page-size": "250", "page-token": "ab_c="}) == Page(250, "ab_c=")


@pytest.mark.parametrize("query", [{"page-size": "0"}, {"page-size": "251"}, {"page-token": "a b"}])
def test_an_unfit_page_is_refused(query: dict):
    with pytest.raises(InvalidRequest) as caught:
        asked.page(query)
    assert caught.value.reason == "INVALID_PAGE"


@pytest.mark.parametrize(
    ("query", "last", "number"),
    [({}, "", 0), ({}, "17", 17), ({}, "abc", 0), ({"after": "3"}, "17", 3)],
)
def test_where_to_go_on(query: dict, last: str, number: int):
    assert asked.after(query, last) == number


@pytest.mark.parametrize(
    ("lines", "expected"), [([], 0), (["*"], 0), (['"7"'], 7), ([' "7" , '], 7)]
)
def test_revisions(lines: list, expected: int):
    assert asked.revision(lines) == expected


@pytest.mark.parametrize("tag", ['"0"', "7", 'W/"7"', '"x"', '"7" "8"'])
def test_a_tag_that_kite_never_gave_cannot_be_the_present_one(tag: str):
    with pytest.raises(Conflict) as caught:
        asked.revision([tag])
    assert caught.value.reason == "REVISION_MISMATCH"


def test_one_tag_only():
    with pytest.raises(InvalidRequest) as caught:
        asked.revision(['"7", "8"'])
    assert caught.value.reason == "INVALID_IF_MATCH"


@pytest.mark.parametrize(
    ("lines", "known"),
    [([], False), (['"7"'], True), (['W/"7"'], True), (['"6", "7"'], True), (["*"], True)],
)
def test_what_the_caller_has_already(lines: list, known: bool):
    assert asked.known_already('"7"', lines) is known


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=255))
def test_a_fit_key_is_taken_as_it_is(key: str):
    assert asked.idempotency_key([key]) == key


def test_no_key_is_an_empty_one():
    assert asked.idempotency_key([]) == ""


@pytest.mark.parametrize("given_keys", [["a", "a"], [""], ["a b"], ["x" * 256], ["a\n"]])
def test_an_unfit_key_is_refused(given_keys: list):
    with pytest.raises(InvalidRequest):
        asked.idempotency_key(given_keys)


@pytest.mark.parametrize(
    ("query", "known", "reason"),
    [
        (["x"], frozenset(), "UNKNOWN_PARAMETER"),
        (["x"], frozenset({"wait"}), "UNKNOWN_PARAMETER"),
        (["wait", "wait"], frozenset({"wait"}), "DUPLICATE_PARAMETER"),
    ],
)
def test_parameters_are_known_and_given_once(query: list, known: frozenset, reason: str):
    with pytest.raises(InvalidRequest) as caught:
        asked.known_parameters(query, known)
    assert caught.value.reason == reason
    asked.known_parameters(["wait"], frozenset({"wait"}))


@pytest.mark.parametrize(("query", "prefer"), [({"wait": "30"}, []), ({}, ["wait=30"])])
def test_a_wait_is_cut_to_what_is_granted(query, prefer):
    assert asked.wait(query, prefer, most=5).seconds == 5
    assert asked.wait(query, prefer).seconds == 30
