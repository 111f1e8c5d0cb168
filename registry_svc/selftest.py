"""Proof, before a database is used, that its compare-and-set is exact.

A server whose update reads first and then writes by `_id` alone loses updates under load (FerretDB
issue 3040 tells of one); leases and fences would then be worth nothing. Rounds of racing writers
must each have exactly one winner. Takes a fraction of a second, in a collection of its own.
"""

import secrets
import threading
from collections.abc import Callable
from typing import Any

import pymongo.errors

from registry_svc.engine import StoreRefused

WRITERS, ROUNDS = 8, 24
_ADVICE = "use MongoDB 4.4 or newer, or another server that passes, or the embedded store"


def prove(database: Any, *, rounds: int = ROUNDS) -> None:
    """Raise unless `database` keeps what the registry builds on.

    Raises:
        StoreRefused: with what went wrong.
        pymongo.errors.PyMongoError: it did not answer.
    """
    collection = database[f"kite-selftest-{secrets.token_hex(4)}"]
    try:
        collection.create_index("key", unique=True, sparse=True)
        _readable(collection)
        _sparse_unique(collection)
        for number in range(rounds):
            _one_winner(collection, number)
            _one_insert(collection, number)
    finally:
        collection.drop()


def _refuse(what: str) -> StoreRefused:
    return StoreRefused(f"refused by the start-up self-test: {what}; {_ADVICE}")


def _readable(collection: Any) -> None:
    collection.insert_one({"_id": "race", "writes": 0})
    if collection.find_one({"_id": "race"}) != {"_id": "race", "writes": 0}:
        raise _refuse("an acknowledged write could not be read")


def _sparse_unique(collection: Any) -> None:
    try:
        collection.insert_many([{"_id": "without-1"}, {"_id": "without-2"}])
    except pymongo.errors.PyMongoError:
        raise _refuse("a sparse unique index refuses documents without the field") from None
    collection.insert_one({"_id": "with-1", "key": "taken"})
    if _inserted(collection, "with-2", "taken"):
        raise _refuse("a unique index took the same key twice")


def _inserted(collection: Any, document_id: str, key: str) -> bool:
    try:
        collection.insert_one({"_id": document_id, "key": key})
    except pymongo.errors.DuplicateKeyError:
        return False
    return True


def _one_winner(collection: Any, number: int) -> None:
    """All writers saw the same revision; one may replace it."""

    def swap(writer: int) -> bool:
        done = collection.replace_one(
            {"_id": "race", "writes": number}, {"_id": "race", "writes": number + 1, "by": writer}
        )
        return bool(done.matched_count)

    winners = _race(swap)
    stored = collection.find_one({"_id": "race"})
    if len(winners) != 1 or stored["by"] != winners[0] or stored["writes"] != number + 1:
        raise _refuse(f"{len(winners)} of {WRITERS} racing compare-and-sets won, instead of one")


def _one_insert(collection: Any, number: int) -> None:
    winners = _race(lambda writer: _inserted(collection, f"{number}-{writer}", f"key-{number}"))
    if len(winners) != 1:
        raise _refuse(f"{len(winners)} of {WRITERS} racing inserts took one unique key")


def _race(work: Callable[[int], bool]) -> list[int]:
    """Which writers succeeded when all start at once."""
    gate = threading.Barrier(WRITERS)
    won: list[int] = []
    failed: list[Exception] = []

    def run(writer: int) -> None:
        gate.wait()
        try:
            if work(writer):
                won.append(writer)
        except Exception as error:  # noqa: BLE001 - told to the caller below
            failed.append(error)

    threads = [threading.Thread(target=run, args=(n,), daemon=True) for n in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for fault in failed:
        if isinstance(fault, pymongo.errors.PyMongoError):
            raise fault
        raise _refuse(f"a racing write failed ({type(fault).__name__}: {fault})") from fault
    return won
