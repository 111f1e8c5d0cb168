"""JSON as RFC 8259 has it, and nothing that a lenient parser would let pass.

Refused, each with its own reason: byte order mark, wrong encoding, NaN and Infinity, duplicate
keys, depth over 16, numbers nobody means, lone surrogates (I-JSON, RFC 7493), a top level that is
not an object. Pure.
"""

import json
import math
from typing import NoReturn, TypeAlias

from kite.errors import InvalidRequest, Malformed

MAX_DEPTH = 16
MAX_DIGITS = 100

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
JsonObject: TypeAlias = "dict[str, Json]"


def text_of(raw: bytes) -> str:
    """The text of a body.

    Raises:
        Malformed: MALFORMED_JSON for a byte order mark, INVALID_ENCODING for other than UTF-8.
    """
    if raw.startswith(b"\xef\xbb\xbf"):
        raise Malformed("the body starts with a byte order mark; send it without", reason=_BAD)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as wrong:
        raise Malformed(
            f"the body is not UTF-8 (byte {wrong.start})", reason="INVALID_ENCODING"
        ) from None


def parse(text: str) -> JsonObject:
    """The object that `text` is.

    Raises:
        Malformed: MALFORMED_JSON (with line and column), TOO_DEEP, NUMBER_TOO_LARGE,
            DUPLICATE_FIELD.
        InvalidRequest: OBJECT_EXPECTED, INVALID_STRING.
    """
    _check_depth(text)
    try:
        value: Json = json.loads(
            text,
            parse_constant=_no_constant,
            parse_int=_whole,
            parse_float=_fraction,
            object_pairs_hook=_once,
        )
    except json.JSONDecodeError as wrong:
        raise Malformed(
            f"not JSON at line {wrong.lineno} column {wrong.colno}: {wrong.msg}",
            reason=_BAD,
            context={"line": str(wrong.lineno), "column": str(wrong.colno)},
        ) from None
    if not isinstance(value, dict):
        raise InvalidRequest("the body must be a JSON object", reason="OBJECT_EXPECTED")
    _check_strings(value, "")
    return value


_BAD = "MALFORMED_JSON"


def _check_depth(text: str) -> None:
    depth, quoted, escaped = 0, False, False
    for letter in text:
        if quoted:
            quoted, escaped = escaped or letter != '"', letter == "\\" and not escaped
        elif letter == '"':
            quoted = True
        elif letter in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise Malformed(f"the body nests deeper than {MAX_DEPTH} levels", reason="TOO_DEEP")
        elif letter in "]}":
            depth -= 1


def _no_constant(word: str) -> NoReturn:
    raise Malformed(f"{word} is not JSON", reason=_BAD)


def _whole(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise Malformed(
            f"a number has {len(digits)} digits; at most {MAX_DIGITS}", reason="NUMBER_TOO_LARGE"
        )
    return int(digits)


def _fraction(digits: str) -> float:
    if len(digits) > MAX_DIGITS or not math.isfinite(float(digits)):
        raise Malformed("a number is out of range", reason="NUMBER_TOO_LARGE")
    return float(digits)


def _once(pairs: list[tuple[str, Json]]) -> JsonObject:
    found: JsonObject = {}
    for key, value in pairs:
        if key in found:
            raise Malformed(
                "a field is given twice in one object", reason="DUPLICATE_FIELD", field=_at("", key)
            )
        found[key] = value
    return found


def _check_strings(value: Json, place: str) -> None:
    match value:
        case str():
            _check_string(value, place)
        case list():
            for number, item in enumerate(value):
                _check_strings(item, f"{place}/{number}")
        case dict():
            for key, item in value.items():
                _check_string(key, place)
                _check_strings(item, _at(place, key))
        case _:
            pass


def _check_string(text: str, place: str) -> None:
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise InvalidRequest(
            "a string holds half of a surrogate pair", reason="INVALID_STRING", field=place
        )


def _at(place: str, key: str) -> str:
    """JSON pointer (RFC 6901) one step further, safe to print and never long."""
    step = key.replace("~", "~0").replace("/", "~1")
    shown = "".join(letter if letter.isprintable() else "?" for letter in step)
    return f"{place}/{shown[:64]}"


pointer = _at
