"""The end of a log, byte by byte: pages of eight bytes, each write as long as the test says."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_svc.journal_tail import Tail, tail

PAGE, HEAD = 8, 32
FRAME = 24 + PAGE
SALT = (1000, 77)


def sums(order, content, before):
    one, two = before
    for at in range(0, len(content), 8):
        x, y = struct.unpack(f"{order}2I", content[at : at + 8])
        one = (one + x + two) % 2**32
        two = (two + y + one) % 2**32
    return one, two


def log(*writes, order="<"):
    """A log of writes, each so many frames long; a negative length is a write without an end."""
    magic = 0x377F0682 if order == "<" else 0x377F0683
    head = struct.pack(">6I", magic, 3007000, PAGE, 0, *SALT)
    state = sums(order, head, (0, 0))
    made = head + struct.pack(">2I", *state)
    for number, length in enumerate(writes):
        for frame in range(abs(length)):
            ends = length > 0 and frame == length - 1
            first = struct.pack(">2I", frame + 1, 5 if ends else 0)
            page = bytes([number + 1]) * PAGE
            state = sums(order, page, sums(order, first, state))
            made += first + struct.pack(">4I", *SALT, *state) + page
    return made


def at(frame):
    return HEAD + frame * FRAME


def spoiled(content, offset, with_what=b"\xff" * 8):
    return content[:offset] + with_what + content[offset + len(with_what) :]


OLDER = struct.pack(">6I", 1, 5, SALT[0] - 1, 5, 6, 7) + bytes(PAGE)
WHOLE = log(2, 1, 3)
CASES = {
    "nothing": (b"", Tail()),
    "zeros": (bytes(99), Tail()),
    "hardly a head": (b"x" * 20, Tail(cut=20)),
    "a strange head": (b"\x01" * 40, Tail(cut=40, behind=1)),
    "a damaged head": (spoiled(WHOLE, 16, b"\x09"), Tail(cut=len(WHOLE), behind=1)),
    "a head alone": (log(), Tail(HEAD)),
    "whole": (WHOLE, Tail(at(6))),
    "whole, of the other byte order": (log(2, 1, order=">"), Tail(at(3))),
    "an unfinished write": (log(2, -2), Tail(at(2), 2 * FRAME)),
    "half a frame more": (log(2) + b"\x01" * 9, Tail(at(2), 9)),
    "frames of an earlier round": (log(2) + OLDER * 2, Tail(at(2))),
    "room that was never written": (log(2) + bytes(FRAME), Tail(at(2))),
    "noise behind": (log(2) + b"\x01" * FRAME, Tail(at(2), FRAME)),
    "a spoiled last write": (spoiled(WHOLE, at(3) + 24), Tail(at(3), 3 * FRAME)),
    "its first frame missing": (spoiled(WHOLE, at(3), bytes(FRAME)), Tail(at(3), 3 * FRAME)),
    "its first frame of an earlier round": (spoiled(WHOLE, at(3), OLDER), Tail(at(3), 3 * FRAME)),
    "a spoiled write before the last": (spoiled(WHOLE, at(2) + 24), Tail(at(2), 4 * FRAME, 1)),
    "a spoiled first write": (spoiled(WHOLE, at(0) + 24), Tail(HEAD, 6 * FRAME, 2)),
    "noise in the place of a frame": (
        spoiled(WHOLE, at(2) + 8, b"\x70" * 8),
        Tail(at(2), 4 * FRAME, 1),
    ),
}


@pytest.mark.parametrize(("content", "found"), CASES.values(), ids=CASES)
def test_tail(content, found):
    assert tail(content) == found


@given(st.lists(st.integers(1, 4), max_size=5), st.data())
def test_a_cut_keeps_every_write_that_ends_before_it(writes, data):
    content = log(*writes)
    cut = data.draw(st.integers(HEAD, len(content)))
    ends = [HEAD]
    for length in writes:
        ends.append(ends[-1] + length * FRAME)
    found = tail(content[:cut])
    assert found.whole == max(end for end in ends if end <= cut)
    assert (found.behind, found.whole + found.cut) == (0, cut)


@given(st.lists(st.integers(1, 3), min_size=1, max_size=5), st.data())
def test_a_spoiled_byte_never_hides_a_write_behind_it(writes, data):
    content = log(*writes)
    # A first salt that is a little smaller reads as that of an earlier round.
    unclear = range(8, 12)
    places = st.integers(HEAD, len(content) - 1)
    place = data.draw(places.filter(lambda p: (p - HEAD) % FRAME not in unclear))
    found = tail(spoiled(content, place, bytes([content[place] ^ 0x40])))
    frame = (place - HEAD) // FRAME
    starts = [sum(writes[:n]) for n in range(len(writes))]
    hurt = max(n for n, start in enumerate(starts) if start <= frame)
    assert found.whole == at(starts[hurt])
    finished_behind = len(writes) - 1 - hurt
    assert found.behind >= finished_behind
