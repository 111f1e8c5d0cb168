"""Settings are read once, unknown ones refused, secrets never shown."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import Field, SecretStr, field_validator

from kite.described import HOME, MASK, Described, describe, tell
from kite.settings import Common, SettingsRefused, load

HOSTILE = "top-secret-value-0123456789"


class Settings(Common):
    bff_listen: str = Field("127.0.0.1:8080", description="Where to listen.")
    bff_limit: int = Field(5, ge=1, description="How many at once.")
    bff_open: bool = Field(default=False, description="Open to all.")
    bff_names: frozenset[str] = Field(frozenset({"b", "a"}), description="Some names.")
    bff_maybe: int | None = Field(None, description="Perhaps a number.")
    bff_order: tuple[str, ...] = Field(("z", "y"), description="Names in order.")
    bff_pages: Path = Field(HOME / "bff" / "pages", description="A folder of ours.")
    bff_folder: Path = Field(Path("/var/x"), description="A folder.")
    bff_key: SecretStr = Field(SecretStr(""), description="A key.")

    @field_validator("bff_names", "bff_order", mode="before")
    @classmethod
    def split(cls, value):
        return value.split(",") if isinstance(value, str) else value


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_defaults_are_usable():
    found = load(Settings, {})
    assert (found.install, found.bff_limit) == ("kite1", 5)


def test_the_environment_wins_over_the_file(in_empty_folder):
    (in_empty_folder / ".env").write_text(
        "# comment\n\nexport KITE_BFF_LIMIT='7'\nKITE_INSTALL=fromfile\nOTHER=1\n"
    )
    found = load(Settings, {"KITE_INSTALL": "fromenv"})
    assert (found.bff_limit, found.install) == (7, "fromenv")


def test_the_environment_is_read_by_us_alone(monkeypatch):
    """Lists are comma-separated, and an environment that was passed in is the only one."""
    monkeypatch.setenv("KITE_BFF_ORDER", "1,2")
    monkeypatch.setenv("KITE_BFF_LIMIT", "9")
    assert load(Settings).bff_order == ("1", "2")
    assert load(Settings, {"KITE_INSTALL": "x1"}).bff_limit == 5


def test_another_file_can_be_named(in_empty_folder):
    (in_empty_folder / "x.env").write_text('KITE_BFF_LIMIT="9"\n')
    (in_empty_folder / ".env").write_text("KITE_BFF_LIMIT=1\n")
    assert load(Settings, {"KITE_ENV_FILE": str(in_empty_folder / "x.env")}).bff_limit == 9


def test_a_line_that_is_no_setting_is_refused_with_its_number(in_empty_folder):
    (in_empty_folder / ".env").write_text("KITE_BFF_LIMIT=1\nwhat is this\n")
    with pytest.raises(SettingsRefused, match=r"\.env:2: expected NAME=value"):
        load(Settings, {})


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("KITE_BFF_LIMIT=1\n\n\nwhat is this\n", 4),
        ("\nKITE_BFF_LIMIT\n", 2),
        ("A=1\nKITE_SECRET='open\nB=2\n", 2),
    ],
)
def test_the_line_that_is_refused_is_the_one_to_mend(in_empty_folder, text, line):
    (in_empty_folder / ".env").write_text(text)
    with pytest.raises(SettingsRefused, match=rf"\.env:{line}: expected NAME=value"):
        load(Settings, {})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (f"{HOSTILE} # rotate in May", HOSTILE),
        (f"'{HOSTILE}'   # rotate in May", HOSTILE),
        (f"{HOSTILE}#1", f"{HOSTILE}#1"),
        (f'"{HOSTILE} # 1"', f"{HOSTILE} # 1"),
        (f"{HOSTILE}$HOME${{HOME}}", f"{HOSTILE}$HOME${{HOME}}"),
        (" # not yet", ""),
        ("", ""),
    ],
)
def test_a_comment_behind_a_value_is_no_part_of_it(in_empty_folder, text, value):
    """As docker compose reads the same file; but nothing is put in for `$`."""
    (in_empty_folder / ".env").write_text(f"KITE_SECRET={text}\nKITE_INSTALL=after\n")
    found = load(Settings, {"HOME": "/root"})
    assert (found.secret.get_secret_value(), found.install) == (value, "after")


def test_the_parser_is_loaded_for_a_file_only():
    code = (
        "import sys; from kite.settings import Common, load; load(Common, {}); "
        "sys.exit('dotenv' in sys.modules)"
    )
    path = {"PYTHONPATH": str(HOME)}
    assert subprocess.run([sys.executable, "-c", code], env=path, check=False).returncode == 0


def test_unknown_names_are_refused_all_at_once():
    with pytest.raises(SettingsRefused) as refused:
        load(Settings, {"KITE_INSTAL": "x", "KITE_BFF_LIMITS": "1", "KITE_NONSENSE": ""})
    text = str(refused.value)
    assert text.count("unknown setting") == 3
    assert "KITE_INSTAL:" in text


def test_other_services_names_and_outside_names_are_let_be():
    load(
        Settings,
        {
            "KITE_REGISTRY_LISTEN": "x",
            "KITE_WHITELIST_ANYTHING": "x",
            "KITE_CACHE": "/tmp",
            "KITE_TEST_MONGODB_URI": "x",
            "KITE_DEMO_FAST": "1",
            "PATH": "/bin",
        },
    )


def test_bad_values_are_named_one_per_line_and_not_repeated():
    with pytest.raises(SettingsRefused) as refused:
        load(Settings, {"KITE_BFF_LIMIT": HOSTILE, "KITE_INSTALL": HOSTILE.upper()})
    lines = str(refused.value).splitlines()
    assert {line.split(":")[0] for line in lines} == {"KITE_BFF_LIMIT", "KITE_INSTALL"}
    assert HOSTILE not in str(refused.value)
    assert HOSTILE.upper() not in str(refused.value)


def test_settings_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        load(Settings, {}).install = "other"


def test_secrets_are_masked_wherever_they_are_shown():
    environ = {"KITE_SECRET": HOSTILE, "KITE_BFF_KEY": HOSTILE}
    found = load(Settings, environ)
    assert found.secret.get_secret_value() == HOSTILE
    assert HOSTILE not in repr(found)
    told = describe(Settings, environ)
    assert HOSTILE not in told.as_json()
    masked = {one.name: one.value for one in told.settings if one.secret}
    assert masked == {"KITE_SECRET": MASK, "KITE_BFF_KEY": MASK}


def test_described_settings_have_name_meaning_default_and_value():
    told = describe(Settings, {"KITE_BFF_LIMIT": "7"})
    by_name = {one.name: one for one in told.settings}
    limit = by_name["KITE_BFF_LIMIT"]
    assert (limit.description, limit.default, limit.value) == ("How many at once.", "5", "7")
    assert not limit.common
    assert by_name["KITE_REGION"].common
    assert by_name["KITE_BFF_OPEN"].default == "false"
    assert by_name["KITE_BFF_NAMES"].default == "a,b"
    assert by_name["KITE_BFF_ORDER"].default == "z,y"
    assert by_name["KITE_BFF_PAGES"].default == "bff/pages"
    assert by_name["KITE_BFF_FOLDER"].default == "/var/x"
    assert by_name["KITE_BFF_MAYBE"].default == ""
    assert by_name["KITE_BFF_KEY"].value == ""
    assert told.faults == ()


def test_what_default_shows_can_be_set():
    told = describe(Settings, {})
    environ = {one.name: one.default for one in told.settings if one.default and not one.secret}
    environ["KITE_BFF_PAGES"] = str(HOME / environ["KITE_BFF_PAGES"])
    assert load(Settings, environ) == load(Settings, {})


def test_refused_settings_are_described_with_their_faults():
    told = describe(Settings, {"KITE_BFF_LIMIT": "0", "KITE_WHAT": "1"})
    assert told.faults == ("KITE_WHAT: unknown setting; see .env.example",)
    assert {one.value for one in told.settings} == {""}


class Needy(Settings):
    def lacking(self):
        return () if self.bff_maybe else ("KITE_BFF_MAYBE: set it",)


def test_what_is_lacking_is_told_of_settings_that_can_be_read():
    assert describe(Settings, {}).lacking == ()
    assert describe(Needy, {"KITE_BFF_MAYBE": "1"}).lacking == ()
    assert describe(Needy, {"KITE_BFF_LIMIT": "0"}).lacking == ()
    told = describe(Needy, {})
    assert (told.faults, told.lacking) == ((), ("KITE_BFF_MAYBE: set it",))
    assert Described.from_json(told.as_json()) == told


def test_a_description_crosses_as_json(capsys, monkeypatch):
    monkeypatch.setenv("KITE_BFF_LIMIT", "8")
    tell(Settings)
    text = capsys.readouterr().out
    assert Described.from_json(text) == describe(Settings)
    assert json.loads(text)["faults"] == []
