"""The hooks before a commit are the steps of `make check`, each of them, and fetch nothing."""

import re

import yaml

from tests.house import tree

CHECK = tree.text("deploy/check.sh")


def hooks():
    (repo,) = yaml.safe_load(tree.text(".pre-commit-config.yaml"))["repos"]
    assert repo["repo"] == "local"
    return repo["hooks"]


def test_every_step_of_the_check_is_a_hook():
    steps = dict(re.findall(r'^(\w+)\(\) { step "([^"]+)"', CHECK, re.MULTILINE))
    called = {hook["entry"].removeprefix("deploy/check.sh "): hook["name"] for hook in hooks()}
    assert called == steps
    groups = re.findall(r"^(?:lint|type)\(\) {(.*?)}", CHECK, re.MULTILINE | re.DOTALL)
    assert {word.strip(";") for group in groups for word in group.split()} == steps.keys()


def test_hooks_use_what_is_here():
    assert {hook["language"] for hook in hooks()} == {"system"}
    assert not any(hook["pass_filenames"] for hook in hooks())
