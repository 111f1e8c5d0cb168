from __future__ import annotations

from dataclasses import replace

import pytest

from localcloud.preflight import PACKAGES, Seen, problems

FIT = Seen()


def test_a_fit_machine_has_no_problems():
    assert problems(FIT) == []


def test_another_system_is_the_only_thing_said():
    (only,) = problems(replace(FIT, system="Darwin", is_root=False))

    assert "Darwin" in only


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (replace(FIT, machine="aarch64"), "aarch64"),
        (replace(FIT, is_root=False), "sudo"),
        (replace(FIT, has_namespaces=False), "namespaces"),
        (replace(FIT, has_loop_devices=False), "modprobe loop"),
        (replace(FIT, missing_tools=frozenset({"nft"})), "apt-get install -y"),
        (replace(FIT, missing_modules=frozenset({"moto"})), "pip install"),
        (replace(FIT, missing_file_systems=frozenset({"xfs"})), "kernel lacks xfs"),
        (replace(FIT, taken_ports=("TCP port 5577",)), "TCP port 5577"),
        (replace(FIT, taken_ranges=("10.88.0.0/16 by podman0",)), "podman0"),
        (replace(FIT, cache_free=1 << 20), "KITE_CACHE"),
        (replace(FIT, state_free=1 << 20), "--state"),
        (replace(FIT, state="/a:b"), "--state"),
        (replace(FIT, cache="/a,b"), "KITE_CACHE"),
    ],
)
def test_each_trouble_is_one_sentence_with_the_way_out(seen, words):
    (sentence,) = problems(seen)

    assert words in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence


def test_everything_missing_is_said_at_once():
    seen = replace(
        FIT,
        is_root=False,
        missing_tools=frozenset({"nft", "ip"}),
        missing_modules=frozenset({"moto"}),
        taken_ports=("TCP port 5577",),
        state_free=0,
    )

    assert len(problems(seen)) == 5


def test_packages_are_named_once_each_and_in_order():
    (sentence,) = problems(replace(FIT, missing_tools=frozenset({"mkfs.xfs", "xfs_growfs", "ip"})))

    assert "iproute2 xfsprogs`" in sentence


def test_the_builder_is_not_needed_when_the_root_is_there():
    missing = frozenset({"mmdebstrap"})

    assert problems(replace(FIT, missing_tools=missing, has_root=True)) == []
    assert len(problems(replace(FIT, missing_tools=missing))) == 1


def test_the_cache_may_be_full_when_the_root_is_there():
    assert problems(replace(FIT, has_root=True, cache_free=0)) == []


def test_every_tool_names_its_package():
    everything = replace(FIT, missing_tools=frozenset(PACKAGES))

    assert len(problems(everything)) == 1
