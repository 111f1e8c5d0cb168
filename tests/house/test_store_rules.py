"""How records are written: whole documents, compare-and-set, no key that a user could choose."""

import ast

import pytest

from tests.house import tree

FOLDER = "registry_svc/"
# Which module may call which writing method; whatever else writes is forbidden everywhere.
WRITERS = {
    "insert_one": {"access.py", "embedded.py", "selftest.py", "stored_format.py"},
    "insert_many": {"selftest.py"},
    "replace_one": {"access.py", "selftest.py"},
    "delete_one": {"access.py", "embedded.py"},
}
FORBIDDEN = {
    "save", "modify", "update_one", "update_many", "delete_many", "bulk_write", "objects",
    "find_one_and_update", "find_one_and_replace", "find_one_and_delete", "aggregate", "eval",
}  # fmt: skip


def faults(name, syntax):
    """What a module of the registry does to the database that it must not."""
    module = name.removeprefix(FOLDER)
    for node in ast.walk(syntax):
        match node:
            case ast.Call(func=ast.Attribute(attr=called)):
                if called in FORBIDDEN or module not in WRITERS.get(called, {module}):
                    yield f"{name}:{node.lineno} {called}"
                if any(word.arg in {"upsert", "__raw__"} for word in node.keywords):
                    yield f"{name}:{node.lineno} {called} by another way"
            case ast.Dict(keys=keys) if module in {"access.py", "store.py"}:
                if any(key and not isinstance(key, ast.Constant) for key in keys):
                    yield f"{name}:{node.lineno} a key of a query is not written here"


def test_records_are_written_by_compare_and_set_alone():
    modules = [name for name in tree.written(".py") if name.startswith(FOLDER)]
    assert {f"{FOLDER}access.py", f"{FOLDER}store.py"} <= set(modules)
    assert [fault for name in modules for fault in faults(name, tree.syntax(name))] == []


@pytest.mark.parametrize("text", [
    "record.save()",
    "Cluster.objects(name=name)",
    "collection.update_one({'_id': 1}, {'$set': {}})",
    "collection.replace_one({'_id': 1}, new, upsert=True)",
    "collection.find_one({field: value})",
    "query(__raw__=given)",
])  # fmt: skip
def test_the_rule_finds_what_it_looks_for(text):
    source = text if "." in text.partition("(")[0] else f"x.{text}"
    assert list(faults(f"{FOLDER}store.py", ast.parse(source)))


def test_a_writer_elsewhere_is_found():
    source = ast.parse("collection.replace_one({'_id': 1}, new)")
    assert list(faults(f"{FOLDER}wishes.py", source))
    assert not list(faults(f"{FOLDER}access.py", source))
