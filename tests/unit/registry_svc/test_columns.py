"""Columns never leave out a document that matches."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_svc.columns import Columns


@pytest.fixture
def clusters():
    columns = Columns("clusters")
    columns.put("c1", {"live_key": "a|x", "username": "a", "due-at": 5})
    columns.put("c2", {"live_key": "a|y", "username": "a", "due-at": 9})
    columns.put("c3", {"username": "b", "due-at": 7})
    return columns


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ({"_id": "c9"}, ["c9"]),
        ({"_id": {"$in": ["c1", "c7"]}}, ["c1", "c7"]),
        ({"_id": {"$in": ["c1"], "$ne": "c2"}}, None),
        ({"live_key": "a|y"}, ["c2"]),
        ({"live_key": "b|x"}, []),
        ({"live_key": {"$exists": True}}, None),
        ({"live_key": {"$exists": True}, "due-at": {"$lte": 7}}, ["c1", "c3"]),
        ({"due-at": {"$gt": 5, "$lt": 9}}, ["c3"]),
        ({"due-at": {"$gte": 9}}, ["c2"]),
        ({"live_key": {"$gt": "a|x"}}, ["c2"]),
        # Equality tells more than a range, whichever comes first.
        ({"live_key": {"$gt": ""}, "username": "a"}, ["c1", "c2"]),
        ({"told": False}, None),
        ({"username": {"$in": ["a"]}}, None),
        ({"username": {}}, None),
        ({}, None),
    ],
)
def test_candidates(clusters, query, ids):
    assert clusters.candidates(query, ()) == ids


def test_what_is_unsettled_may_always_match(clusters):
    assert clusters.candidates({"live_key": "a|y"}, ["c2", "c8"]) == ["c2", "c8"]


def test_what_went_or_lost_its_field_is_left_out(clusters):
    clusters.put("c1", None)
    clusters.put("c2", {"username": "a"})
    assert clusters.candidates({"username": "a"}, ()) == ["c2"]
    assert clusters.candidates({"live_key": "a|y"}, ()) == []
    clusters.put("c1", None)


def test_a_collection_without_columns():
    assert Columns("duties").candidates({"lease": "x"}, ()) is None


times = st.integers(0, 20)
documents = st.dictionaries(
    st.sampled_from([f"c{n}" for n in range(6)]),
    st.fixed_dictionaries({}, optional={"due-at": times, "username": st.sampled_from("ab")}),
)


@given(documents, documents, times, st.sampled_from("ab"))
def test_nothing_that_matches_is_left_out(before, after, limit, user):
    columns = Columns("clusters")
    for stage in (before, after):
        for number in range(6):
            columns.put(f"c{number}", stage.get(f"c{number}"))
    due = {i for i, d in after.items() if d.get("due-at", 99) <= limit}
    assert set(columns.candidates({"due-at": {"$lte": limit}}, ())) == due
    owned = {i for i, d in after.items() if d.get("username") == user}
    assert set(columns.candidates({"due-at": {"$gt": 0}, "username": user}, ())) == owned
