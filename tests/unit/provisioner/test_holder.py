"""Names of lease holders: the same on one spot, never the same on two."""

import socket

import pytest

from provisioner import holder
from provisioner.holder import holder_name

HERE = "127.0.0.1:50052"


def test_a_process_on_the_same_spot_has_the_name_again():
    assert holder_name("test", HERE) == holder_name("test", HERE)
    assert holder_name("test", HERE).startswith(f"test@{socket.gethostname()[:60]}/")


@pytest.mark.parametrize(("install", "listen"), [("other", HERE), ("test", "127.0.0.1:50053")])
def test_another_install_or_address_is_another_holder(install, listen):
    assert holder_name(install, listen) != holder_name("test", HERE)


@pytest.mark.parametrize(("name", "value"), [
    ("_BOOT", "another-boot"), ("_NETWORK", "net:[1]"),
])  # fmt: skip
def test_another_boot_or_network_namespace_is_another_holder(monkeypatch, tmp_path, name, value):
    before = holder_name("test", HERE)
    path = tmp_path / "spot"
    if name == "_BOOT":
        path.write_text(value)
    else:
        path.symlink_to(value)
    monkeypatch.setattr(holder, name, path)
    assert holder_name("test", HERE) != before


def test_a_port_chosen_by_chance_proves_nothing():
    assert holder_name("test", "127.0.0.1:0") != holder_name("test", "127.0.0.1:0")


def test_where_the_spot_cannot_be_told_no_name_comes_twice(monkeypatch, tmp_path):
    monkeypatch.setattr(holder, "_BOOT", tmp_path / "missing")
    assert holder_name("test", HERE) != holder_name("test", HERE)


def test_long_names_are_cut_to_what_the_registry_takes(monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "h" * 64)
    assert len(holder_name("i" * 20, "x" * 255 + ":50052")) <= 200
    assert len(holder_name("i" * 20, "x" * 255 + ":0")) <= 200
