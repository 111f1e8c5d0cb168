from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.strict.pool import AddressPool, PoolEmpty

SMALL = IPv4Network("198.18.88.0/29")


def test_addresses_come_in_order_and_a_freed_one_last():
    pool = AddressPool(SMALL)
    first, second = pool.take(), pool.take()
    assert (first, second) == ("198.18.88.1", "198.18.88.2")
    pool.keep_only({second})
    assert [pool.take() for _ in range(5)][-1] == first
    with pytest.raises(PoolEmpty, match=r"198\.18\.88\.0/29"):
        pool.take()


def test_a_certain_address_is_claimed_once_and_only_from_the_range():
    pool = AddressPool(SMALL)
    assert pool.claim("198.18.88.4")
    assert not pool.claim("198.18.88.4")
    assert not pool.claim("8.8.8.8")
    assert pool.free == 5


def test_reset_frees_all():
    pool = AddressPool(SMALL)
    pool.take()
    pool.reset()
    assert pool.free == 6
    assert pool.take() == "198.18.88.1"


@given(st.lists(st.booleans(), max_size=60))
def test_nothing_is_given_twice_or_lost(steps):
    pool, used = AddressPool(SMALL), []
    for take in steps:
        if take and len(used) < 6:
            used.append(pool.take())
        elif used:
            used.pop(0)
            pool.keep_only(set(used))
    assert len(set(used)) == len(used)
    assert pool.free + len(used) == 6


def test_what_is_no_address_cannot_be_claimed():
    assert not AddressPool(SMALL).claim("nonsense")


def test_a_claimed_address_is_passed_over_and_comes_back():
    pool = AddressPool(SMALL)
    assert pool.claim("198.18.88.1")
    assert pool.take() == "198.18.88.2"
    pool.give("198.18.88.2")
    pool.give("198.18.88.2")  # not taken any more
    assert pool.claim("198.18.88.2")
    assert pool.free == 4
    assert pool.take() == "198.18.88.3"
