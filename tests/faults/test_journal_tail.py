"""The end of the journal after a crash, a power cut or a bad disk: told, kept, or refused."""

import os
import shutil
import sqlite3

import pytest
import structlog

from registry_svc import journal
from registry_svc.embedded import Embedded
from registry_svc.engine import StoreRefused
from registry_svc.journal_tail import Tail, tail
from tests.store.world import World

HEAD, FRAME = 32, 24 + 4096


def copied(engine, to):
    """The folder as a killed process leaves it: the log is not folded in."""
    to.mkdir()
    for name in (journal.FILE, f"{journal.FILE}-wal"):
        shutil.copy(engine._journal._path.parent / name, to / name)
    return to / f"{journal.FILE}-wal"


@pytest.fixture
def left(tmp_path):
    """(log file, ids of clusters in the order they were made) of a killed store."""
    engine = Embedded(tmp_path / "first")
    world = World(engine)
    ids = [world.create(f"name-{n}").cluster.cluster_id for n in range(6)]
    log = copied(engine, tmp_path / "second")
    engine.close()
    return log, ids


def there(log, ids):
    engine = Embedded(log.parent)
    found = [World(engine).store.by_id(i) is not None for i in ids]
    engine.close()
    return found


def frames(content):
    """(offset, commit mark) of every frame."""
    return [
        (at, int.from_bytes(content[at + 4 : at + 8]))
        for at in range(HEAD, len(content) - FRAME + 1, FRAME)
    ]


def test_a_whole_log_says_nothing(left):
    log, ids = left
    assert tail(log.read_bytes()) == Tail(len(log.read_bytes()))
    with structlog.testing.capture_logs() as logs:
        assert there(log, ids) == [True] * 6
    assert logs == []


@pytest.mark.parametrize("cut", [1, 2000, FRAME - 1])
def test_a_torn_last_write_is_told_and_all_before_it_is_kept(left, cut):
    log, ids = left
    content = log.read_bytes()
    log.write_bytes(content[:-cut])
    with structlog.testing.capture_logs() as logs:
        assert there(log, ids) == [True] * 5 + [False]
    [told] = logs
    assert told["event"] == "the last write was not finished and is left out"
    assert told["kept_bytes"] + told["cut_bytes"] == len(content) - cut


def test_a_garbled_last_write_is_told_and_all_before_it_is_kept(left):
    log, ids = left
    content = bytearray(log.read_bytes())
    content[-100:] = os.urandom(100)
    log.write_bytes(content)
    with structlog.testing.capture_logs() as logs:
        assert there(log, ids) == [True] * 5 + [False]
    assert len(logs) == 1


def test_noise_behind_the_log_is_told(left):
    log, ids = left
    with log.open("ab") as file:
        file.write(b"\x07" * 10_000)
    with structlog.testing.capture_logs() as logs:
        assert there(log, ids) == [True] * 6
    assert [one["cut_bytes"] for one in logs] == [10_000]


@pytest.mark.parametrize("place", ["page", "head"])
def test_damage_before_other_writes_is_refused(left, place):
    """SQLite alone would pass over everything behind it, and three clusters would be forgotten."""
    log, ids = left
    content = bytearray(log.read_bytes())
    ends = [at for at, commit in frames(content) if commit]
    at = ends[-4] + (1000 if place == "page" else 8)
    content[at : at + 16] = os.urandom(16)
    log.write_bytes(content)
    with pytest.raises(StoreRefused) as caught:
        Embedded(log.parent)
    advice = str(caught.value).rpartition("truncate -s ")[2].split()[0]
    os.truncate(log, int(advice))
    found = there(log, ids)
    assert found == sorted(found, reverse=True)
    assert 0 < sum(found) < 6


def test_without_the_look_sqlite_forgets_in_silence(left, monkeypatch):
    log, ids = left
    content = bytearray(log.read_bytes())
    at = [at for at, commit in frames(content) if commit][-4] + 1000
    content[at : at + 16] = os.urandom(16)
    log.write_bytes(content)
    monkeypatch.setattr(journal, "_check_tail", lambda log: None)
    assert there(log, ids).count(False) > 1


def test_a_damaged_head_is_refused(left):
    log, _ = left
    content = bytearray(log.read_bytes())
    content[20] ^= 1
    log.write_bytes(content)
    with pytest.raises(StoreRefused, match="truncate -s 0"):
        Embedded(log.parent)


def test_frames_of_an_earlier_round_are_no_damage(tmp_path):
    """A log that began anew still holds frames of before, behind its own."""
    engine = Embedded(tmp_path / "first")
    world = World(engine)
    ids = [world.create(f"name-{n}").cluster.cluster_id for n in range(6)]
    engine._journal._db.execute("PRAGMA wal_checkpoint(RESTART)")
    ids.append(world.create("after").cluster.cluster_id)
    log = copied(engine, tmp_path / "second")
    engine.close()
    found = tail(log.read_bytes())
    assert 0 < found.whole < len(log.read_bytes())
    assert (found.cut, found.behind) == (0, 0)
    assert there(log, ids) == [True] * 7


def test_an_unfinished_write_is_no_damage(tmp_path):
    """Killed in the middle of one: its frames fit, and none of them ends it."""
    with sqlite3.connect(tmp_path / "db") as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA cache_size=1")
        db.execute("CREATE TABLE t (x)")
        db.commit()
        before = len((tmp_path / "db-wal").read_bytes())
        db.executemany("INSERT INTO t VALUES (zeroblob(4000))", [()] * 20)
        log = (tmp_path / "db-wal").read_bytes()
        found = tail(log)
    db.close()
    assert len(log) > before
    assert found == Tail(before, len(log) - before)


@pytest.mark.parametrize("log", [b"", b"\0" * 99, b"x" * 20])
def test_what_is_hardly_a_log(log):
    assert tail(log) == Tail(cut=len(log.strip(b"\0")))


def test_frames_written_out_of_order_are_the_last_write(left):
    """A power cut may keep the end of a write and lose its beginning; nobody was told of it yet."""
    log, _ = left
    content = bytearray(log.read_bytes())
    ends = [at for at, commit in frames(content) if commit]
    first = ends[-2] + FRAME
    assert first < ends[-1]  # it has more than one frame
    content[first : first + FRAME] = bytes(FRAME)
    assert tail(bytes(content)) == Tail(first, len(content) - first)
