"""Every setting of every service is described, and `.env.example` has them all."""

import asyncio
import os
import re

import pytest

from kite.cli import config
from kite.cli.services import Service
from kite.settings import OUTSIDE, OUTSIDE_PREFIXES
from tests.house import tree

NAME = re.compile(r"\bKITE_[A-Z0-9_]*[A-Z0-9]\b")
NOT_SETTINGS = {"KITE_ENV_FILE", "KITE_PYTHON", "KITE_EC2_ENDPOINT"} | OUTSIDE
READERS = ("README.md", "docker-compose.yml", "deploy/", ".env.example", "Makefile", ".ci/run")


@pytest.fixture(scope="module")
def whole():
    return asyncio.run(config.ask({"KITE_ENV_FILE": os.devnull}))


def names(whole):
    every = (one for told in whole.services.values() for one in told.settings)
    return {one.name: one for one in every}


def test_every_setting_has_a_meaning(whole):
    bare = [name for name, one in names(whole).items() if not one.description.endswith((".", ")"))]
    assert bare == []


def test_own_settings_start_with_their_services_word(whole):
    for service in Service:
        for one in whole.own(service):
            short = one.name == "KITE_AUTH"  # the edge's; every guide speaks of it
            assert short or one.name.startswith(f"KITE_{service.name}_")


def test_the_example_is_what_the_settings_say(whole):
    assert tree.text(".env.example") == config.example(whole), "run `make docs`"


def test_what_is_secret_has_no_default(whole):
    assert [one.name for one in names(whole).values() if one.secret and one.default] == []


def test_no_page_or_file_names_a_setting_that_is_not(whole):
    known = names(whole).keys() | NOT_SETTINGS
    found = {
        f"{file}: {name}"
        for file in tree.files()
        if file.startswith(READERS)
        for name in NAME.findall(tree.text(file))
        if name not in known and not name.startswith(OUTSIDE_PREFIXES)
    }
    assert found == set()
