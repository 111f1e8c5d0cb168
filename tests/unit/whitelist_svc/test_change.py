from hypothesis import given
from hypothesis import strategies as st

from whitelist_svc.change import Applied, Change, Held, Key, canonical, change, strange

keys = st.builds(
    Key,
    st.sampled_from(
        [f"10.0.0.{n}/32" for n in range(6)] + [f"2001:db8::{n}/128" for n in range(6)]
    ),
    st.sampled_from([19530, 3000]),
)


def held(key, *, ours=True):
    return Held(f"sgr-{key.cidr}-{key.port}", key, str(key), ours, not key.v6, key.v6)


FOREIGN = Held("sgr-f", None, "sg-1 all traffic", ours=False, v4=True, v6=True)


@given(st.frozensets(keys), st.frozensets(keys), st.integers(0, 30))
def test_applying_lands_on_want_with_the_fewest_edits(want, have, limit):
    found = change(want=want, have=map(held, have), limit=limit)
    after = (have - {one.key for one in found.revoke}) | set(found.grant)
    assert after == want
    assert len(found.grant) + len(found.revoke) == len(want ^ have)
    assert bool(found) == (want != have)


@given(st.frozensets(keys), st.frozensets(keys), st.integers(0, 30))
def test_grants_never_pass_the_limit_in_the_order_told(want, have, limit):
    found = change(want=want, have=map(held, have), limit=limit)
    for v6 in (False, True):
        before = sum(key.v6 is v6 for key in have)
        granted = sum(key.v6 is v6 for key in found.grant)
        if not found.revoke_first and found.grant and found.revoke:
            assert before + granted <= limit


@given(st.frozensets(keys), st.frozensets(keys))
def test_rules_that_stay_are_not_touched(want, have):
    found = change(want=want, have=map(held, have), limit=60)
    assert not {one.key for one in found.revoke} & want
    assert not set(found.grant) & have


def test_equal_is_no_change():
    assert not change(want=[Key("a", 1)], have=[held(Key("a", 1))], limit=60)
    assert Change() == change(want=[], have=[], limit=60)


def test_a_full_group_is_emptied_first():
    have = [held(Key(f"10.0.0.{n}/32", 19530)) for n in range(60)]
    want = [Key(f"10.0.1.{n}/32", 19530) for n in range(60)]
    assert change(want=want, have=have, limit=60).revoke_first
    assert not change(want=want, have=have, limit=120).revoke_first
    assert not change(want=[], have=have, limit=10).revoke_first


def test_families_are_counted_apart():
    have = [held(Key(f"10.0.0.{n}/32", 19530)) for n in range(60)]
    want = [Key(f"2001:db8::{n}/128", 19530) for n in range(60)]
    assert not change(want=want, have=have, limit=60).revoke_first


def test_what_kite_never_makes_is_revoked_unless_kept():
    mine, by_hand = held(Key("a", 1)), held(Key("b", 1), ours=False)
    have = [mine, by_hand, FOREIGN]
    assert change(want=[], have=have, limit=60).revoke == (mine, by_hand, FOREIGN)
    assert change(want=[], have=have, limit=60, keep_strange=True).revoke == (mine,)
    assert strange(want=[Key("b", 1)], have=have) == (FOREIGN,)


def test_a_wished_rule_made_by_hand_is_taken_over():
    by_hand = held(Key("b", 1), ours=False)
    assert not change(want=[Key("b", 1)], have=[by_hand], limit=60)
    assert strange(want=[Key("b", 1)], have=[by_hand]) == ()


def test_ec2s_spellings_are_compared_in_one_form():
    assert canonical("2001:DB8:0::/48") == "2001:db8::/48"
    assert canonical("10.1.2.3/8") == "10.0.0.0/8"
    assert str(Key("10.0.0.0/8", 22)) == "10.0.0.0/8 port 22"


def test_only_edits_count_as_a_change():
    key = Key("10.0.0.1/32", 19530)
    assert not Applied((held(key),)).changed
    assert Applied((), granted=(key,)).changed
    assert Applied((), revoked=(held(key),)).changed
