import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.strict.call import Params
from localcloud.strict.rules.permissions import (
    Peer,
    canonical,
    duplicate,
    over_limit,
    permission,
    permissions_of,
    ports_verdict,
    with_canonical_cidrs,
)


@pytest.mark.parametrize(
    ("given_form", "stored"),
    [
        ("10.1.2.3/24", "10.1.2.0/24"),
        ("100.68.0.18/18", "100.68.0.0/18"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("2001:DB8:0:0::1/64", "2001:db8::/64"),
        ("1.2.3.4", "1.2.3.4"),
        ("1.2.3.4/33", "1.2.3.4/33"),
        ("1.2.3.4/255.255.255.0", "1.2.3.4/255.255.255.0"),
        ("rubbish/8", "rubbish/8"),
        ("", ""),
    ],
)
def test_canonical_form(given_form, stored):
    assert canonical(given_form) == stored


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)), st.integers(0, 32))
def test_canonical_is_stable_and_means_the_same(address, mask):
    form = canonical(f"{address}/{mask}")
    assert canonical(form) == form
    assert ipaddress.ip_network(form) == ipaddress.ip_network(f"{address}/{mask}", strict=False)


def test_every_cidr_below_is_made_canonical():
    value = {
        "IpPermissions": [{"IpRanges": [{"CidrIp": "10.1.2.3/8", "Description": "1.2.3.4/8"}]}],
        "SecurityGroupRules": [{"SecurityGroupRule": {"CidrIpv4": "10.1.2.3/8"}}],
        "CidrIp": 7,
    }
    assert with_canonical_cidrs(value) == {
        "IpPermissions": [{"IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "1.2.3.4/8"}]}],
        "SecurityGroupRules": [{"SecurityGroupRule": {"CidrIpv4": "10.0.0.0/8"}}],
        "CidrIp": 7,
    }


def test_both_forms_of_a_call_name_the_same_rule():
    item = {"IpProtocol": "6", "FromPort": 5, "ToPort": 6, "IpRanges": [{"CidrIp": "10.1.1.1/8"}]}
    flat = {"IpProtocol": "TCP", "FromPort": 5, "ToPort": 6, "CidrIp": "10.0.0.0/8"}
    wanted = [permission("tcp", 5, 6, Peer.IPV4, "10.0.0.0/8")]
    assert permissions_of(Params({"IpPermissions": [item]})) == wanted
    assert permissions_of(Params(flat)) == wanted
    assert permissions_of(Params({"GroupId": "sg-1"})) == []


def test_every_peer_is_a_rule_of_its_own():
    item = {
        "IpProtocol": "-1",
        "FromPort": 1,
        "ToPort": 2,
        "Ipv6Ranges": [{"CidrIpv6": "::1/64"}],
        "UserIdGroupPairs": [{"GroupId": "sg-1"}, {"GroupName": "name"}],
        "PrefixListIds": [{"PrefixListId": "pl-1"}],
    }
    found = permissions_of(Params({"IpPermissions": [item]}))
    assert [(p.peer, p.value, p.low) for p in found] == [
        (Peer.IPV6, "::/64", None),
        (Peer.GROUP, "sg-1", None),
        (Peer.GROUP, "name", None),
        (Peer.LIST, "pl-1", None),
    ]
    assert str(found[0]) == "peer: ::/64, -1, ALLOW"
    assert str(permission("tcp", 5, 6, Peer.IPV4, "10.0.0.0/8")) == (
        "peer: 10.0.0.0/8, TCP, from port: 5, to port: 6, ALLOW"
    )


@pytest.mark.parametrize(
    ("protocol", "low", "high", "fits"),
    [
        ("tcp", 0, 65535, True),
        ("udp", 53, 53, True),
        ("6", 1, 1, True),
        ("-1", None, None, True),
        ("all", -1, 99999, True),
        ("icmp", -1, -1, True),
        ("icmpv6", None, None, True),
        ("50", None, None, True),
        ("tcp", -1, -1, False),
        ("tcp", 2, 1, False),
        ("tcp", 1, 65536, False),
        ("tcp", None, 1, False),
        ("udp", 1, None, False),
        ("icmp", 8, 256, False),
        ("256", None, None, False),
        ("", 1, 1, False),
        ("http", 80, 80, False),
    ],
)
def test_ports_fit_the_protocol(protocol, low, high, fits):
    refusal = ports_verdict(protocol, low, high)
    assert (refusal is None) is fits
    assert refusal is None or refusal.code == "InvalidParameterValue"


RULES = st.builds(
    permission,
    st.sampled_from(["tcp", "udp"]),
    st.integers(1, 3),
    st.integers(1, 3),
    st.sampled_from([Peer.IPV4, Peer.IPV6, Peer.GROUP, Peer.LIST]),
    st.sampled_from(["a", "b"]),
)


@given(st.lists(RULES, max_size=8), st.lists(RULES, max_size=8))
def test_a_duplicate_is_one_that_a_set_would_swallow(existing, wanted):
    unique = list(dict.fromkeys(existing))
    swallowed = len({*unique, *wanted}) < len(unique) + len(wanted)
    assert (duplicate(unique, wanted) is not None) is swallowed


@pytest.mark.parametrize(
    ("peers", "limit", "over"),
    [
        ([Peer.IPV4] * 2 + [Peer.IPV6] * 2, 2, False),
        ([Peer.IPV4] * 3, 2, True),
        ([Peer.IPV6] * 3, 2, True),
        ([Peer.IPV4, Peer.GROUP], 2, False),
        ([Peer.IPV4, Peer.IPV6, Peer.GROUP, Peer.LIST], 2, True),
        ([], 0, False),
    ],
)
def test_families_are_counted_apart_and_groups_in_both(peers, limit, over):
    rules = [permission("tcp", n, n, peer, "x") for n, peer in enumerate(peers)]
    for split in range(len(rules) + 1):
        assert over_limit(rules[:split], rules[split:], limit) is over
