"""The import contracts of pyproject.toml forget no module and no folder."""

import ast
import re
import tomllib

import pytest

from tests.house import tree

CLAIM = re.compile(r"\b[Pp]ure( data)?[.,:;]")
ALWAYS_PURE = ("kite.errors", "kite.names", "kite.tags", "kite.ports", "kite.refusals")


@pytest.fixture(scope="module")
def linter():
    return tomllib.loads(tree.text("pyproject.toml"))["tool"]["importlinter"]


def contract(linter, words):
    (found,) = [one for one in linter["contracts"] if words in one["name"]]
    return found


def claiming():
    """Modules whose docstring says that they are pure."""
    return {
        tree.module(name)
        for name in tree.written(".py")
        if name.startswith((*tree.SERVICES, "kite/", "localcloud/"))
        and CLAIM.search(ast.get_docstring(tree.syntax(name)) or "")
    }


def test_every_module_that_says_it_is_pure_is_held_to_it(linter):
    held = set(contract(linter, "Pure modules")["source_modules"])
    assert (claiming() | set(ALWAYS_PURE)) - held == set()


def test_pure_modules_may_not_reach_the_world(linter):
    forbidden = set(contract(linter, "Pure modules")["forbidden_modules"])
    style = {"asyncio", "time", "random", "os", "grpc", "boto3", "mongoengine", "aiohttp"}
    assert style | {"ansible_runner", "logging", "socket", "subprocess"} <= forbidden


def test_no_contract_has_exceptions(linter):
    assert not [one["name"] for one in linter["contracts"] if one.get("ignore_imports")]
    assert not [one["name"] for one in linter["contracts"] if one.get("allow_indirect_imports")]


def test_services_are_independent(linter):
    independent = contract(linter, "Services speak gRPC only")
    assert set(independent["modules"]) == {*tree.SERVICES, "localcloud"}


def reached(folder):
    """Modules of kite that the Python files of a folder import, directly or through kite."""
    found, waiting = set(), list(imports(folder))
    while waiting:
        module = waiting.pop()
        if module in found or module.startswith("kite.v1"):
            continue
        found.add(module)
        waiting += imports(module.replace(".", "/"))
    return found


def imports(prefix):
    modules = {tree.module(name) for name in tree.files() if name.endswith(".py")}
    for name in tree.written(".py"):
        if name.startswith(f"{prefix}/") or name in {f"{prefix}.py", f"{prefix}/__init__.py"}:
            for node in ast.walk(tree.syntax(name)):
                yield from named(node, modules)


def named(node, modules):
    if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("kite"):
        parts = [node.module, *(f"{node.module}.{one.name}" for one in node.names)]
        yield from (one for one in parts if one in modules)
    elif isinstance(node, ast.Import):
        yield from (one.name for one in node.names if one.name.startswith("kite"))


def test_a_thing_is_in_the_kernel_only_when_two_services_use_it():
    """The command and what runs in containers are ours for everybody."""
    own = ("kite.v1", "kite.cli", "kite.rpc.probe")
    kernel = {
        tree.module(name)
        for name in tree.written(".py")
        if name.startswith("kite/") and tree.text(name).strip()
    }
    users = {module: 0 for module in kernel if not module.startswith(own) and module != "kite"}
    for service in tree.SERVICES:
        for module in reached(service):
            if module in users:
                users[module] += 1
    assert {module: n for module, n in users.items() if n < 2} == {}
