from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kite.errors import InvalidRequest
from whitelist_svc import ranges

ACCEPTED = {
    "115.236.166.154": "115.236.166.154/32",
    "115.236.166.154/32": "115.236.166.154/32",
    "203.0.113.0/24": "203.0.113.0/24",
    "10.0.0.0/8": "10.0.0.0/8",
    "0.0.0.0/0": "0.0.0.0/0",
    "::/0": "::/0",
    "0.0.0.0/1": "0.0.0.0/1",
    "128.0.0.0/1": "128.0.0.0/1",
    "2001:db8::1": "2001:db8::1/128",
    "2001:DB8:0:0::/48": "2001:db8::/48",
    "fd00::/8": "fd00::/8",
    "8000::/1": "8000::/1",
}
# Catalogue of bad inputs, numbers 89 to 94.
REFUSED = {
    **dict.fromkeys(
        (
            *("", " ", "x", "1.2.3.4 ", " 1.2.3.4", "1.2.3.4\n", "1.2.3.4/33", "300.1.1.1/32"),
            *("1.2.3/24", "1.2.3", "010.0.0.1/32", "0x7f.1/32", "16909060", "１.2.3.4/32"),
            *("1.2.3.4/255.255.255.0", "1.2.3.4/0.0.0.255", "1.2.3.0/255.255.255.0"),
            *("1.2.3.4/", "/24", "1.2.3.4/-1", "1.2.3.4/+8", "1.2.3.4/08", "1.2.3.4/٨"),
            *("1.2.3.4/32/32", "1.2.3.4-1.2.3.9", "1.2.3.4,1.2.3.5", "1.2.3.*", "a.example"),
            *("2001:db8::/129", "2001:db8::/ffff::", "2001:::1", ":", "1:2:3", "::1.2.3"),
            *("{{7*7}}", "$(id)", "<b>", "\x001.2.3.4", "1.2.3.4\x00", "sg-0123456789abcdef0"),
        ),
        "INVALID_CIDR",
    ),
    "10.1.2.3/24": "HOST_BITS_SET",
    "10.1.2.3/8": "HOST_BITS_SET",
    "1.1.1.1/0": "HOST_BITS_SET",
    "2001:db8::1/64": "HOST_BITS_SET",
    **dict.fromkeys(
        (
            *("::ffff:1.2.3.4/128", "::ffff:1.2.3.4", "::ffff:102:304/128", "::ffff:0:0/96"),
            *("fe80::1%eth0/128", "fe80::1%eth0", "fe80::1", "fe80::/10", "::1", "::", "::2/128"),
            *("127.0.0.1", "127.0.0.0/8", "127.1.0.0/16", "169.254.0.0/16", "169.254.169.254/32"),
            *("224.0.0.0/4", "239.1.2.3", "240.0.0.0/4", "255.255.255.255", "0.0.0.0", "0.0.0.0/8"),
            *("ff02::1", "ff00::/8", "64:ff9b::/96", "4000::/3", "fec0::/10", "::1.2.3.4"),
        ),
        "INVALID_RANGE",
    ),
}


@pytest.mark.parametrize(("text", "canonical"), ACCEPTED.items())
def test_accepted(text, canonical):
    assert str(ranges.parse(text, field="/x")) == canonical


@pytest.mark.parametrize(("text", "reason"), REFUSED.items(), ids=ascii)
def test_refused(text, reason):
    with pytest.raises(InvalidRequest) as caught:
        ranges.parse(text, field="/ip-ranges/0/source-ip")
    assert (caught.value.reason, caught.value.field) == (reason, "/ip-ranges/0/source-ip")
    assert caught.value.description.isascii()
    assert caught.value.description.isprintable()


def test_host_bits_come_with_both_readings():
    with pytest.raises(InvalidRequest, match=r"10\.1\.2\.0/24 .* 10\.1\.2\.3/32"):
        ranges.parse("10.1.2.3/24", field="")


def test_long_text_is_cut_in_the_answer():
    with pytest.raises(InvalidRequest) as caught:
        ranges.parse("9" * 10_000, field="")
    assert len(caught.value.description) < 300


networks = st.one_of(
    st.tuples(st.ip_addresses(v=4), st.integers(0, 32)),
    st.tuples(st.ip_addresses(v=6), st.integers(0, 128)),
).map(lambda pair: ranges.network(*pair))


@given(networks)
def test_what_is_accepted_reads_as_itself(one):
    try:
        found = ranges.parse(str(one), field="")
    except InvalidRequest as refused:
        reason = refused.reason
    else:
        assert found == one
        return
    assert reason == "INVALID_RANGE"


@given(st.text(alphabet="0123456789abcdefABCDEF.:/%x -\n", max_size=50))
def test_nothing_is_accepted_that_the_standard_library_reads_otherwise(text):
    try:
        found = ranges.parse(text, field="")
    except InvalidRequest:
        return
    assert found == ip_network(text, strict=True)


@given(st.ip_addresses())
def test_no_accepted_address_is_one_that_is_never_a_source(address):
    try:
        found = ranges.parse(str(address), field="")
    except InvalidRequest:
        return
    assert found.num_addresses == 1
    assert not address.is_loopback
    assert not address.is_link_local
    assert not address.is_multicast
    assert not address.is_unspecified


@given(st.lists(networks, max_size=8), st.ip_addresses())
def test_a_union_covers_exactly_what_its_parts_cover(parts, address):
    joined = ranges.union(parts)
    assert any(address in one for one in joined) == any(address in one for one in parts)
    for v4 in (True, False):
        blocks = [one for one in joined if (one.version == 4) is v4]
        assert not any(a.overlaps(b) for a in blocks for b in blocks if a is not b)


def test_within_never_mixes_families():
    v4, v6 = ip_network("0.0.0.0/0"), ip_network("::/0")
    assert not ranges.within(v4, v6)
    assert not ranges.within(v6, v4)
    assert ranges.within(ip_network("10.0.0.0/9"), v4)
    assert ip_address("::1") in v6
