"""A setting's text becomes a value of its type within its bounds, or a sentence that hides it."""

from enum import StrEnum
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kite.fields import Field, SecretStr, parsed
from kite.settings import Common, SettingsRefused


class Color(StrEnum):
    RED = "red"
    BLUE = "blue"


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("7", int, 7),
        (" -7 ", int, -7),
        ("0.5", float, 0.5),
        ("TRUE", bool, True),
        ("on", bool, True),
        ("0", bool, False),
        ("No", bool, False),
        ("red", Color, Color.RED),
        ("/a/b", Path, Path("/a/b")),
        ("/a/b", Path | None, Path("/a/b")),
        ("", Path | None, None),
        (" a, b,,c ", tuple[str, ...], ("a", "b", "c")),
        ("", tuple[str, ...], ()),
        ("b,a", frozenset[str], frozenset({"a", "b"})),
        (" kept ", str, " kept "),
        ("s", SecretStr, SecretStr("s")),
    ],
)
def test_text_is_read_by_type(text, kind, value):
    assert parsed(text, kind) == value
    assert type(parsed(text, kind)) is type(value)


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("7.5", int, "a whole number"),
        ("", int, "a whole number"),
        ("inf", int, "a whole number"),
        ("x", float, "a number"),
        ("nan", float, "a number"),
        ("-inf", float, "a number"),
        ("maybe", bool, "true or false"),
        ("", bool, "true or false"),
        ("green", Color, "one of red, blue"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(text, kind, said):
    with pytest.raises(ValueError, match=f"^expected {said}$"):
        parsed(text, kind)


def test_a_type_that_nobody_reads_is_a_defect():
    with pytest.raises(TypeError, match="dict"):
        parsed("", dict)


@pytest.mark.parametrize(
    ("bounds", "good", "bad", "said"),
    [
        ({"ge": 1}, "1", "0", "must be greater than or equal to 1"),
        ({"gt": 0}, "0.1", "0", "must be greater than 0"),
        ({"le": 5}, "5", "5.1", "must be less than or equal to 5"),
    ],
)
def test_numbers_keep_their_bounds(bounds, good, bad, said):
    field = Field(3.0, description="", **bounds)
    assert field.read(good, float) == float(good)
    with pytest.raises(ValueError, match=f"^{said}$"):
        field.read(bad, float)


def test_a_misspelt_bound_is_a_defect():
    with pytest.raises(TypeError, match="least"):
        Field(1, description="", least=0)


def test_a_pattern_is_for_the_whole_text():
    field = Field("a", description="", pattern="^[a-z]+$")
    assert field.read("abc", str) == "abc"
    for bad in ("abc\n", "a1", ""):
        with pytest.raises(ValueError, match="must match"):
            field.read(bad, str)


def test_a_check_may_refuse_or_change():
    def even(value):
        if value % 2:
            raise ValueError("must be even")
        return value // 2

    field = Field(0, description="", check=even)
    assert field.read("6", int) == 3
    with pytest.raises(ValueError, match="even"):
        field.read("5", int)


@given(st.text(min_size=9))
def test_a_secret_is_never_shown(text):
    secret = SecretStr(text)
    assert secret.get_secret_value() == text
    assert (str(secret), repr(secret)) == ("********", "SecretStr('********')")
    assert secret == SecretStr(text)
    assert hash(secret) == hash(SecretStr(text))
    assert secret != text


class Fitting(Common):
    least: int = Field(1, description="")
    most: int = Field(2, description="")

    def agree(self):
        if self.least > self.most:
            raise ValueError("KITE_LEAST is above KITE_MOST")


def test_settings_must_fit_together_once_each_fits():
    assert Fitting(least="2").least == 2
    assert Fitting(least=0) != Fitting(least=1)
    assert Fitting() != Common()
    with pytest.raises(SettingsRefused, match=r"^KITE_LEAST is above KITE_MOST$"):
        Fitting(least="3")
    with pytest.raises(SettingsRefused, match=r"^KITE_MOST: expected a whole number$"):
        Fitting(least="3", most="x")


def test_a_misspelt_setting_in_code_is_a_defect():
    with pytest.raises(TypeError, match="leest"):
        Fitting(leest=1)
