"""The collection as a reader finds it: every variable told, no shell, no check switched off."""

import ast
import re

import pytest
import yaml

from tests.playbooks.conftest import PLAYBOOKS

ROLES = sorted(path.name for path in (PLAYBOOKS / "roles").iterdir())
BOOKS = ["install.yml", "verify.yml", "remove.yml"]
YAML = sorted(PLAYBOOKS.glob("roles/*/*/*.yml")) + [PLAYBOOKS / book for book in BOOKS]
MODULES = sorted(PLAYBOOKS.glob("plugins/module*/*.py"))


def load(path):
    return yaml.safe_load(path.read_text())


def options(role):
    return load(PLAYBOOKS / f"roles/{role}/meta/argument_specs.yml")["argument_specs"]["main"][
        "options"
    ]


@pytest.mark.parametrize("role", ROLES)
def test_every_default_is_specified_and_every_option_has_a_default(role):
    assert set(load(PLAYBOOKS / f"roles/{role}/defaults/main.yml")) == set(options(role))


@pytest.mark.parametrize("role", ROLES)
def test_the_specified_default_is_the_default(role):
    defaults = load(PLAYBOOKS / f"roles/{role}/defaults/main.yml")

    for name, option in options(role).items():
        templated = isinstance(defaults[name], str) and "{{" in defaults[name]
        if "default" in option and not templated:
            assert option["default"] == defaults[name], name


@pytest.mark.parametrize("role", ROLES)
def test_every_variable_carries_the_name_of_its_role(role):
    assert all(name.startswith(f"{role}_") for name in options(role))


def test_every_variable_is_in_the_readme_with_its_description():
    readme = " ".join((PLAYBOOKS / "README.md").read_text().split())

    for role in ROLES:
        for name, option in options(role).items():
            assert f"| `{name}` |" in readme, f"{name} is not told in playbooks/README.md"
            assert " ".join(option["description"].split()) in readme, name


@pytest.mark.parametrize("book", BOOKS)
def test_a_playbook_is_short(book):
    assert len((PLAYBOOKS / book).read_text().splitlines()) <= 30


@pytest.mark.parametrize("book", BOOKS)
def test_a_playbook_is_understood_with_the_example_inventory(play, book):
    inventory = (PLAYBOOKS / "inventories/example.yml").read_text()

    assert play(book, inventory, "--syntax-check").code == 0


@pytest.mark.parametrize("path", YAML, ids=lambda path: str(path.relative_to(PLAYBOOKS)))
def test_nothing_goes_through_a_shell(path):
    text = path.read_text()

    assert not re.search(
        r"^\s*(- )?(ansible\.builtin\.)?(shell|raw|command|script):", text, re.MULTILINE
    )
    assert not re.search(r"hostvars|validate_certs: *(false|no)|get_checksum: *(false|no)", text)


def test_host_keys_are_checked():
    texts = [path for path in PLAYBOOKS.rglob("*") if path.suffix in {".yml", ".cfg", ".j2", ".py"}]
    everything = "".join(path.read_text() for path in texts)

    assert "host_key_checking = true" in (PLAYBOOKS / "ansible.cfg").read_text()
    assert not re.search(r"StrictHostKeyChecking[= ](no|off|accept-new)", everything)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_module_is_understood_by_the_python_of_old_hosts(path):
    tree = ast.parse(path.read_text(), feature_version=(3, 8))

    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    assert any(node.module == "__future__" for node in imports), "annotations would be evaluated"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_module_starts_programs_by_argument_list(path):
    assert "shell=True" not in path.read_text()
    assert "os.system" not in path.read_text()
