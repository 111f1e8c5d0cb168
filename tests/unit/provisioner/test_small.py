"""Tokens, user data, offers, backoff: small and exact."""

import hashlib
from dataclasses import replace

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from localcloud import cloud_config
from provisioner import backoff, offers
from provisioner.facts import Place
from provisioner.offers import Offer
from provisioner.tokens import token
from provisioner.user_data import host_key, login_key, user_data, user_data_hash
from tests.unit.provisioner import shapes

SECRET = "0123456789abcdef"
ids = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=2, max_size=16)
small = st.integers(0, 999)


@given(ids, ids, small, small)
def test_a_token_fits_ec2_and_is_always_the_same(install, cluster, slot, attempt):
    made = token(install, cluster, slot, attempt)
    assert len(made) == 48
    assert made.isascii()
    assert made.isalnum()
    assert made == token(install, cluster, slot, attempt)


def test_no_two_tokens_are_alike():
    made = {
        token(install, f"c{cluster}", slot, attempt)
        for install in ("kite1", "kite2")
        for cluster in range(5000)
        for slot in range(5)
        for attempt in range(20)
    }
    assert len(made) == 1_000_000


def test_user_data_plants_the_host_key_that_is_expected():
    text = user_data(SECRET, "test", "token")
    assert text.startswith("#cloud-config\n")
    keys = yaml.safe_load(text)["ssh_keys"]
    assert keys["ed25519_public"] == host_key(SECRET, "token")
    private = serialization.load_ssh_private_key(keys["ed25519_private"].encode(), None)
    public = private.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    assert public.decode() == host_key(SECRET, "token")


def test_user_data_is_the_same_every_time_and_per_token():
    assert user_data(SECRET, "test", "a") == user_data(SECRET, "test", "a")
    assert host_key(SECRET, "a") != host_key(SECRET, "b")
    told = user_data(SECRET, "test", "a")
    assert user_data_hash(SECRET, "test", "a") == hashlib.sha256(told.encode()).hexdigest()
    assert len(told) < 16384


def test_user_data_lets_the_install_log_in_and_no_other():
    told = yaml.safe_load(user_data(SECRET, "test", "token"))
    assert told["ssh_authorized_keys"] == [login_key(SECRET, "test").public]
    assert yaml.safe_load(user_data(SECRET, "other", "token"))["ssh_authorized_keys"] != [
        login_key(SECRET, "test").public
    ]


def test_the_local_cloud_reads_what_machines_are_told():
    found = cloud_config.read(user_data(SECRET, "test", "token"))
    assert found.authorized_keys == (login_key(SECRET, "test").public,)
    assert [key.public.strip() for key in found.host_keys] == [host_key(SECRET, "token")]


PLACES = (Place("subnet-a", "a"), Place("subnet-b", "b"))


def test_offers_go_zone_by_zone_then_type_by_type():
    found = offers.offers("m5.large", PLACES)
    assert found[:3] == (
        Offer("m5.large", "subnet-a"),
        Offer("m5.large", "subnet-b"),
        Offer("m6i.large", "subnet-a"),
    )
    assert offers.offers("x1.32xlarge", PLACES[:1]) == (Offer("x1.32xlarge", "subnet-a"),)


@given(st.sampled_from(["m5.large", "c5.xlarge", "r5.large", "t3.medium", "p4d.24xlarge"]))
def test_following_goes_round_and_says_so(kind):
    known = offers.offers(kind, PLACES)
    at, rounds = known[0], 0
    for _ in range(2 * len(known)):
        at, again = offers.following(known, at)
        rounds += again
    assert (at, rounds) == (known[0], 2)


def test_an_offer_of_other_settings_starts_over():
    known = offers.offers("m5.large", PLACES)
    assert offers.following(known, Offer("m5.large", "subnet-z")) == (known[0], False)


@pytest.mark.parametrize(("waited", "pause"), [
    (0, 300), (59_999, 300), (60_000, 1_200), (300_000, 4_800), (3_600_000, 30_000),
])  # fmt: skip
def test_looking_gets_slower(waited, pause):
    assert backoff.pace(300, waited) == pause


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_failures_wait_longer_but_never_too_long(failures, chance):
    wait = backoff.after_failures(failures, chance)
    assert 0 < wait <= backoff.LONGEST_MS
    assert wait >= min(backoff.LONGEST_MS, 250 * 2 ** min(failures, 10)) // 2


def test_a_new_wish_leaves_what_was_seen():
    ours = shapes.record(shapes.node(), generation=1)
    stored = replace(ours, nodes=(), generation=2, operation_id="op-2", whitelist_revision=7)
    wished = ours.wished(stored)
    assert (wished.generation, wished.operation_id, wished.whitelist_revision) == (2, "op-2", 7)
    assert wished.nodes == ours.nodes
