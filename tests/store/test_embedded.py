"""The embedded store's own promises: one process, durable, all or nothing, clear refusals."""

import os
import sqlite3
import subprocess
import sys
from dataclasses import replace

import pytest

from kite.errors import Unavailable
from registry_svc import journal
from registry_svc.embedded import Embedded
from registry_svc.engine import StoreRefused
from tests.store.servers import ROOT
from tests.store.world import World, wish


@pytest.fixture
def opened(tmp_path):
    """Opens stores on one folder; whatever is still open is closed at the end."""
    engines = []

    def open_it():
        for engine in engines:
            engine.close()
        engines[:] = [Embedded(tmp_path)]
        return World(engines[0])

    yield open_it
    for engine in engines:
        engine.close()


def test_everything_is_there_after_a_restart(opened):
    world = opened()
    record = world.create(key="k")
    world.claims.duty("sweep", "a", seconds=30)
    deleted = world.delete()
    again = opened()
    assert again.store.by_id(record.cluster.cluster_id) == deleted
    assert len(again.store.operations("milvus-test", "", before=None, size=9)) == 2
    assert len(again.store.events(record.cluster.cluster_id, after=0, size=9)) == 2
    assert again.store.duty("sweep").lease.holder == "a"
    assert again.create(key="k") == deleted
    with pytest.raises(Exception, match="being deleted"):
        again.create()


def test_a_second_process_is_refused_and_told_who_was_first(opened, tmp_path):
    opened()
    child = subprocess.run(
        [sys.executable, "-m", "registry_svc"],
        cwd=ROOT,
        env={**os.environ, "KITE_REGISTRY_FOLDER": str(tmp_path), "KITE_ENV_FILE": "/nowhere"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert child.returncode == 1
    assert f"in use by process {os.getpid()}" in child.stderr
    assert "Traceback" not in child.stderr


def test_two_stores_in_one_process_are_strangers(opened, tmp_path):
    cluster_id = opened().create().cluster.cluster_id
    other = Embedded(tmp_path / "other")
    assert World(other).store.by_id(cluster_id) is None
    other.close()


def test_the_folder_is_free_after_closing(opened):
    opened()
    assert opened()


def test_a_folder_that_cannot_be_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreRefused, match="cannot be kept here"):
        Embedded(tmp_path / "file" / "below")


def test_a_torn_tail_loses_nothing_that_stood_before_it(opened, tmp_path):
    world = opened()
    ids = [world.create(f"name-{n}").cluster.cluster_id for n in range(4)]
    # As after a power cut: what SQLite had not written whole, behind what it had.
    tail = tmp_path / f"{journal.FILE}-wal"
    torn = tail.read_bytes() + os.urandom(3000)
    whole = (tmp_path / journal.FILE).read_bytes()
    world.engine.close()
    tail.write_bytes(torn)
    (tmp_path / journal.FILE).write_bytes(whole)
    fresh = Embedded(tmp_path)
    store = World(fresh).store
    assert [store.by_id(i) is not None for i in ids] == [True] * 4
    fresh.close()


def test_a_cut_tail_keeps_a_prefix_of_the_writes(opened, tmp_path):
    world = opened()
    ids = [world.create(f"name-{n}").cluster.cluster_id for n in range(6)]
    tail = tmp_path / f"{journal.FILE}-wal"
    content = tail.read_bytes()
    whole = (tmp_path / journal.FILE).read_bytes()
    world.engine.close()
    for cut in (0.2, 0.5, 0.8, 0.99):
        tail.write_bytes(content[: int(len(content) * cut)])
        (tmp_path / f"{journal.FILE}-shm").unlink(missing_ok=True)
        (tmp_path / journal.FILE).write_bytes(whole)
        fresh = Embedded(tmp_path)
        there = [World(fresh).store.by_id(i) is not None for i in ids]
        assert there == sorted(there, reverse=True)
        fresh.close()


def test_a_damaged_document_is_refused_by_name(opened, tmp_path):
    world = opened()
    cluster_id = world.create().cluster.cluster_id
    world.engine.close()
    with sqlite3.connect(tmp_path / journal.FILE) as db:
        db.execute("UPDATE documents SET body = zeroblob(99) WHERE id = ?", (cluster_id,))
    db.close()
    with pytest.raises(StoreRefused, match=f"clusters {cluster_id} is damaged"):
        Embedded(tmp_path)


@pytest.mark.parametrize("content", [b"not a database" * 100, b"SQLite format 3\0" + b"\1" * 5000])
def test_a_damaged_file_is_refused_with_advice(tmp_path, content):
    (tmp_path / journal.FILE).write_bytes(content)
    with pytest.raises(StoreRefused, match="restore it from a backup"):
        Embedded(tmp_path)


def test_a_flipped_page_is_refused_with_advice(opened, tmp_path):
    world = opened()
    for number in range(12):
        world.create(f"name-{number}")
    world.engine.close()
    file = tmp_path / journal.FILE
    content = bytearray(file.read_bytes())
    content[4096 : 2 * 4096] = os.urandom(4096)
    file.write_bytes(content)
    with pytest.raises(StoreRefused, match="damaged"):
        Embedded(tmp_path)


def test_a_newer_format_is_refused(opened, tmp_path):
    opened().engine.close()
    with sqlite3.connect(tmp_path / journal.FILE) as db:
        db.execute("PRAGMA user_version=9")
    db.close()
    with pytest.raises(StoreRefused, match="newer Kite"):
        Embedded(tmp_path)


def test_a_full_disk_is_told_and_nothing_is_half_done(opened):
    world = opened()
    first = world.create()
    database = world.engine._journal._db
    pages = database.execute("PRAGMA page_count").fetchone()[0]
    database.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(Unavailable) as caught:
        for number in range(50):
            world.create(f"name-{number}", user=f"user-{number}", key="k")
    assert caught.value.reason == "STORE_FULL"
    there = {(c.user, c.milvus_name) for c in world.store.page("", after="", size=99)[0]}
    database.execute("PRAGMA max_page_count=1000000")
    refused = next(n for n in range(50) if (f"user-{n}", f"name-{n}") not in there)
    # Neither record, nor key, nor operation, nor unique place of the refused one is left behind.
    user = f"user-{refused}"
    assert world.store.operations(user, "", before=None, size=9) == []
    assert world.store.key(user, "k", now_ms=world.clock.now_ms()) is None
    assert world.wishes.create(wish(f"name-{refused}", user=user, key="k", body="other")).created
    assert world.store.by_id(first.cluster.cluster_id) == first
    after = {(c.user, c.milvus_name) for c in world.store.page("", after="", size=99)[0]}
    again = opened()
    assert {(c.user, c.milvus_name) for c in again.store.page("", after="", size=99)[0]} == after


def test_a_failed_bracket_undoes_what_was_done_in_it(opened):
    world = opened()
    record = world.create()

    def fail():
        with world.store.atomic():
            world.store.swap(record, replace(record, due_at_ms=1))
            world.create("second")
            raise RuntimeError

    heard = []
    world.store.listen(heard.append)
    with pytest.raises(RuntimeError):
        fail()
    assert heard == []
    assert world.store.by_id(record.cluster.cluster_id) == record
    assert world.store.live("milvus-test", "second") is None
    assert world.create("second").quota_number == 2


def test_only_touched_documents_are_written(opened):
    world = opened()
    for number in range(5):
        world.create(f"name-{number}")
    record = world.store.live("milvus-test", "name-3")
    written = []
    world.engine._journal.write = lambda changes: written.extend(c[:2] for c in changes)
    world.store.swap(record, replace(record, due_at_ms=1), visible=False)
    assert written == [("clusters", record.cluster.cluster_id)]


def test_few_documents_are_looked_at(opened, monkeypatch):
    world = opened()
    for number in range(8):
        world.create(f"name-{number}", user=f"user-{number}")
    everything, looked = range(999), []
    real = Embedded._candidates

    def candidates(engine, collection, query):
        found = real(engine, collection, query)
        looked.append(len(everything if found is None else found))
        return found

    monkeypatch.setattr(Embedded, "_candidates", candidates)
    record = world.store.live("user-3", "name-3")
    world.store.by_id(record.cluster.cluster_id)
    world.store.events(record.cluster.cluster_id, after=0, size=3)
    world.store.operations("user-3", "", before=None, size=3)
    world.store.page("user-3", after="", size=5)
    world.store.due(0, limit=5)
    world.store.tidy_keys(world.clock.now_ms())
    world.create("another", user="user-3")
    world.delete("another", user="user-3")
    assert len(looked) > 7
    assert max(looked) <= 3


def test_changing_what_was_read_changes_nothing(opened):
    world = opened()
    world.create()
    kind = world.engine.bound.clusters
    for found in (world.engine.find(kind, {}, (), 0), [kind.collection.find_one({})]):
        found[0]["lease"]["holder"] = "nobody"
    assert world.store.live("milvus-test", "search-cats").lease.holder == ""
