from hypothesis import given
from hypothesis import strategies as st

from localcloud.fake.tags import TagBook


def test_both_ways():
    book = TagBook()
    book.put("i-1", {"a": "1", "b": "2"})
    book.put("i-2", {"a": "1"})
    assert list(book.with_pair("a", "1")) == ["i-1", "i-2"]
    book.put("i-1", {"a": "9"})
    assert list(book.with_pair("a", "1")) == ["i-2"]
    assert book.of("i-1") == {"a": "9", "b": "2"}
    book.take("i-1", "a", "other")
    book.take("i-1", "nothing", None)
    assert book.of("i-1")["a"] == "9"
    book.take("i-1", "a", "9")
    book.take("i-1", "b", None)
    assert book.of("i-1") == {}
    book.forget("i-2")
    book.forget("i-2")
    assert list(book.all()) == []
    assert book.of("i-3") == {}


IDS, KEYS, VALUES = st.sampled_from("xyz"), st.sampled_from("abc"), st.sampled_from("12")
STEPS = st.one_of(
    st.tuples(st.just("put"), IDS, KEYS, VALUES),
    st.tuples(st.just("take"), IDS, KEYS, st.one_of(st.none(), VALUES)),
    st.tuples(st.just("forget"), IDS, st.none(), st.none()),
)


@given(st.lists(STEPS, max_size=40))
def test_the_two_ways_always_agree(steps):
    book, held = TagBook(), {}
    for what, one, key, value in steps:
        mine = held.setdefault(one, {})
        match what:
            case "put":
                book.put(one, {key: value})
                mine[key] = value
            case "take":
                book.take(one, key, value)
                if value in {None, mine.get(key)}:
                    mine.pop(key, None)
            case "forget":
                book.forget(one)
                mine.clear()
    assert {(i, k, v) for i, k, v in book.all()} == {
        (i, k, v) for i, mine in held.items() for k, v in mine.items()
    }
    for key in "abc":
        for value in "12":
            assert set(book.with_pair(key, value)) == {
                i for i, mine in held.items() if mine.get(key) == value
            }
