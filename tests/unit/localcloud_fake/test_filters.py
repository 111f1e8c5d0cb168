import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.fake.filters import Filter, filters_of, matching
from localcloud.strict.call import Call, Params, Refusal

TAGS = {"one": {"user": "bob"}, "two": {"user": "b*b", "x": ""}, "three": {}}
READERS = {"name": lambda one: (one,), "letters": tuple}


def passing(*filters):
    asked = [Filter(name, tuple(values)) for name, *values in filters]
    passes = matching(asked, READERS, lambda one: TAGS[one])
    return [one for one in TAGS if passes(one)]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ([], ["one", "two", "three"]),
        ([("name", "one", "two")], ["one", "two"]),
        ([("name", "t*")], ["two", "three"]),
        ([("name", "t?o")], ["two"]),
        ([("name", "T*")], []),
        ([("name", "o.e")], []),
        ([("letters", "o")], ["one", "two"]),
        ([("letters", "o"), ("letters", "t")], ["two"]),
        ([("tag:user", "b*b")], ["one", "two"]),
        ([("tag:user", "b\\*b")], ["two"]),
        ([("tag:user", "b\\")], []),
        ([("tag-key", "user", "x")], ["one", "two"]),
        ([("tag:x", "")], ["two"]),
        ([("tag:nothing", "*")], []),
    ],
)
def test_values_are_alternatives_and_filters_all_hold(filters, found):
    assert passing(*filters) == found


def test_an_unknown_filter_is_refused():
    with pytest.raises(Refusal, match="colour"):
        passing(("colour", "red"))


def test_filters_of_a_call():
    given_filters = [{"Name": "name", "Values": ["a", "b"]}, {"Name": "tag:x", "Values": ["*"]}]
    call = Call("DescribeInstances", Params({"Filters": given_filters}), "1", "us-east-1")
    first, second = filters_of(call)
    assert first == Filter("name", ("a", "b"))
    assert first.exact
    assert not second.exact


@given(st.text(alphabet="ab*?\\.[", max_size=6))
def test_an_escaped_text_matches_itself_alone(text):
    escaped = "".join(f"\\{letter}" if letter in "*?\\" else letter for letter in text)
    passes = matching([Filter("name", (escaped,))], READERS, lambda _one: {})
    assert passes(text)
    assert not passes(text + "a")
