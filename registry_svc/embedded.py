"""The embedded store: mongomock under one lock, written through to a journal.

mongomock is not atomic by itself and looks at every document for every query: the lock makes it
exact, columns.py says which documents a query may mean. One process, up to about 2 000 clusters.
"""

import fcntl
import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import IO, Any

import bson
import mongoengine
import mongomock
from mongomock.filtering import filter_applies

from registry_svc import documents
from registry_svc.columns import Columns
from registry_svc.documents import Kind
from registry_svc.engine import StoreRefused
from registry_svc.journal import Journal


class Embedded:
    """Engine in this process.

    Raises:
        StoreRefused: the folder cannot be used, is in use, or its journal is damaged.
    """

    shared = False
    whole = True

    def __init__(self, folder: Path) -> None:
        self._lock_file = _locked(folder)
        try:
            self._journal = Journal(folder)
        except StoreRefused:
            self._lock_file.close()
            raise
        self._lock = threading.RLock()
        self._depth = 0
        self._before: dict[tuple[str, str], bytes | None] = {}
        self._alias = f"embedded-{id(self)}"
        mongoengine.connect(
            "kite",
            alias=self._alias,
            host="mongodb://localhost",
            # MongoEngine shares a client between aliases of equal settings; this one never is.
            mongo_client_class=partial(mongomock.MongoClient),
            uuidRepresentation="standard",
        )
        self.bound = documents.bind(self._alias)
        self._columns = {kind.name: Columns(kind.name) for kind in self.bound.each()}
        self._collections = {kind.name: self._open(kind.collection) for kind in self.bound.each()}
        try:
            self._load()
        except StoreRefused:
            self.close()
            raise

    def _open(self, collection: Any) -> Any:
        # mongomock's own hook and table; the version is bounded in pyproject.toml.
        scan, stored = collection._iter_documents, collection._store  # noqa: SLF001

        def look(query: Mapping[str, Any]) -> Iterable[Any]:
            ids = self._candidates(collection.name, query)
            if ids is None:
                return scan(query)  # type: ignore[no-any-return]
            found = [stored[i] for i in ids if i in stored]
            return (d for d in found if filter_applies(query, d))  # type: ignore[no-untyped-call]

        collection._iter_documents = look  # noqa: SLF001
        return collection

    def _candidates(self, collection: str, query: Mapping[str, Any]) -> list[str] | None:
        # Writes of the running bracket reach the columns only when it ends.
        touched = [i for c, i in self._before if c == collection]
        return self._columns[collection].candidates(query, touched)

    def find(
        self, kind: Kind, query: Mapping[str, Any], order: Sequence[tuple[str, int]], limit: int
    ) -> list[dict[str, Any]]:
        # mongomock's cursor would copy every match before it takes the first few.
        found = list(kind.collection._iter_documents(query))  # noqa: SLF001 - as above
        for field, direction in reversed(order):
            found.sort(key=itemgetter(field), reverse=direction < 0)
        # A copy by way of BSON costs a tenth of copy.deepcopy.
        return [bson.decode(bson.encode(d)) for d in (found[:limit] if limit else found)]

    def _load(self) -> None:
        for collection, _, body in self._journal.rows():
            document = bson.decode(body)
            self._collections[collection].insert_one(document)
            self._columns[collection].put(document["_id"], document)
        for kind in self.bound.each():
            kind.document.ensure_indexes()

    @contextmanager
    def atomic(self) -> Iterator[None]:
        with self._lock:
            if self._depth:
                yield
                return
            self._depth = 1
            try:
                yield
                self._flush()
            except BaseException:
                self._restore()
                raise
            finally:
                self._depth = 0
                self._before = {}

    def touch(self, collection: str, document_id: str) -> None:
        key = (collection, document_id)
        if key not in self._before:
            self._before[key] = self._now(key)

    def _now(self, key: tuple[str, str]) -> bytes | None:
        stored = self._stored(key)
        return None if stored is None else bson.encode(stored)

    def _stored(self, key: tuple[str, str]) -> dict[str, Any] | None:
        collection, document_id = key
        table = self._collections[collection]._store  # noqa: SLF001 - as above
        if document_id not in table:
            return None
        found: dict[str, Any] = table[document_id]
        return found

    def _flush(self) -> None:
        after = {key: self._now(key) for key in self._before}
        changed = {key: new for key, new in after.items() if new != self._before[key]}
        if not changed:
            return
        self._journal.write((*key, new) for key, new in changed.items())
        for key in changed:
            self._columns[key[0]].put(key[1], self._stored(key))

    def _restore(self) -> None:
        # Deleting all first: a unique key may have moved from one touched document to another.
        for collection, document_id in self._before:
            self._collections[collection].delete_one({"_id": document_id})
        for (collection, _), old in self._before.items():
            if old is not None:
                self._collections[collection].insert_one(bson.decode(old))

    def holds(self, kind: Kind, query: Mapping[str, Any]) -> bool:
        return bool(self.find(kind, query, (), 1))

    def time_ms(self) -> None:
        """This process is the database."""

    def close(self) -> None:
        with self._lock:
            mongoengine.disconnect(self._alias)
            self._journal.close()
            self._lock_file.close()


def _locked(folder: Path) -> IO[str]:
    """Hold the folder for this process until the file is closed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / "lock").open("a+")
    except OSError as error:
        raise StoreRefused(f"{folder}: the embedded store cannot be kept here: {error}") from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.seek(0)
        owner = file.read().strip() or "unknown"
        file.close()
        raise StoreRefused(
            f"{folder}: in use by process {owner}; the embedded store serves one registry process "
            "(stop that one, choose another KITE_REGISTRY_FOLDER, or set KITE_REGISTRY_MONGODB_URI)"
        ) from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file
