"""What lies at the end of a write-ahead log that nobody closed; pure.

SQLite reads such a log up to the first frame that does not fit and passes over the rest without a
word. That is right for a write that was never finished, and wrong when finished writes lie behind
the damage. The format is https://www.sqlite.org/fileformat2.html#walformat.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

_HEAD, _FRAME_HEAD = 32, 24
_MAGIC = {0x377F0682: "<", 0x377F0683: ">"}  # and the byte order of its checksums
_GENERATIONS = 1 << 16  # each time the log begins anew, its first salt grows by one
Sums = tuple[int, int]


class Found(Enum):
    """What stands where a frame should be."""

    WRITTEN = auto()
    NEVER_WRITTEN = auto()
    GARBLED = auto()


@dataclass(frozen=True, slots=True)
class Tail:
    """`whole` bytes hold finished writes; `cut` bytes behind them are of no use.

    `behind` finished writes lie behind damage; with 0 at most the last write is concerned.
    """

    whole: int = 0
    cut: int = 0
    behind: int = 0


def tail(log: bytes) -> Tail:
    """Judge a whole log file."""
    if len(log) < _HEAD or not any(log[:_HEAD]):
        return Tail(cut=len(log) if any(log) else 0)
    magic, _, page, _, *salts = struct.unpack(">6I", log[:24])
    order = _MAGIC.get(magic, "<")
    sums = _sums(order, log[:24], (0, 0))
    if magic not in _MAGIC or sums != struct.unpack(">2I", log[24:_HEAD]):
        return Tail(cut=len(log), behind=1)
    frames = list(_frames(log, page))
    whole, good = _finished(frames, order, tuple(salts), sums)
    end = _HEAD + whole * (_FRAME_HEAD + page)
    rest = [_found(head, tuple(salts)) for head, _ in frames[good:]]
    if Found.WRITTEN not in rest and Found.GARBLED not in rest:
        torn = (len(log) - _HEAD) % (_FRAME_HEAD + page) if not rest else 0
        unfinished = (good - whole) * (_FRAME_HEAD + page)
        return Tail(end, unfinished + torn)
    commits = sum(
        found is Found.WRITTEN and head[1] > 0
        for found, (head, _) in zip(rest, frames[good:], strict=True)
    )
    # Writes that were never finished may have reached the disk in any order: the first end of a
    # write at or behind the damage may be their own, unless the damage is somebody else's.
    own = 0 if rest[0] is Found.GARBLED else 1
    return Tail(end, len(log) - end, max(0, commits - own))


def _frames(log: bytes, page: int) -> Iterator[tuple[tuple[int, ...], bytes]]:
    size = _FRAME_HEAD + page
    for at in range(_HEAD, len(log) - size + 1, size):
        yield struct.unpack(">6I", log[at : at + _FRAME_HEAD]), log[at : at + size]


def _finished(
    frames: list[tuple[tuple[int, ...], bytes]], order: str, salts: tuple[int, ...], sums: Sums
) -> tuple[int, int]:
    """How many frames belong to finished writes, and how many fit at all."""
    whole = 0
    for number, (head, frame) in enumerate(frames):
        sums = _sums(order, frame[:8], sums)
        sums = _sums(order, frame[_FRAME_HEAD:], sums)
        if head[2:4] != salts or head[4:6] != sums:
            return whole, number
        if head[1]:
            whole = number + 1
    return whole, len(frames)


def _found(head: tuple[int, ...], salts: tuple[int, ...]) -> Found:
    if head[2:4] == salts:
        return Found.WRITTEN
    older = (salts[0] - head[2]) % (1 << 32)
    if not any(head) or 0 < older < _GENERATIONS:
        return Found.NEVER_WRITTEN
    return Found.GARBLED


def _sums(order: str, content: bytes, sums: Sums) -> Sums:
    first, second = sums
    for one, two in struct.iter_unpack(f"{order}2I", content):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + two + first) & 0xFFFFFFFF
    return first, second
