from __future__ import annotations

import shutil
import subprocess
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.firewall import Allow, allows, ruleset

RESOLVER = IPv4Address("10.88.0.1")
MEMBERS = {"sg-1": (IPv4Address("10.88.0.4"), IPv4Address("10.88.0.5"))}


def rule(protocol="tcp", first=None, last=None, *, v4=(), v6=(), groups=()):
    found = {
        "IpProtocol": protocol,
        "IpRanges": [{"CidrIp": cidr} for cidr in v4],
        "Ipv6Ranges": [{"CidrIpv6": cidr} for cidr in v6],
        "UserIdGroupPairs": [{"GroupId": group, "UserId": "1"} for group in groups],
    }
    if first is not None:
        found |= {"FromPort": first, "ToPort": last}
    return found


@pytest.mark.parametrize(
    ("permission", "line"),
    [
        (rule("tcp", 22, 22, v4=["1.2.3.4/32"]), "ip saddr 1.2.3.4/32 tcp dport 22 accept"),
        (rule("6", 22, 22, v4=["1.2.3.4/32"]), "ip saddr 1.2.3.4/32 tcp dport 22 accept"),
        (rule("udp", 53, 60, v4=["1.2.3.0/24"]), "ip saddr 1.2.3.0/24 udp dport 53-60 accept"),
        (rule("tcp", 1, 2, v6=["2001:db8::/64"]), "ip6 saddr 2001:db8::/64 tcp dport 1-2 accept"),
        (rule("tcp", 80, 80, v4=["0.0.0.0/0"]), "meta nfproto ipv4 tcp dport 80 accept"),
        (rule("tcp", 80, 80, v6=["::/0"]), "meta nfproto ipv6 tcp dport 80 accept"),
        (rule("tcp", 9, 9, groups=["sg-1"]), "ip saddr 10.88.0.5/32 tcp dport 9 accept"),
        (rule("-1", v4=["1.2.3.4/32"]), "ip saddr 1.2.3.4/32 accept"),
        (rule("tcp", -1, -1, v4=["1.2.3.4/32"]), "ip saddr 1.2.3.4/32 tcp dport 0-65535 accept"),
        (rule("icmp", -1, -1, v4=["1.2.3.4/32"]), "ip saddr 1.2.3.4/32 meta l4proto icmp accept"),
        (rule("icmp", 8, -1, v4=["1.2.3.4/32"]), "ip saddr 1.2.3.4/32 icmp type 8 accept"),
        (rule("1", 3, 4, v4=["1.2.3.4/32"]), "ip saddr 1.2.3.4/32 icmp type 3 icmp code 4 accept"),
        (rule("58", v6=["2001:db8::1/128"]), "meta l4proto icmpv6 accept"),
        (rule("50", v4=["1.2.3.4/32"]), "ip saddr 1.2.3.4/32 meta l4proto 50 accept"),
    ],
)
def test_each_kind_of_rule_has_its_line(permission, line):
    assert line in ruleset(allows([permission], MEMBERS), [], RESOLVER)


def test_a_rule_for_the_world_does_not_open_the_other_family():
    text = ruleset(allows([rule("tcp", 80, 80, v4=["0.0.0.0/0"])], {}), [], RESOLVER)

    assert "meta nfproto ipv6" not in text


def test_an_empty_or_unknown_group_lets_nobody_in():
    assert allows([rule("tcp", 1, 2, groups=["sg-9", "sg-1"])], {"sg-1": ()}) == frozenset()


def test_egress_looks_at_where_a_packet_goes():
    text = ruleset([], [Allow("1.2.3.0/24", "tcp", 443, 443)], RESOLVER)

    assert "ip daddr 1.2.3.0/24 tcp dport 443 accept" in text
    assert "ip daddr 10.88.0.1 udp dport 53 accept" in text


def test_equal_rules_of_two_groups_become_one_line_and_the_order_is_fixed():
    one, two = rule("tcp", 1, 1, v4=["1.1.1.1/32"]), rule("tcp", 2, 2, v4=["2.2.2.2/32"])

    text = ruleset(allows([one, two, one], {}), [], RESOLVER)

    assert text == ruleset(allows([two, one], {}), [], RESOLVER)
    assert text.count("1.1.1.1") == 1


ADDRESSES = st.ip_addresses(v=4).map(lambda one: f"{one}/32") | st.just("0.0.0.0/0")
V6 = st.ip_addresses(v=6).map(lambda one: f"{one}/128") | st.just("::/0")
PORTS = st.tuples(st.integers(0, 65535), st.integers(0, 65535)).map(sorted)
PERMISSIONS = st.one_of(
    st.builds(
        lambda protocol, ports, v4, v6: rule(protocol, *ports, v4=v4, v6=v6),
        st.sampled_from(["tcp", "udp", "6", "17"]),
        PORTS,
        st.lists(ADDRESSES, max_size=2),
        st.lists(V6, max_size=2),
    ),
    st.builds(
        lambda protocol, kind, code, v4: rule(protocol, kind, code, v4=v4),
        st.sampled_from(["icmp", "1", "icmpv6"]),
        st.integers(-1, 254),
        st.integers(-1, 254),
        st.lists(ADDRESSES, max_size=2),
    ),
    st.builds(
        lambda protocol, v4: rule(protocol, v4=v4),
        st.sampled_from(["-1", "47", "132"]),
        st.lists(ADDRESSES, max_size=2),
    ),
)


@given(st.lists(PERMISSIONS, max_size=6))
def test_the_policy_is_always_to_drop(permissions):
    text = ruleset(allows(permissions, MEMBERS), [], RESOLVER)

    assert text.count("policy drop;") == 2
    assert text.count("ct state established,related accept") == 2


@pytest.mark.skipif(shutil.which("nft") is None, reason="nft is not installed")
def test_nft_understands_every_line():
    permissions = [
        rule(protocol, 1, 2, v4=["1.2.3.4/32", "0.0.0.0/0"], v6=["::/0", "2001:db8::/32"])
        for protocol in ("tcp", "udp", "icmp", "icmpv6", "-1", "50")
    ]
    found = allows(permissions, MEMBERS)

    checked = subprocess.run(
        ["unshare", "-n", "-r", "nft", "--check", "-f", "-"],
        input=ruleset(found, found, RESOLVER),
        text=True,
        capture_output=True,
        check=False,
    )

    if "Operation not permitted" in checked.stderr:
        pytest.skip("this machine does not let us make namespaces")
    assert checked.returncode == 0, checked.stderr
