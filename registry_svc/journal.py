"""Durable copy of the embedded store: one SQLite row per document, written through.

WAL with synchronous=FULL: a write that returned survives kill -9 and power loss; a tail torn by
either is a write that never returned, and SQLite leaves it out. Each row carries a checksum.
"""

import shutil
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from kite import crash
from kite.errors import Unavailable
from kite.telemetry import logs
from registry_svc import stored_format
from registry_svc.engine import StoreRefused
from registry_svc.journal_tail import tail

_log = logs.get(__name__)
PAGE = 4096
FILE = "registry.sqlite"
_DAMAGED = (
    "move the folder aside and restore it from a backup, or start with an empty folder "
    "(clusters that still run in EC2 are then unknown)"
)


class Journal:
    """Callers take turns; one connection serves all threads.

    Raises:
        StoreRefused: unreadable, damaged, or written by a newer or an older Kite.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        _check_tail(folder / f"{FILE}-wal")
        try:
            self._db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        except sqlite3.Error as error:
            raise StoreRefused(f"{self._path}: cannot be opened: {error}") from None
        try:
            self._prepare()
        except sqlite3.Error as error:
            self._db.close()
            raise _refused(error, self._path) from None
        except StoreRefused:
            self._db.close()
            raise

    def _prepare(self) -> None:
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        verdict = self._db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise StoreRefused(f"{self._path}: damaged ({verdict}); {_DAMAGED}")
        self._check_format()
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS documents (collection TEXT, id TEXT, body BLOB NOT NULL, "
            "checksum INTEGER NOT NULL, PRIMARY KEY (collection, id)) WITHOUT ROWID"
        )
        self._db.execute(f"PRAGMA user_version={stored_format.FORMAT}")

    def _check_format(self) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:  # a new file
            return
        try:
            stored_format.check(version)
        except StoreRefused as refused:
            raise StoreRefused(f"{self._path}: {refused}") from None

    def rows(self) -> Iterator[tuple[str, str, bytes]]:
        """Collection, id and body of every document.

        Raises:
            StoreRefused: a row does not carry what was written.
        """
        try:
            found = self._db.execute("SELECT collection, id, body, checksum FROM documents")
            for collection, document_id, body, checksum in found:
                if zlib.crc32(body) != checksum:
                    raise StoreRefused(
                        f"{self._path}: {collection} {document_id} is damaged; {_DAMAGED}"
                    )
                yield collection, document_id, body
        except sqlite3.Error as error:
            raise _refused(error, self._path) from None

    def write(self, changes: Iterable[tuple[str, str, bytes | None]]) -> None:
        """Make all changes durable, or none; a body of None removes the document.

        Raises:
            Unavailable: STORE_FULL or STORE_AWAY; nothing was changed.
        """
        crash.point("before-journal")
        try:
            self._db.execute("BEGIN IMMEDIATE")
            for collection, document_id, body in changes:
                self._put(collection, document_id, body)
            crash.point("in-journal")
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._undo()
            raise _named(error, self._path) from error
        crash.point("after-journal")

    def _put(self, collection: str, document_id: str, body: bytes | None) -> None:
        if body is None:
            self._db.execute(
                "DELETE FROM documents WHERE collection=? AND id=?", (collection, document_id)
            )
            return
        self._db.execute(
            "INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?)",
            (collection, document_id, body, zlib.crc32(body)),
        )

    def _undo(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    def close(self) -> None:
        self._db.close()


def _check_tail(log: Path) -> None:
    """Tell what SQLite would pass over in silence.

    Raises:
        StoreRefused: finished writes lie behind damage.
    """
    try:
        found = tail(log.read_bytes())
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreRefused(f"{log}: cannot be read: {error}") from None
    if found.behind:
        raise StoreRefused(
            f"{log}: damaged behind byte {found.whole}, and finished writes lie behind that; "
            f"restore the folder from a backup, or give them up: truncate -s {found.whole} {log}"
        )
    if found.cut:
        _log.warning(
            "the last write was not finished and is left out",
            file=str(log),
            kept_bytes=found.whole,
            cut_bytes=found.cut,
        )


def _full(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL


def _refused(error: sqlite3.Error, path: Path) -> StoreRefused:
    """What kept the journal from being opened; only damage is called damage."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
    if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return StoreRefused(f"{path}: damaged ({error}); {_DAMAGED}")
    if not _room(path.parent):
        return StoreRefused(f"the disk that holds {path} is full; free some space and start again")
    return StoreRefused(f"{path}: cannot be used: {error}")


def _room(folder: Path) -> bool:
    """Whether one more page fits."""
    return shutil.disk_usage(folder).free > PAGE


def _named(error: sqlite3.Error, path: Path) -> Unavailable:
    if _full(error):
        return Unavailable(
            f"the disk that holds {path} is full; free some space and try again",
            reason="STORE_FULL",
            retry_after=30,
        )
    return Unavailable(f"{path} cannot be written: {error}", reason="STORE_AWAY", retry_after=5)
