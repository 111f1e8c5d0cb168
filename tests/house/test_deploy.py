"""What stands in `deploy/`: each service is given the secrets it uses and no others."""

import asyncio
import os

import pytest
import yaml

from kite.cli import config
from kite.cli.services import Service
from tests.house import tree

CLOUD = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


def mention(word):
    """The services whose code has this word."""
    return {
        one
        for one in Service
        for name in tree.written(".py")
        if name.startswith(f"{one.module}/") and word in tree.text(name)
    }


@pytest.fixture(scope="module")
def owners():
    """Each secret that settings may hold, and the services that use it."""
    whole = asyncio.run(config.ask({"KITE_ENV_FILE": os.devnull}))
    own = {s.name: {one} for one in Service for s in whole.own(one) if s.secret}
    common = {s.name for s in whole.common() if s.secret}
    assert common == {"KITE_SECRET"}
    derive = {"KITE_SECRET": mention(".secret.get_secret_value()")}
    return own | derive | dict.fromkeys(CLOUD, mention("botocore"))


def test_who_uses_which_secret(owners):
    assert owners["KITE_SECRET"] == {Service.BFF, Service.PROVISIONER}
    assert owners[CLOUD[0]] == {Service.WHITELIST, Service.PROVISIONER}
    assert len(owners) == 6


def needless(owners, service):
    return {name for name, users in owners.items() if service not in users}


@pytest.mark.parametrize("service", Service)
def test_a_container_keeps_its_own_secrets_only(owners, service):
    """`environment` wins over `env_file`."""
    files = ("docker-compose.yml", "deploy/compose.test.yml")
    for services in (yaml.safe_load(tree.text(file))["services"] for file in files):
        given = services[service.value]["environment"]
        assert {name for name in needless(owners, service) if given.get(name)} == set()
    given = yaml.safe_load(tree.text(files[0]))["services"][service.value]["environment"]
    assert {name for name, value in given.items() if value == ""} == needless(owners, service)


@pytest.mark.parametrize("service", Service)
def test_a_unit_keeps_its_own_secrets_only(owners, service):
    """Units are done with `UnsetEnvironment` after they read `EnvironmentFile` (systemd.exec)."""
    lines = tree.text(f"deploy/systemd/kite-{service.value}.service").splitlines()
    (unset,) = [line.partition("=")[2] for line in lines if line.startswith("UnsetEnvironment=")]
    assert set(unset.split()) == needless(owners, service)
