"""`kite config` shows every setting of every service, and never a secret."""

import sys

import pytest
from typer.testing import CliRunner

from kite.cli import config
from kite.cli.__main__ import app
from kite.cli.config import Whole
from kite.cli.services import Service
from kite.described import Described, Setting


def setting(name, *, common=False, secret=False, value="", default=""):
    return Setting(name, f"Meaning of {name}.", default, secret, common, value)


def whole(lacking=(), **faults):
    common = setting("KITE_REGION", common=True, value="eu-west-1", default="us-east-1")
    return Whole(
        {
            one: Described(
                (common, setting(f"KITE_{one.name}_LISTEN", value="a:1", default="a:1")),
                tuple(faults.get(one.value, ())),
                lacking if one is Service.PROVISIONER else (),
            )
            for one in Service
        }
    )


def test_common_settings_are_shown_once_and_changes_marked():
    lines = config.shown(whole()).splitlines()
    assert lines[0] == "KITE_REGION=eu-west-1   # set"
    assert lines[1:] == [f"KITE_{one.name}_LISTEN=a:1" for one in Service]


def test_each_fault_is_told_once():
    both = whole(bff=("x: bad",), registry=("x: bad", "y: bad"))
    assert both.faults() == ("x: bad", "y: bad")


@pytest.mark.parametrize(
    ("told", "code", "out", "err"),
    [
        (whole(), 0, "The settings of all services are fine.\n", ""),
        (whole(bff=("x: bad",)), 2, "", "x: bad\n"),
        (whole(lacking=("y: set it", "z: set it")), 2, "", "y: set it\nz: set it\n"),
    ],
)
def test_the_check_passes_only_what_can_make_a_cluster(monkeypatch, told, code, out, err):
    async def ask(_environ):
        return told

    monkeypatch.setattr(config, "ask", ask)
    done = CliRunner().invoke(app, ["config", "check"])
    assert (done.exit_code, done.stdout, done.stderr) == (code, out, err)


def test_what_is_lacking_keeps_nobody_from_looking(monkeypatch):
    async def ask(_environ):
        return whole(lacking=("y: set it",))

    monkeypatch.setattr(config, "ask", ask)
    assert CliRunner().invoke(app, ["config", "show"]).exit_code == 0


def test_the_example_has_every_setting_with_its_meaning_commented_out():
    text = config.example(whole())
    for one in Service:
        assert f"# Meaning of KITE_{one.name}_LISTEN.\n#KITE_{one.name}_LISTEN=a:1\n" in text
    assert "#KITE_REGION=us-east-1\n" in text
    assert all(line.startswith("#") or not line for line in text.splitlines())
    assert text.endswith("a:1\n")


def test_long_meanings_are_wrapped():
    long = Setting("KITE_X", "word " * 60, "", secret=False, common=True, value="")
    text = config.example(Whole({one: Described((long,), ()) for one in Service}))
    assert max(map(len, text.splitlines())) <= 100


async def test_a_service_that_cannot_tell_is_named_with_what_it_said(monkeypatch):
    broken = (sys.executable, "-c", "raise SystemExit('no such thing')")
    monkeypatch.setattr(Service, "settings_command", lambda _self: broken)
    with pytest.raises(config.NotDescribed, match=r"bff\.settings cannot be read: no such thing"):
        await config.ask({}, [Service.BFF])


async def test_a_silent_service_is_named_too(monkeypatch):
    silent = (sys.executable, "-c", "")
    monkeypatch.setattr(Service, "settings_command", lambda _self: silent)
    with pytest.raises(config.NotDescribed, match="it said nothing"):
        await config.ask({}, [Service.REGISTRY])


def test_every_service_has_a_package_of_its_own():
    assert [one.module for one in Service] == [
        "registry_svc",
        "whitelist_svc",
        "provisioner",
        "bff",
    ]
    assert Service.BFF.command()[1:] == ("-m", "bff")
    assert Service.BFF.settings_command()[1:] == ("-m", "bff.settings")
