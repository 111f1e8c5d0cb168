from ipaddress import collapse_addresses, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kite.epoch import LAST_MS
from kite.errors import Forbidden, InvalidRequest, KiteError
from kite.ports import FORBIDDEN, PortType
from whitelist_svc import rules
from whitelist_svc.change import Key
from whitelist_svc.rules import Entry, Policy, Wished

NOW = 1_800_000_000_000
POLICY = Policy()
OPEN = Policy(public=True)


def accept(*wished, policy=POLICY, allow_public=False):
    given_ = [one if isinstance(one, Wished) else Wished(*one) for one in wished]
    return rules.accept(given_, policy, now_ms=NOW, allow_public=allow_public)


def refused(*wished, **more):
    with pytest.raises(KiteError) as caught:
        accept(*wished, **more)
    return caught.value


def v4(number):
    return f"198.18.{number // 250}.{number % 250}"


def test_the_seeds_two_ranges():
    accepted = accept(("115.236.166.154", "miluvs-port"), ("115.236.166.155", "miluvs-em-port"))
    assert accepted.entries == (
        Entry("115.236.166.154/32", PortType.MILVUS),
        Entry("115.236.166.155/32", PortType.MILVUS_EM),
    )
    assert not accepted.public


@pytest.mark.parametrize(
    ("spelling", "kind"),
    [
        ("milvus-port", PortType.MILVUS),
        ("miluvs-port", PortType.MILVUS),
        ("milvus-em-port", PortType.MILVUS_EM),
        ("miluvs-em-port", PortType.MILVUS_EM),
    ],
)
def test_both_spellings_of_port_types(spelling, kind):
    assert accept(("1.2.3.4", spelling)).entries[0].port_type is kind


@pytest.mark.parametrize(
    "word", ["", "ssh", "22", "9091", "MILUVS-PORT", "milvus", " milvus-port", "19530"]
)
def test_unknown_port_types(word):
    error = refused(("1.2.3.4", word))
    assert (type(error), error.reason) == (InvalidRequest, "UNKNOWN_PORT_TYPE")
    assert error.field == "/ip-ranges/0/port-type"


def test_the_field_points_at_the_entry():
    error = refused(("1.2.3.4", "milvus-port"), ("1.2.3.4/33", "milvus-port"))
    assert error.field == "/ip-ranges/1/source-ip"


def test_an_empty_list_is_a_list():
    assert accept().entries == ()


WIDE = [
    ["0.0.0.0/0"],
    ["::/0"],
    ["0.0.0.0/1", "128.0.0.0/1"],
    ["10.0.0.0/8"],
    ["10.0.0.0/15"],
    ["10.0.0.0/16", "10.1.0.0/16"],
    ["10.0.0.0/17", "10.0.128.0/17", "10.1.0.0/16"],
    ["2001:db8::/32"],
    ["2001:db8::/48", "2001:db8:1::/48"],
    ["128.0.0.0/2"],
]


@pytest.mark.parametrize("wide", WIDE, ids=" ".join)
def test_too_wide_alone_or_together(wide):
    asked = [(one, "milvus-port") for one in wide]
    error = refused(*asked)
    assert (type(error), error.reason) == (Forbidden, "RANGE_TOO_WIDE")
    assert refused(*asked, allow_public=True).reason == "RANGE_TOO_WIDE"  # policy does not permit
    error = refused(*asked, policy=OPEN)
    assert "allow-public" in error.description
    accepted = accept(*asked, policy=OPEN, allow_public=True)
    assert accepted.public
    assert [entry.cidr for entry in accepted.entries] == wide


def test_side_by_side_counts_per_port():
    both = accept(("10.0.0.0/16", "milvus-port"), ("10.1.0.0/16", "milvus-em-port"))
    assert len(both.entries) == 2


def test_the_policy_sets_the_width():
    narrow = Policy(least_prefix_v4=24, least_prefix_v6=64)
    assert refused(("10.1.0.0/23", "milvus-port"), policy=narrow).reason == "RANGE_TOO_WIDE"
    assert refused(("2001:db8::/63", "milvus-port"), policy=narrow).reason == "RANGE_TOO_WIDE"
    assert accept(("10.1.0.0/24", "milvus-port"), ("2001:db8::/64", "milvus-port"), policy=narrow)


def test_duplicates_are_merged_and_order_is_kept():
    accepted = accept(
        ("9.9.9.9", "milvus-port"),
        ("1.2.3.4", "milvus-port"),
        ("9.9.9.9/32", "miluvs-port"),
        ("9.9.9.9", "milvus-em-port"),
    )
    assert [(e.cidr, e.port_type) for e in accepted.entries] == [
        ("9.9.9.9/32", PortType.MILVUS),
        ("1.2.3.4/32", PortType.MILVUS),
        ("9.9.9.9/32", PortType.MILVUS_EM),
    ]


@pytest.mark.parametrize(
    ("first", "second", "merged"),
    [
        (("", 0), ("desk", 0), ("desk", 0)),
        (("one", 0), ("two", 0), ("one", 0)),
        (("", NOW + 5), ("", NOW + 9), ("", NOW + 9)),
        (("", NOW + 9), ("", NOW + 5), ("", NOW + 9)),
        (("", NOW + 9), ("", 0), ("", 0)),
        (("", 0), ("", NOW + 9), ("", 0)),
    ],
)
def test_merged_entries_keep_the_first_note_and_the_longest_stay(first, second, merged):
    accepted = accept(
        Wished("1.2.3.4", "milvus-port", *first), Wished("1.2.3.4/32", "milvus-port", *second)
    )
    assert accepted.entries == (Entry("1.2.3.4/32", PortType.MILVUS, *merged),)


def test_overlapping_ranges_are_fine():
    accepted = accept(("10.0.0.0/16", "milvus-port"), ("10.0.1.0/24", "milvus-port"))
    assert len(accepted.entries) == 2


def test_sixty_rules_of_each_family_fit():
    four = [(v4(n * 2), "milvus-port") for n in range(60)]
    six = [(f"2001:db8::{n:x}", "milvus-port") for n in range(0, 120, 2)]
    assert len(accept(*four, *six).entries) == 120


@pytest.mark.parametrize("form", [lambda n: v4(n * 2), lambda n: f"2001:db8::{n * 2:x}"])
def test_the_sixty_first_of_one_family_is_refused(form):
    error = refused(*((form(n), "milvus-port") for n in range(61)))
    assert (type(error), error.reason) == (InvalidRequest, "TOO_MANY_RULES")


def test_a_range_counts_once_per_port_type():
    pairs = [(v4(n * 2), kind) for n in range(31) for kind in ("milvus-port", "milvus-em-port")]
    assert refused(*pairs).reason == "TOO_MANY_RULES"
    assert len(accept(*pairs[:60]).entries) == 60


def test_duplicates_do_not_count():
    assert len(accept(*[("1.2.3.4", "milvus-port")] * 500).entries) == 1


def test_a_flood_is_refused_unread():
    error = refused(*[("nonsense", "x")] * 1001)
    assert error.reason == "TOO_MANY_RULES"
    assert refused(*[("nonsense", "x")] * 1000).reason == "INVALID_CIDR"


@pytest.mark.parametrize("note", ["", "desk of Ann (2nd floor); see #12 {a} $5 !*", "x" * 200])
def test_notes(note):
    assert accept(Wished("1.2.3.4", "milvus-port", note)).entries[0].note == note


@pytest.mark.parametrize("note", ["x" * 201, "<script>", "a\nb", "café", "a'b", 'a"b', "a\tb", "%"])
def test_notes_that_ec2_would_not_take(note):
    error = refused(Wished("1.2.3.4", "milvus-port", note))
    assert (error.reason, error.field) == ("INVALID_NOTE", "/ip-ranges/0/note")


@pytest.mark.parametrize("at", [-1, 1, NOW - 1, NOW, LAST_MS + 1])
def test_expiry_must_lie_ahead(at):
    error = refused(Wished("1.2.3.4", "milvus-port", "", at))
    assert (error.reason, error.field) == ("INVALID_EXPIRY", "/ip-ranges/0/expires-at")


@pytest.mark.parametrize("at", [0, NOW + 1, LAST_MS])
def test_expiry_ahead_or_never(at):
    assert accept(Wished("1.2.3.4", "milvus-port", "", at)).entries[0].expires_at_ms == at


def test_expired_entries_are_not_live():
    ends, stays = Entry("a", PortType.MILVUS, "", NOW), Entry("b", PortType.MILVUS)
    later = Entry("c", PortType.MILVUS, "", NOW + 1)
    assert rules.live([ends, stays, later], NOW) == (stays, later)


def test_the_next_end_is_the_nearest_one_ahead():
    ends = [Entry("a", PortType.MILVUS, "", at) for at in (0, NOW - 1, NOW, NOW + 9, NOW + 5)]
    assert rules.next_end_ms(ends, NOW) == NOW + 5
    assert rules.next_end_ms(ends[:3], NOW) == 0


def test_rules_for_ec2():
    found = rules.keys(
        [Entry("1.2.3.4/32", PortType.MILVUS), Entry("1.2.3.4/32", PortType.MILVUS_EM)],
        web_gui=3001,
    )
    assert found == {
        Key("1.2.3.4/32", 19530): "kite:milvus-port",
        Key("1.2.3.4/32", 3001): "kite:milvus-em-port",
    }


@given(st.integers(1, 65535))
def test_no_setting_opens_a_forbidden_port(web_gui):
    entries = [Entry("1.2.3.4/32", kind) for kind in PortType]
    try:
        found = rules.keys(entries, web_gui=web_gui)
    except ValueError:
        return
    assert not {key.port for key in found} & FORBIDDEN
    assert len(found) == 2


blocks = st.one_of(
    st.tuples(st.integers(0, 2**32 - 1), st.integers(8, 32)).map(
        lambda pair: str(ip_network(f"{ip_network(pair[0])[0]}/{pair[1]}", strict=False))
    ),
    # Neighbours, so that unions happen often.
    st.tuples(st.integers(0, 7), st.integers(14, 18)).map(
        lambda pair: str(ip_network((0x0A000000 + (pair[0] << (32 - pair[1])), pair[1])))
    ),
    st.tuples(st.integers(0, 7), st.integers(46, 50)).map(
        lambda pair: str(ip_network(((0x20010DB8 << 96) + (pair[0] << (128 - pair[1])), pair[1])))
    ),
)


@given(st.lists(st.tuples(blocks, st.sampled_from(["milvus-port", "miluvs-em-port"])), max_size=9))
def test_the_accepted_set_never_covers_more_than_the_policy(wished):
    try:
        entries = accept(*wished).entries
    except (InvalidRequest, Forbidden):
        return
    for kind in PortType:
        mine = [ip_network(entry.cidr) for entry in entries if entry.port_type is kind]
        for version, least in ((4, 16), (6, 48)):
            family = [one for one in mine if one.version == version]
            assert all(one.prefixlen >= least for one in collapse_addresses(family))


@given(st.lists(st.tuples(blocks, st.sampled_from(["milvus-port", "miluvs-em-port"])), max_size=9))
def test_accepting_the_accepted_changes_nothing(wished):
    try:
        once = accept(*wished).entries
    except (InvalidRequest, Forbidden):
        return
    again = accept(*(Wished(e.cidr, e.port_type, e.note, e.expires_at_ms) for e in once))
    assert again.entries == once
