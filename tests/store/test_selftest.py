"""A database whose compare-and-set is not exact is refused before it holds anything."""

import time
from types import SimpleNamespace

import mongomock
import pymongo
import pymongo.errors
import pytest

from registry_svc import mongodb, selftest
from registry_svc.engine import StoreRefused
from registry_svc.mongodb import Mongo
from tests.store.servers import free_port
from tests.store.world import hostile_switching


class ReadsThenWrites:
    """A collection whose update reads first and then writes by `_id` alone."""

    def __init__(self, collection):
        self._collection = collection

    def __getattr__(self, name):
        return getattr(self._collection, name)

    def replace_one(self, query, document):
        if self._collection.find_one(query) is None:
            return SimpleNamespace(matched_count=0)
        time.sleep(0.001)  # the server's own time between reading and writing
        return self._collection.replace_one({"_id": query["_id"]}, document)


class Database:
    def __init__(self, wrap):
        self._inner = mongomock.MongoClient().kite
        self._wrap = wrap

    def __getitem__(self, name):
        return self._wrap(self._inner[name])


def test_a_server_that_reads_then_writes_is_refused():
    with pytest.raises(StoreRefused, match="racing compare-and-sets won, instead of one"):
        selftest.prove(Database(ReadsThenWrites))


def test_bare_mongomock_is_refused():
    with hostile_switching(), pytest.raises(StoreRefused, match="refused by the start-up self"):
        selftest.prove(mongomock.MongoClient().kite, rounds=400)


class ForgetsUniqueness(ReadsThenWrites):
    def create_index(self, *args, **more):
        """Says yes and does nothing."""


def test_a_server_that_ignores_unique_indexes_is_refused():
    with pytest.raises(StoreRefused, match="took the same key twice"):
        selftest.prove(Database(ForgetsUniqueness))


class NotSparse(ReadsThenWrites):
    def create_index(self, key, *, unique, sparse):
        return self._collection.create_index(key, unique=unique)


def test_a_server_that_ignores_sparse_is_refused():
    with pytest.raises(StoreRefused, match="refuses documents without the field"):
        selftest.prove(Database(NotSparse))


class ForgetsWrites(ReadsThenWrites):
    def find_one(self, query):
        return None


def test_a_server_that_forgets_writes_is_refused():
    with pytest.raises(StoreRefused, match="could not be read"):
        selftest.prove(Database(ForgetsWrites))


@pytest.mark.wire
def test_an_exact_server_passes_and_keeps_nothing_of_it(wire_server):
    engine = Mongo(wire_server.uri, "kite-selftest")
    engine.close()
    with pymongo.MongoClient(wire_server.uri) as client:
        assert [n for n in client["kite-selftest"].list_collection_names() if "selftest" in n] == []
        client.drop_database("kite-selftest")


@pytest.mark.wire
def test_the_database_named_in_the_uri_wins(wire_server):
    uri = wire_server.uri.replace("/?", "/named-in-uri?")
    engine = Mongo(uri, "kite", prove=False)
    assert engine.bound.clusters.collection.database.name == "named-in-uri"
    concern = engine.bound.clusters.collection.write_concern.document
    assert concern == {"w": "majority", "j": True}
    engine.close()
    with pymongo.MongoClient(wire_server.uri) as client:
        client.drop_database("named-in-uri")


@pytest.mark.wire
def test_a_uri_that_asks_for_less_is_overruled_and_told(wire_server, capsys):
    uri = wire_server.uri.replace("w=majority&journal=true", "w=1&journal=false")
    engine = Mongo(uri, "kite", prove=False)
    concern = engine.bound.clusters.collection.write_concern.document
    engine.close()
    assert concern == {"w": "majority", "j": True}
    told = capsys.readouterr().out
    assert "the URI asks for w=1; Kite uses w=majority" in told
    assert "the URI asks for journal=false; Kite uses journal=true" in told


def test_a_server_that_does_not_answer_is_refused_in_a_sentence():
    uri = f"mongodb://user:hunter2@127.0.0.1:{free_port()}/?timeoutMS=200"
    with pytest.raises(StoreRefused) as caught:
        Mongo(uri, "kite")
    text = str(caught.value)
    assert "Connection refused" in text
    assert "hunter2" not in text
    assert len(text) < 300


@pytest.mark.parametrize("uri", ["mongodb://", "nonsense", "mongodb://h/?w=majority&bogus=%%"])
def test_a_uri_that_is_none_is_refused(uri):
    with pytest.raises(StoreRefused):
        Mongo(uri, "kite")


@pytest.mark.parametrize(
    "password", ["s3cr[et", "s3cr#et", "s3cr@et", "s3:cret", "s3/cret", "%s3cret"]
)
def test_a_password_with_odd_characters_is_one_sentence_without_it(password):
    uri = f"mongodb://user:{password}@127.0.0.1:{free_port()}/kite?timeoutMS=200"
    with pytest.raises(StoreRefused) as caught:
        Mongo(uri, "kite")
    text = str(caught.value)
    assert "cret" not in text
    assert "MongoDB" in text
    assert "MongoDB at user" not in text


def test_times_given_in_the_uri_are_kept():
    more, overruled = mongodb.options("mongodb://h/?connectTimeoutMS=7")
    assert "connectTimeoutMS" not in more
    assert more["timeoutMS"] == 3000
    assert overruled == []
