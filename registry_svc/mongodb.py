"""A MongoDB given by URI: durable writes asked for, and proven exact before it is used."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC
from typing import Any

import mongoengine
import mongoengine.errors
import pymongo
import pymongo.errors
from pymongo import uri_parser
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference

from kite.telemetry import logs
from registry_svc import documents, selftest, stored_format
from registry_svc.documents import Kind
from registry_svc.engine import StoreRefused

_log = logs.get(__name__)
# A call with all its retries ends before its caller's patience of 5 s does, so that the caller
# hears what was wrong. Start-up may take longer: it may have to build indexes.
_TIMES = {"timeoutms": ("timeoutMS", 3_000), "connecttimeoutms": ("connectTimeoutMS", 2_000)}
_STARTING_SECONDS, _CERTAIN_SECONDS = 60.0, 1.5


def options(uri: str) -> tuple[dict[str, object], list[str]]:
    """What Kite sets beside the URI, and what it overrules, in words.

    Without the journal, acknowledged writes were lost when the server was killed.
    """
    given = {k.lower(): v for k, v in _parsed(uri)["options"].items()}
    overruled = []
    if given.get("w", "majority") != "majority":
        overruled.append(f"the URI asks for w={given['w']}; Kite uses w=majority")
    overruled += [
        f"the URI asks for {name}={given[name]}; Kite uses journal=true"
        for name in ("journal", "j")
        if given.get(name, "true") != "true"
    ]
    times = {name: value for key, (name, value) in _TIMES.items() if key not in given}
    return {"w": "majority", "journal": True, **times}, overruled


def _parsed(uri: str) -> dict[str, Any]:
    """The driver's own reading; its faults may repeat a piece of a password: not told."""
    try:
        return uri_parser.parse_uri(uri, validate=False, normalize=False, warn=False)
    except (pymongo.errors.PyMongoError, ValueError):
        raise StoreRefused(
            "the MongoDB URI cannot be read, or its mongodb+srv:// name not be resolved; it looks "
            "like mongodb://user:password@host:27017/database with : / ? # [ ] @ % in user and "
            "password written as %3A %2F %3F %23 %5B %5D %40 %25"
        ) from None


class Mongo:
    """Engine over the wire.

    Raises:
        StoreRefused: does not answer, refuses our login, its compare-and-set is not exact, or its
            documents have another format.
    """

    shared = True
    whole = False

    def __init__(self, uri: str, database: str, *, prove: bool = True) -> None:
        if not uri.startswith(("mongodb://", "mongodb+srv://")):
            raise StoreRefused("the MongoDB URI must start with mongodb:// or mongodb+srv://")
        more, overruled = options(uri)
        for sentence in overruled:
            _log.warning(sentence)
        self._alias = f"mongo-{id(self)}"
        where = ",".join(f"{host}:{port}" for host, port in _parsed(uri)["nodelist"])
        try:
            client = mongoengine.connect(
                database, alias=self._alias, host=uri, uuidRepresentation="standard", **more
            )
        except (
            pymongo.errors.PyMongoError,
            mongoengine.errors.MongoEngineException,
            ValueError,
        ) as error:
            raise StoreRefused(f"the MongoDB URI cannot be used: {error}") from None
        try:
            client.get_default_database(database).command("ping")  # in the time of any call
            with pymongo.timeout(_STARTING_SECONDS):
                self._prepare(client.get_default_database(database), prove=prove)
        except pymongo.errors.PyMongoError as error:
            self.close()
            fault = str(error).partition(" (configured timeouts")[0]
            raise StoreRefused(f"MongoDB at {where} cannot be used: {fault}") from None
        except StoreRefused as refused:
            self.close()
            raise StoreRefused(f"MongoDB at {where}: {refused}") from None

    def _prepare(self, database: Any, *, prove: bool) -> None:
        if prove:
            selftest.prove(database)
        self.bound = documents.bind(self._alias)
        stored_format.settle(database, self.bound)
        for kind in self.bound.each():
            kind.document.ensure_indexes()

    @contextmanager
    def atomic(self) -> Iterator[None]:
        yield

    def touch(self, collection: str, document_id: str) -> None:
        """Nothing to prepare: the server takes each write by itself."""

    def find(
        self, kind: Kind, query: Mapping[str, Any], order: Sequence[tuple[str, int]], limit: int
    ) -> list[dict[str, Any]]:
        cursor = kind.collection.find(query)
        return list((cursor.sort(list(order)) if order else cursor).limit(limit))

    def holds(self, kind: Kind, query: Mapping[str, Any]) -> bool:
        certain = kind.collection.with_options(
            read_concern=ReadConcern("majority"), read_preference=ReadPreference.PRIMARY
        )
        with pymongo.timeout(_CERTAIN_SECONDS):
            return certain.find_one(query, ["_id"]) is not None

    def time_ms(self) -> int:
        told = self.bound.clusters.collection.database.command("hello")["localTime"]
        return int(told.replace(tzinfo=UTC).timestamp() * 1000)

    def close(self) -> None:
        mongoengine.disconnect(self._alias)
