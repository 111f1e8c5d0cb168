from __future__ import annotations

from localcloud.recipe import Recipe


def test_the_key_follows_what_is_in_the_root():
    plain = Recipe("bookworm", "sources")

    assert plain.key == Recipe("bookworm", "sources").key
    assert plain.key != Recipe("trixie", "sources").key
    assert plain.key != Recipe("bookworm", "sources", ("docker.io",)).key


def test_another_mirror_is_the_same_root():
    assert Recipe("bookworm", "one").key == Recipe("bookworm", "two").key


def test_extras_are_added_once():
    assert Recipe("bookworm", "", ("sudo", "docker.io")).packages.count("sudo") == 1


def test_units_that_wait_for_hardware_are_masked():
    assert "systemd-udevd.service" in Recipe("bookworm", "").prepare
