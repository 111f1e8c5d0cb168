"""The deciding parts of bff/edge, without a socket."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bff.edge import body, limits, signing, source
from bff.edge.failures import Face
from bff.edge.identity import Nonces
from bff.edge.limits import Places, Rate
from bff.edge.signing import Signed
from kite.errors import InvalidRequest, RateLimited, Unavailable

KEY = b"k" * 32


class Clock:
    def __init__(self) -> None:
        self.at = 1000.0

    def monotonic(self) -> float:
        return self.at

    def now_ms(self) -> int:
        return int(self.at * 1000)


def test_a_signature_is_made_as_documented():
    signed = Signed("post", "/v1/milvus?x=1", "alice", b"{}")
    headers = signing.sign(KEY, signed, portal="p", at=7, nonce="n" * 16)
    body_hash = hashlib.sha256(b"{}").hexdigest()
    text = f"kite-signature-v1\np\nPOST\n/v1/milvus?x=1\nalice\n7\n{'n' * 16}\n{body_hash}"
    mac = hmac.new(KEY, text.encode(), hashlib.sha256).hexdigest()
    assert headers == {
        "username": "alice",
        "kite-signature": f"v1 portal=p, time=7, nonce={'n' * 16}, mac={mac}",
    }


@given(st.text(max_size=20), st.binary(max_size=20))
def test_what_is_signed_fits_and_a_changed_body_does_not(user: str, content: bytes):
    signed = Signed("GET", "/", user, content)
    headers = signing.sign(KEY, signed, portal="p")
    signature = signing.read(headers[signing.HEADER])
    assert signature is not None
    assert signing.fits(KEY, signature, signed)
    assert not signing.fits(KEY, signature, Signed("GET", "/", user, content + b"x"))
    assert not signing.fits(b"j" * 32, signature, signed)


@pytest.mark.parametrize("header", ["", "v2 portal=p", "v1 portal=p, time=1, nonce=short, mac=0"])
def test_other_forms_are_no_signature(header: str):
    assert signing.read(header) is None


def test_signing_twice_makes_two_nonces():
    signed = Signed("GET", "/", "alice")
    assert signing.sign(KEY, signed, portal="p") != signing.sign(KEY, signed, portal="p")


def test_a_nonce_is_forgotten_after_its_time_and_not_before():
    clock = Clock()
    nonces = Nonces(clock, seconds=10)
    assert nonces.first("p", "a")
    clock.at += 9.9
    assert not nonces.first("p", "a")
    assert nonces.first("q", "a")
    clock.at += 0.1
    assert nonces.first("p", "a")


def test_a_bucket_empties_and_fills_again():
    clock = Clock()
    rate = Rate(clock, per_minute=60, burst=2)
    rate.take("a")
    rate.take("a")
    with pytest.raises(RateLimited) as caught:
        rate.take("a")
    assert caught.value.retry_after == 1
    rate.take("b")
    clock.at += caught.value.retry_after
    rate.take("a")


@given(st.lists(st.floats(0, 5), max_size=60))
def test_no_pattern_gets_more_than_burst_and_rate(pauses: list[float]):
    clock = Clock()
    rate = Rate(clock, per_minute=60, burst=5)
    start, taken = clock.at, 0
    for pause in pauses:
        clock.at += pause
        try:
            rate.take("a")
            taken += 1
        except RateLimited:
            pass
        assert taken <= 5 + (clock.at - start) + 1e-6


def test_users_with_full_buckets_are_forgotten(monkeypatch):
    monkeypatch.setattr(limits, "_PRUNE_AT", 3)
    clock = Clock()
    rate = Rate(clock, per_minute=60, burst=1)
    for user in "abc":
        rate.take(user)
    clock.at += 10
    rate.take("d")
    assert set(rate._buckets) == {"d"}


def test_places_are_taken_and_given_back():
    places = Places("requests", per_user=1, all_users=2)
    with places.held("a"):
        with pytest.raises(RateLimited), places.held("a"):
            pass
        with places.held("b"), pytest.raises(Unavailable), places.held("c"):
            pass
    assert (places._held, places._sum) == ({}, 0)


def test_one_user_may_hold_several_places():
    places = Places("requests", per_user=2, all_users=9)
    with places.held("a"), places.held("a"):
        assert places._held == {"a": 2}
    assert places._held == {}


PROXIES = source.networks(["10.0.0.0/8", "fd00::/8"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("1.2.3.4", ["9.9.9.9"], "1.2.3.4"),
        ("10.0.0.1", ["9.9.9.9"], "9.9.9.9"),
        ("10.0.0.1", ["6.6.6.6, 9.9.9.9, 10.0.0.2"], "9.9.9.9"),
        ("10.0.0.1", ["6.6.6.6", "9.9.9.9", "10.0.0.2"], "9.9.9.9"),
        ("10.0.0.1", ["9.9.9.9, nonsense"], "10.0.0.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["10.0.0.3"], "10.0.0.3"),
        ("::ffff:10.0.0.1", ["2001:db8::1"], "2001:db8::1"),
        ("fe80::1%eth0", [], "fe80::1"),
        ("unix", [], "unix"),
    ],
)
def test_where_a_request_came_from(peer: str, forwarded: list, expected: str):
    assert source.address(peer, forwarded, PROXIES) == expected


def test_an_address_as_a_range():
    assert source.as_range("1.2.3.4") == "1.2.3.4/32"
    assert source.as_range("2001:db8::1") == "2001:db8::1/128"


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "application/json",
        "Application/JSON; charset=UTF-8",
        'application/json;charset="utf8"',
        "application/merge-patch+json",
        "application/json; x=y",
    ],
)
def test_json_in_utf8_or_nothing_said(content_type: str):
    assert body.content(b"{}", content_type, lenient=False) == {}


@pytest.mark.parametrize(
    "content_type",
    ["text/json", "application/jsonx", "application/json; charset=latin-1", "*/*", "json"],
)
def test_other_content_is_refused(content_type: str):
    with pytest.raises(InvalidRequest) as caught:
        body.content(b"{}", content_type, lenient=False)
    assert caught.value.reason == "JSON_EXPECTED"


def test_a_face_can_be_written_without_a_request():
    raw = Face(408, {"reason": "TIMEOUT"}).raw()
    head, _, text = raw.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert f"Content-Length: {len(text)}".encode() in head
