"""RELIABILITY.md: no row is missing, and every test it names exists."""

import ast
import re

from tests.house import tree

PAGE = "RELIABILITY.md"
NAMED = re.compile(r"`([\w/]+\.py)(?:::(\w+))?`")  # a file alone means all of it
WITHOUT = ("cannot be injected here", "not built yet")


def rows(letter):
    """Number to its line of the table."""
    found = re.findall(rf"^\| ({letter}\d\d) \|(.*)$", tree.text(PAGE), re.MULTILINE)
    assert len(found) == len(dict(found)), "a row stands there twice"
    return dict(found)


def named_in(name):
    return {
        node.name
        for node in ast.walk(tree.syntax(name))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    }


def there(test, found):
    return test in found if test else bool(found)


def missing(text):
    """Tests that are named and do not exist."""
    files = set(tree.files())
    return [
        f"{file}::{test}"
        for file, test in NAMED.findall(text)
        if f"tests/{file}" not in files or not there(test, named_in(f"tests/{file}"))
    ]


def test_every_fault_and_every_threat_has_its_row():
    assert list(rows("F")) == [f"F{number:02}" for number in range(1, 67)]
    assert list(rows("T")) == [f"T{number:02}" for number in range(1, 35)]


def test_every_row_names_a_test_or_says_why_there_is_none():
    silent = [
        number
        for number, row in (rows("F") | rows("T")).items()
        if not NAMED.search(row) and not any(words in row for words in WITHOUT)
    ]
    assert silent == []


def test_every_test_that_is_named_exists():
    assert len(NAMED.findall(tree.text(PAGE))) > 100
    assert missing(tree.text(PAGE)) == []


def test_a_test_that_does_not_exist_is_found():
    named = "`house/test_reliability.py::test_nothing`, `no/such.py::test_x`, `house/tree.py`"
    assert missing(named) == [
        "house/test_reliability.py::test_nothing",
        "no/such.py::test_x",
        "house/tree.py::",
    ]
