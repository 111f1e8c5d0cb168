from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.ground import Ground

IDS = st.text("0123456789abcdef", min_size=17, max_size=17).map(lambda text: f"i-{text}")


@given(IDS)
def test_names_carry_the_prefix_and_links_fit_the_kernel(instance_id):
    ground = Ground()
    namespace = ground.host_namespace(instance_id)

    assert namespace.startswith("kl-")
    assert ground.link(namespace).startswith("kl")
    assert len(ground.link(namespace)) <= 15


def test_hosts_and_clients_never_share_a_namespace():
    assert Ground().client_namespace("a") == "kl-c-a"
    assert "-c-" not in Ground().host_namespace("i-0123456789abcdef0")


@pytest.mark.parametrize(
    ("address", "is_client"),
    [
        ("198.18.88.199", False),
        ("198.18.88.200", True),
        ("198.18.88.250", True),
        ("198.18.88.251", False),
        ("10.88.0.9", False),
        ("10.88.255.9", True),
        ("10.88.255.255", False),
        ("203.0.113.7", False),
    ],
)
def test_clients_have_their_own_part_of_the_ranges(address, is_client):
    assert Ground().is_client(IPv4Address(address)) is is_client


def test_instances_and_clients_and_we_never_share_an_address():
    ground = Ground()

    assert not any(ground.is_client(address) for address in ground.pool)
    assert ground.public_gateway not in ground.pool
    assert not ground.is_client(ground.public_gateway)


def test_another_ground_touches_nothing_of_the_first():
    one, two = Ground(), Ground.named("kt:87")

    assert not one.vpc.overlaps(two.vpc)
    assert not one.public.overlaps(two.public)
    assert one.run != two.run


@pytest.mark.parametrize("text", ["", "kl", "kl:256", "k:1", "klm:1", "KL:1", "kl:-1", "kl:1 "])
def test_no_ground(text):
    with pytest.raises(ValueError, match="ground"):
        Ground.named(text)


def test_whatever_lies_on_the_machine_carries_the_prefix():
    ground = Ground("kt", 87)

    names = [
        ground.switch,
        ground.bridge,
        ground.uplink,
        ground.overlay("i-1"),
        ground.hosts_folder,
        ground.volumes_folder,
        ground.cgroup_folder,
    ]
    assert all(name.startswith("kt") for name in names)
    assert (ground.cgroup, ground.run.name) == ("kite-kt", "kt")
    assert str(ground.gateway) == "10.87.0.1"
