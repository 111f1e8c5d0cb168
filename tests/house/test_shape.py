"""The shape of the house: names, lengths, and what no tracked file may say."""

import ast
import re

import pytest

from tests.house import tree

FORBIDDEN_STEMS = {
    *("utils", "util", "common", "helpers", "helper", "base", "manager", "misc", "models"),
    "constants",
}
TOP = {
    *("bff", "deploy", "kite", "localcloud", "playbooks", "protos", "provisioner"),
    *("registry_svc", "tests", "whitelist_svc", ".ci"),
}
LONGEST_FILE, LONGEST_FUNCTION = 400, 60
CODE = (".py", ".sh", ".yml", ".yaml", ".proto", ".js", ".css", ".html", ".toml")
MACHINE = re.compile(r"(?<![\w.])/(work/(main|shared)|root/\.|opt/wheels)\b|\.pyenv\b")
HERE = "/" + "work/main"  # not in one piece: no file names such a path
INDEX = re.compile(
    r"\b(pypi\.org|pythonhosted\.org|npmjs\.(org|com)|proxy\.golang\.org|repo1?\.maven"
    r"|crates\.io|(deb|security|snapshot)\.debian\.org|archive\.ubuntu\.com)\b",
    re.IGNORECASE,
)
TODO = re.compile(r"(#|//|<!--).*\b(TODO|FIXME|XXX|HACK)\b(?!\(#\d+\))")
OWN = "tests/house/test_shape.py"


def test_no_file_has_a_name_that_says_nothing():
    stems = {name: re.sub(r"\.\w+$", "", name.rsplit("/", 1)[-1]) for name in tree.written()}
    bad = [n for n, stem in stems.items() if stem.lower() in FORBIDDEN_STEMS]
    assert not bad


def test_the_top_has_no_other_folder():
    assert {name.split("/")[0] for name in tree.files() if "/" in name} <= TOP


def test_no_file_is_longer_than_it_may_be():
    lengths = {name: tree.text(name).count("\n") for name in tree.written(*CODE)}
    assert {name: n for name, n in lengths.items() if n > LONGEST_FILE} == {}


def functions(name):
    for node in ast.walk(tree.syntax(name)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def test_no_function_is_longer_than_it_may_be():
    long = {
        f"{name}:{function}": lines
        for name in tree.written(".py")
        for function, lines in functions(name)
        if lines >= LONGEST_FUNCTION
    }
    assert long == {}


def test_every_product_file_says_what_it_is_for():
    silent = [
        name
        for name in tree.written(".py")
        if name.startswith(tree.PRODUCT)
        and tree.text(name).strip()
        and ast.get_docstring(tree.syntax(name)) is None
    ]
    assert silent == []


@pytest.mark.parametrize(("what", "pattern"), [("machine path", MACHINE), ("package host", INDEX)])
def test_no_file_names_this_machine_or_a_package_index(what, pattern):
    found = {
        f"{name}:{number}": line.strip()[:100]
        for name in tree.files()
        if name != OWN
        for number, line in enumerate(tree.text(name).splitlines(), 1)
        if pattern.search(line)
    }
    assert found == {}, what


def test_every_todo_names_an_issue():
    found = [
        f"{name}:{number}"
        for name in tree.written(*CODE)
        if name != OWN
        for number, line in enumerate(tree.text(name).splitlines(), 1)
        if TODO.search(line)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (MACHINE, f"cd {HERE} && x"),
        (MACHINE, "/root/.cache/x"),
        (INDEX, "https://PyPI.org/simple"),
        (TODO, "# TODO: later"),
        (TODO, "x = 1  # XXX"),
    ],
)
def test_the_patterns_find_what_they_look_for(pattern, text):
    assert pattern.search(text)


def test_the_patterns_let_the_rest_be():
    assert not TODO.search("# TODO(#12): later")
    assert not MACHINE.search(f"/home{HERE}")
    assert not INDEX.search("docker.io")
