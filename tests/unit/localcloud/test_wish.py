from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from localcloud.wish import Attached, Wanted, members, split, volumes, wishes


def instance(number=4, state="running", **more):
    return {
        "InstanceId": f"i-{number}",
        "State": {"Name": state},
        "PrivateIpAddress": f"10.88.0.{number}",
        "RootDeviceName": "/dev/sda1",
        "NetworkInterfaces": [{"Groups": [{"GroupId": "sg-1"}]}, {"Groups": [{"GroupId": "sg-2"}]}],
        "Tags": [{"Key": "node-type", "Value": "worker"}],
        **more,
    }


def test_an_instance_becomes_a_wish():
    wish = wishes([{"Instances": [instance(PublicIpAddress="198.18.88.4", KeyName="k")]}])["i-4"]

    assert wish.wanted is Wanted.RUN
    assert not wish.pending
    assert (wish.private, wish.public) == (IPv4Address("10.88.0.4"), IPv4Address("198.18.88.4"))
    assert (wish.key_name, wish.root_device) == ("k", "/dev/sda1")
    assert dict(wish.tags) == {"node-type": "worker"}


@pytest.mark.parametrize(
    ("state", "wanted"),
    [
        ("pending", Wanted.RUN),
        ("running", Wanted.RUN),
        ("stopping", Wanted.REST),
        ("stopped", Wanted.REST),
    ],
)
def test_living_states_are_wanted(state, wanted):
    wish = wishes([{"Instances": [instance(state=state)]}])["i-4"]

    assert (wish.wanted, wish.pending) == (wanted, state == "pending")
    assert wish.stopping is (state == "stopping")


@pytest.mark.parametrize("state", ["shutting-down", "terminated"])
def test_ending_states_are_not_listed(state):
    assert wishes([{"Instances": [instance(state=state)]}]) == {}


def test_without_an_address_there_is_nothing_to_make_yet():
    assert wishes([{"Instances": [instance(PrivateIpAddress="")]}]) == {}


def test_only_groups_of_network_interfaces_count():
    odd = instance(SecurityGroups=[{"GroupId": "sg-9"}])

    assert wishes([{"Instances": [odd]}])["i-4"].groups == {"sg-1", "sg-2"}


def test_members_are_the_private_addresses_of_every_group():
    found = wishes([{"Instances": [instance(5), instance(4)]}])

    both = (IPv4Address("10.88.0.4"), IPv4Address("10.88.0.5"))
    assert members(found.values()) == {"sg-1": both, "sg-2": both}


def attached(instance_id, device, size, volume_id="vol-1"):
    return {
        "VolumeId": volume_id,
        "Size": size,
        "Attachments": [{"InstanceId": instance_id, "Device": device}],
    }


def test_volumes_go_to_their_instances_in_order_of_device():
    found = volumes(
        [
            attached("i-4", "/dev/sdf", 50, "vol-2"),
            attached("i-4", "/dev/sda1", 20, "vol-1"),
            {"VolumeId": "vol-3", "Size": 1, "Attachments": []},
        ]
    )

    assert found == {"i-4": (Attached("vol-1", "/dev/sda1", 20), Attached("vol-2", "/dev/sdf", 50))}


def test_the_root_volume_is_told_from_data_volumes():
    root, data = Attached("vol-2", "/dev/xvda", 8), Attached("vol-1", "/dev/sdf", 50)

    assert split([data, root], "/dev/xvda") == (root, (data,))
    assert split([root], "/dev/sda1") == (root, ())
    with pytest.raises(LookupError):
        split([], "/dev/sda1")
