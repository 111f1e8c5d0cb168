import pytest
from hypothesis import given
from hypothesis import strategies as st

from bff import json_in
from bff.json_in import NAME_SPELLINGS
from kite.errors import InvalidRequest
from kite.v1 import cluster_pb2
from tests.unit.bff.test_strict_json import VALUES

GOOD = {"milvus-name": "search-cats", "milvus-type": "M5", "disk-size": 50}
RANGE = {"source-ip": "1.2.3.4/32", "port-type": "miluvs-port"}
KEYS = st.sampled_from([*GOOD, *NAME_SPELLINGS, "ip-ranges", "address-mode", "allow-public", "x"])


def refusal(call, *args, **how) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        call(*args, **how)
    return caught.value


def test_the_seeds_body_is_read():
    wish = json_in.create(GOOD)
    assert (wish.name, wish.milvus_type, wish.disk_gib) == ("search-cats", "M5", 50)
    assert wish.address_mode == cluster_pb2.ADDRESS_MODE_ELASTIC
    assert (wish.ranges, wish.allow_public) == ((), False)


@pytest.mark.parametrize(
    ("word", "mode"),
    [
        ("elastic", cluster_pb2.ADDRESS_MODE_ELASTIC),
        ("auto", cluster_pb2.ADDRESS_MODE_AUTO),
        ("private", cluster_pb2.ADDRESS_MODE_PRIVATE),
    ],
)
def test_address_modes(word: str, mode: int):
    assert json_in.create({**GOOD, "address-mode": word}).address_mode == mode


def test_bodies_that_mean_the_same_have_one_hash_and_others_another():
    same = json_in.create(GOOD).body_hash
    assert json_in.create({**GOOD, "address-mode": "elastic", "ip-ranges": []}).body_hash == same
    assert json_in.create({**GOOD, "milvus-type": "m5"}).body_hash == same
    renamed = {"milvs-name": "search-cats", "milvus-type": "M5", "disk-size": 50}
    assert json_in.create(renamed).body_hash == same
    others = [
        {"disk-size": 51},
        {"milvus-type": "M6"},
        {"address-mode": "auto"},
        {"ip-ranges": [RANGE]},
        {"ip-ranges": [{**RANGE, "note": "n"}]},
        {"allow-public": True},
    ]
    hashes = {json_in.create({**GOOD, **other}).body_hash for other in others}
    assert len(hashes | {same}) == len(others) + 1


@pytest.mark.parametrize("spelling", NAME_SPELLINGS)
def test_every_spelling_names_the_cluster(spelling: str):
    assert json_in.cluster_name({spelling: "cats"}) == "cats"
    assert json_in.only_name({}, {spelling: "cats"}) == "cats"
    assert json_in.only_name({spelling: "cats"}, {spelling: "cats"}) == "cats"


def test_two_names_conflict_wherever_they_stand():
    two = {"milvus-name": "cats", "milvs-name": "dogs"}
    assert refusal(json_in.cluster_name, two).reason == "FIELD_CONFLICT"
    split = refusal(json_in.only_name, {"milvus-name": "cats"}, {"milvus-name": "dogs"})
    assert split.reason == "FIELD_CONFLICT"


def test_the_place_of_a_wrong_name_is_told_in_its_own_spelling():
    assert refusal(json_in.cluster_name, {"milvs-name": "Cats"}).field == "/milvs-name"
    assert refusal(json_in.cluster_name, {"milvs-name": None}).reason == "FIELD_MISSING"
    both = {"milvs-name": None, "milvus-name": "cats"}
    assert refusal(json_in.cluster_name, both).reason == "FIELD_MISSING"


def test_a_whitelist_is_read_whole():
    noted = {**RANGE, "note": "office", "expires-at": "2030-01-31T12:00:00Z"}
    wished = json_in.whitelist({"ip-ranges": [RANGE, noted], "allow-public": True}, named=False)
    first, second = wished.ranges
    assert (first.source_ip, first.port_type, first.expires_at_ms) == (*RANGE.values(), 0)
    assert (second.note, second.expires_at_ms) == ("office", 1_896_091_200_000)
    assert wished.allow_public is True


def test_a_time_long_past_is_never_taken_for_no_end():
    past = {**RANGE, "expires-at": "0001-01-01T00:00:00+14:00"}
    assert json_in.whitelist({"ip-ranges": [past]}, named=False).ranges[0].expires_at_ms == 1


@pytest.mark.parametrize(
    ("entry", "reason", "field"),
    [
        (7, "OBJECT_EXPECTED", "/ip-ranges/0"),
        ({**RANGE, "x": 1}, "UNKNOWN_FIELD", "/ip-ranges/0/x"),
        ({"port-type": "miluvs-port"}, "FIELD_MISSING", "/ip-ranges/0/source-ip"),
        ({**RANGE, "source-ip": 1}, "STRING_EXPECTED", "/ip-ranges/0/source-ip"),
        ({**RANGE, "port-type": 1}, "UNKNOWN_PORT_TYPE", "/ip-ranges/0/port-type"),
        ({**RANGE, "note": "x" * 201}, "INVALID_NOTE", "/ip-ranges/0/note"),
        ({**RANGE, "note": "\n"}, "INVALID_NOTE", "/ip-ranges/0/note"),
        ({**RANGE, "expires-at": "tomorrow"}, "INVALID_TIME", "/ip-ranges/0/expires-at"),
        ({**RANGE, "expires-at": "2030-01-01"}, "INVALID_TIME", "/ip-ranges/0/expires-at"),
        ({**RANGE, "expires-at": 7}, "STRING_EXPECTED", "/ip-ranges/0/expires-at"),
    ],
)
def test_a_wrong_entry_is_told_with_its_place(entry: object, reason: str, field: str):
    refused = refusal(json_in.whitelist, {"ip-ranges": [entry]}, named=False)
    assert (refused.reason, refused.field) == (reason, field)


def test_a_whitelist_that_is_too_long_is_not_looked_at():
    refused = refusal(json_in.whitelist, {"ip-ranges": [7] * 1001}, named=False)
    assert refused.reason == "TOO_MANY_RULES"


def test_a_name_belongs_into_the_body_of_the_seed_form_only():
    body = {"milvus-name": "cats", "ip-ranges": []}
    assert json_in.whitelist(body, named=True).ranges == ()
    assert refusal(json_in.whitelist, body, named=False).reason == "UNKNOWN_FIELD"


def test_a_change_names_the_type_and_nothing_else():
    assert json_in.changed_type({"milvus-type": "M5"}) == "M5"
    assert refusal(json_in.changed_type, {}).reason == "FIELD_MISSING"
    assert refusal(json_in.changed_type, {"disk-size": 9}).reason == "UNKNOWN_FIELD"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"milvus-type": 5}, "STRING_EXPECTED"),
        ({"milvus-type": "m5;"}, "UNKNOWN_TYPE"),
        ({"disk-size": None}, "FIELD_MISSING"),
        ({"disk-size": True}, "INTEGER_EXPECTED"),
        ({"disk-size": 50.0}, "INTEGER_EXPECTED"),
        ({"address-mode": "x"}, "UNKNOWN_ADDRESS_MODE"),
        ({"allow-public": 1}, "BOOLEAN_EXPECTED"),
        ({"ip-ranges": None}, "LIST_EXPECTED"),
        ({"color": 1}, "UNKNOWN_FIELD"),
    ],
)
def test_a_wrong_field_of_a_create_has_its_reason(change: dict, reason: str):
    refused = refusal(json_in.create, {**GOOD, **change})
    assert (refused.reason, refused.field) == (reason, f"/{next(iter(change))}")


@given(st.dictionaries(KEYS, VALUES | st.just("cats") | st.integers(0, 99), max_size=6))
def test_any_object_is_read_or_refused_by_name(body: dict):
    for read in (
        json_in.create,
        json_in.changed_type,
        lambda b: json_in.only_name(b, {}),
        lambda b: json_in.whitelist(b, named=True),
    ):
        try:
            read(body)
        except InvalidRequest as error:
            named = error.reason and error.description
        else:
            named = True
        assert named


@given(st.integers())
def test_a_disk_is_whole_and_within_bounds(size: int):
    body = {**GOOD, "disk-size": size}
    if json_in.LEAST_DISK_GIB <= size <= json_in.MOST_DISK_GIB:
        assert json_in.create(body).disk_gib == size
    else:
        assert refusal(json_in.create, body).reason in {"DISK_TOO_SMALL", "DISK_TOO_LARGE"}
