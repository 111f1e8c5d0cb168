"""A store that another format of Kite's documents filled is refused by name, never read by the
wrong names; one of this format is taken up, whatever was built since.

`format.json` holds documents as this format writes them. A change that breaks the test of them
raises stored_format.FORMAT and has them written anew: KITE_TEST_WRITE_FORMAT=1.
"""

import os
import sqlite3
from contextlib import contextmanager
from pathlib import Path

import bson
import pymongo
import pytest
from bson import json_util

from registry_svc import journal, stored_format
from registry_svc.embedded import Embedded
from registry_svc.engine import StoreRefused
from registry_svc.mongodb import Mongo
from tests.store.world import World, at_once, serial

WRITTEN = Path(__file__).with_name("format.json")
OLDER = (
    r"older Kite \(format 1; this one knows 2\).*delete its clusters with the Kite that made them"
)


@contextmanager
def opened(engine):
    try:
        yield World(engine)
    finally:
        engine.close()


@pytest.fixture
def mongodb(wire_server):
    """A fresh database and what opens the engine on it."""
    name = f"kite-test-format-{os.getpid()}-{next(serial)}"
    with pymongo.MongoClient(wire_server.uri) as client:
        yield client[name], lambda: Mongo(wire_server.uri, name, prove=False)
        client.drop_database(name)


def filled(world):
    """One document of every collection and nearly every part."""
    world.create(key="k")
    world.claims.duty("sweep", "a", seconds=30)
    world.claims.claim("p", most=1, seconds=30)


def all_of(engine):
    return {
        kind.name: sorted(kind.collection.find(), key=lambda found: found["_id"])
        for kind in engine.bound.each()
    }


def test_documents_of_this_format_are_there_to_compare_with(tmp_path):
    with opened(Embedded(tmp_path)) as world:
        filled(world)
        if "KITE_TEST_WRITE_FORMAT" in os.environ:
            whole = {"format": stored_format.FORMAT, "documents": all_of(world.engine)}
            WRITTEN.write_text(json_util.dumps(whole, indent=1, sort_keys=True) + "\n")
    assert json_util.loads(WRITTEN.read_text())["format"] == stored_format.FORMAT


def goes_on(world):
    """What older hands wrote is read and written by compare-and-set, in every collection."""
    record = world.store.live("milvus-test", "search-cats")
    assert world.store.swap(record, record) is not None
    assert world.claims.duty("sweep", "a", seconds=30)
    assert world.create(key="k").cluster.cluster_id == record.cluster.cluster_id
    assert not world.delete().cluster.spec.wanted
    assert len(world.store.operations("milvus-test", "", before=None, size=9)) == 2
    assert len(world.store.events(record.cluster.cluster_id, after=0, size=9)) >= 2


def test_a_journal_of_this_format_goes_on(tmp_path):
    written = json_util.loads(WRITTEN.read_text())["documents"]
    kept = journal.Journal(tmp_path)
    kept.write((name, d["_id"], bson.encode(d)) for name, found in written.items() for d in found)
    kept.close()
    with opened(Embedded(tmp_path)) as world:
        goes_on(world)


@pytest.mark.wire
def test_a_database_of_this_format_goes_on(mongodb):
    database, opening = mongodb
    opening().close()
    for name, found in json_util.loads(WRITTEN.read_text())["documents"].items():
        database[name].insert_many(found)
    with opened(opening()) as world:
        goes_on(world)


def test_a_journal_of_an_older_format_is_refused_with_advice(tmp_path):
    with opened(Embedded(tmp_path)) as world:
        filled(world)
    with sqlite3.connect(tmp_path / journal.FILE) as db:
        db.execute("PRAGMA user_version=1")
    db.close()
    before = (tmp_path / journal.FILE).read_bytes()
    with pytest.raises(StoreRefused, match=OLDER) as caught:
        Embedded(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert (tmp_path / journal.FILE).read_bytes() == before


@pytest.mark.wire
@pytest.mark.parametrize("collection", ["clusters", "operations", "duties", "idempotency-keys"])
def test_a_database_filled_before_there_were_marks_is_refused_with_advice(mongodb, collection):
    database, opening = mongodb
    database[collection].insert_one({"_id": "x", "version": 1, "rev": 1})
    for _ in range(2):  # and is not marked by the first look
        with pytest.raises(StoreRefused, match=f"MongoDB at .*{OLDER}"):
            opening()


@pytest.mark.wire
@pytest.mark.parametrize(("number", "told"), [(1, OLDER), (9, "newer Kite")])
def test_a_database_with_the_mark_of_another_format_is_refused(mongodb, number, told):
    database, opening = mongodb
    database[stored_format.MARK].insert_one({"_id": stored_format.MARK, "format": number})
    with pytest.raises(StoreRefused, match=told):
        opening()


@pytest.mark.wire
def test_registries_that_start_at_once_on_an_empty_database_all_open_it(mongodb):
    database, opening = mongodb
    engines = at_once(3, lambda _: opening())
    with opened(engines[0]) as world:
        filled(world)
    for engine in engines[1:]:
        engine.close()
    [mark] = database[stored_format.MARK].find()
    assert mark == {"_id": stored_format.MARK, "format": stored_format.FORMAT}
    with opened(opening()) as world:
        goes_on(world)
