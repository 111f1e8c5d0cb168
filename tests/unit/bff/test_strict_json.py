import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bff import strict_json
from bff.strict_json import MAX_DEPTH, parse, pointer, text_of
from kite.errors import InvalidRequest, KiteError, Malformed

SCALARS = st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.text()
VALUES = st.recursive(
    SCALARS | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


def _depth(value: object) -> int:
    match value:
        case dict():
            return 1 + max(map(_depth, value.values()), default=0)
        case list():
            return 1 + max(map(_depth, value), default=0)
        case _:
            return 0


@given(st.dictionaries(st.text(), VALUES, max_size=5))
def test_what_json_writes_is_read_back(value: dict):
    if _depth(value) <= MAX_DEPTH:
        assert parse(json.dumps(value)) == value
        assert parse(json.dumps(value, ensure_ascii=False)) == value


@given(st.binary(max_size=200))
@example(b"{" * 100)
def test_any_bytes_are_read_or_refused_by_name(raw: bytes):
    try:
        told = isinstance(parse(text_of(raw)), dict)
    except InvalidRequest as refused:
        told = bool(refused.reason and refused.description)
    assert told


def test_a_refusal_tells_line_and_column():
    with pytest.raises(Malformed, match="line 3 column 6") as caught:
        parse('{"a": 1,\n"b": 2,\n "c" 3}')
    assert caught.value.context == {"line": "3", "column": "6"}


@pytest.mark.parametrize(
    ("text", "reason", "field"),
    [
        ('{"a": NaN}', "MALFORMED_JSON", ""),
        ('{"a": 1, "a": 1}', "DUPLICATE_FIELD", "/a"),
        ("[]", "OBJECT_EXPECTED", ""),
        ('{"a": [0, "\\ud800"]}', "INVALID_STRING", "/a/1"),
        ('{"a": {"\\udc00": 1}}', "INVALID_STRING", "/a"),
        ('{"a": ' + "1" * 101 + "}", "NUMBER_TOO_LARGE", ""),
        ('{"a": 0.' + "1" * 101 + "}", "NUMBER_TOO_LARGE", ""),
        ('{"a": 1e999}', "NUMBER_TOO_LARGE", ""),
        ('{"a":' * (MAX_DEPTH + 1), "TOO_DEEP", ""),
    ],
)
def test_each_refusal_has_its_reason_and_place(text: str, reason: str, field: str):
    with pytest.raises(InvalidRequest) as caught:
        parse(text)
    assert (caught.value.reason, caught.value.field) == (reason, field)


@pytest.mark.parametrize(
    ("raw", "reason"), [(b"\xef\xbb\xbf{}", "MALFORMED_JSON"), (b"\xff", "INVALID_ENCODING")]
)
def test_bytes_must_be_plain_utf8(raw: bytes, reason: str):
    with pytest.raises(Malformed) as caught:
        text_of(raw)
    assert caught.value.reason == reason


def test_depth_counts_nothing_inside_strings():
    value = {"a": "[" * 40 + '\\"{', "b": []}
    assert parse(json.dumps(value)) == value


def test_the_deepest_allowed_is_read():
    text = '{"a":' * MAX_DEPTH + "1.5" + "}" * MAX_DEPTH
    assert parse(text)


def test_numbers_keep_their_kind():
    assert parse('{"a": 50.0, "b": 50}') == {"a": 50.0, "b": 50}
    assert isinstance(parse('{"a": 50.0}')["a"], float)


def test_pointers_are_escaped_printable_and_short():
    assert pointer("/a", "b/c~\n") == "/a/b~1c~0?"
    assert len(pointer("", "x" * 1000)) == 65


def test_surrogates_of_a_pair_are_one_character():
    assert parse('{"a": "\\ud83d\\ude00"}') == {"a": "\U0001f600"}


def test_every_refusal_is_a_kite_error():
    assert issubclass(Malformed, KiteError)
    assert strict_json.MAX_DIGITS == 100
