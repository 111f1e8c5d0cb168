"""The printed samples of the first contract, read as they were meant.

The samples carry trailing commas and lack a comma between objects of a list. Only these two slips
are mended, never inside a string, and only after strict parsing failed; the mended text must then
pass the strict parser. Pure.
"""

from bff.strict_json import JsonObject, parse
from kite.errors import Malformed

_OPENERS, _CLOSERS = ("[", "{"), ("]", "}")


def read(text: str) -> JsonObject:
    """The object that `text` is, or was meant to be.

    Raises:
        Malformed: as `strict_json.parse`; line and column are those of `text` as it came, but for
            a column to the right of a comma put in where no blank stood.
    """
    try:
        return parse(text)
    except Malformed as strict:
        if strict.reason != "MALFORMED_JSON":
            raise
        mended = mend(text)
        if mended == text:
            raise
    return parse(mended)


def mend(text: str) -> str:
    """`text` without trailing commas and with the commas that lack between two objects.

    Offsets stay: a trailing comma becomes a blank, a lacking one takes the place of a blank.
    """
    out = list(text)
    before, last, last_at = "", "", -1
    quoted = escaped = False
    for at, letter in enumerate(text):
        if quoted:
            quoted, escaped = escaped or letter != '"', letter == "\\" and not escaped
            continue
        if letter.isspace():
            continue
        if letter in _CLOSERS and last == "," and before not in _OPENERS:
            out[last_at] = " "
        elif letter == "{" and last == "}":
            _put_comma(out, last_at)
        quoted = letter == '"'
        before, last, last_at = last, letter, at
    return "".join(out)


def _put_comma(out: list[str], after: int) -> None:
    gap = after + 1
    if out[gap] in " \t":
        out[gap] = ","
    else:
        out[after] += ","
