import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bff import seed_json, strict_json
from kite.errors import InvalidRequest, Malformed
from tests.unit.bff.test_strict_json import VALUES, _depth

OBJECTS = st.dictionaries(st.text(), VALUES, max_size=5).filter(lambda v: _depth(v) <= 16)


@given(OBJECTS, st.sampled_from([None, 1]))
def test_good_json_is_never_mended(value: dict, indent: int | None):
    text = json.dumps(value, indent=indent)
    assert seed_json.mend(text) == text
    assert seed_json.read(text) == value


@given(OBJECTS.filter(bool))
def test_a_trailing_comma_is_dropped(value: dict):
    text = json.dumps(value)
    assert seed_json.read(f"{text[:-1]} ,\n}}") == value


@given(st.lists(OBJECTS, min_size=2, max_size=4), st.sampled_from(["", " ", "\n", "\n\t "]))
def test_a_lacking_comma_between_objects_is_put_in(items: list[dict], gap: str):
    if _depth(items) < 16:
        listed = gap.join(json.dumps(item) for item in items)
        assert seed_json.read(f'{{"a": [{listed},]}}') == {"a": items}


@given(st.text(max_size=60) | st.text('{}[],"\\ \n', max_size=30))
@example(",}")
@example("} {")
@example('\\",]"')
def test_mending_keeps_strings_and_never_breaks_off(text: str):
    seed_json.mend(text)
    try:
        value = strict_json.parse(json.dumps({"a": text}))
    except InvalidRequest:
        return
    assert seed_json.read(json.dumps({"a": text})[:-1] + ",}") == value


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"a": 1,\n "b": 2,\n "c" 3,\n}', "line 3 column 6"),
        ('{"a": [{"b": 1}\n{"c": 2}],\n "d": }', "line 3 column 7"),
        ('{"a" 1}', "line 1 column 6"),
    ],
)
def test_what_stays_wrong_is_told_where_it_stands(text: str, place: str):
    with pytest.raises(Malformed, match=place):
        seed_json.read(text)


@pytest.mark.parametrize(
    "text", ['{"a": "x', '{"a": 1}}', "{,}", '{"a": [,]}', '{"a" "b"}', '{"a": [1 2]}']
)
def test_other_slips_are_not_mended(text: str):
    with pytest.raises(Malformed):
        seed_json.read(text)


def test_what_is_refused_for_another_reason_is_not_tried_again():
    with pytest.raises(Malformed, match="twice"):
        seed_json.read('{"a": 1, "a": 2}')
    with pytest.raises(InvalidRequest, match="must be a JSON object"):
        seed_json.read("[1,]")
