from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pytest
from dnslib import QTYPE, RCODE, DNSRecord
from hypothesis import given
from hypothesis import strategies as st

from localcloud.dns import answer
from localcloud.dns_names import address

OURS = (IPv4Network("10.88.0.0/16"), IPv4Network("198.18.88.0/24"))


@pytest.mark.parametrize(
    "name",
    [
        "ec2-198-18-88-4.compute-1.amazonaws.com",
        "ec2-198-18-88-4.compute-1.amazonaws.com.",
        "EC2-198-18-88-4.Compute-1.AmazonAWS.com",
        "ec2-198-18-88-4.eu-central-1.compute.amazonaws.com",
        "ec2-198-18-88-4.us-gov-west-1.compute.amazonaws.com",
        "ec2-198-18-88-4.cn-north-1.compute.amazonaws.com.cn",
    ],
)
def test_public_names_of_every_region_carry_their_address(name):
    assert address(name, OURS) == IPv4Address("198.18.88.4")


@pytest.mark.parametrize(
    "name", ["ip-10-88-0-4.ec2.internal", "ip-10-88-0-4.eu-west-1.compute.internal."]
)
def test_private_names_too(name):
    assert address(name, OURS) == IPv4Address("10.88.0.4")


@pytest.mark.parametrize(
    "name",
    [
        "ec2-54-1-2-3.compute-1.amazonaws.com",
        "ec2-198-18-89-4.compute-1.amazonaws.com",
        "ec2-198-18-88-400.compute-1.amazonaws.com",
        "ec2-198-18-88.compute-1.amazonaws.com",
        "xec2-198-18-88-4.compute-1.amazonaws.com",
        "ec2-198-18-88-4.compute-1.amazonaws.com.evil.example",
        "ec2-198-18-88-4.compute-2.amazonaws.com",
        "example.com",
        "",
    ],
)
def test_everything_else_is_unknown(name):
    assert address(name, OURS) is None


@given(st.integers(0, 255), st.integers(0, 255))
def test_every_address_of_ours_has_a_name_and_no_other(third, fourth):
    found = address(f"ec2-198-18-{third}-{fourth}.compute-1.amazonaws.com", OURS)

    assert (found is not None) == (third == 88)
    assert found in (None, IPv4Address(f"198.18.{third}.{fourth}"))


def asked(name: str, kind: str) -> DNSRecord:
    reply = answer(DNSRecord.question(name, kind).pack(), OURS)
    assert reply is not None
    return DNSRecord.parse(reply)


def test_an_address_is_answered():
    reply = asked("ec2-198-18-88-4.compute-1.amazonaws.com", "A")

    assert reply.header.rcode == RCODE.NOERROR
    assert [str(record.rdata) for record in reply.rr] == ["198.18.88.4"]


def test_no_ipv6_address_is_no_error_but_empty():
    reply = asked("ec2-198-18-88-4.compute-1.amazonaws.com", "AAAA")

    assert (reply.header.rcode, reply.rr) == (RCODE.NOERROR, [])
    assert QTYPE[reply.q.qtype] == "AAAA"


def test_other_names_do_not_exist():
    assert asked("example.com", "A").header.rcode == RCODE.NXDOMAIN


@given(st.binary(max_size=64))
def test_noise_is_never_an_error(packet):
    answer(packet, OURS)
