"""What a database must give to the store, and the names of its failures."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

import mongoengine.errors
import pymongo.errors

from kite.errors import Internal, Unavailable
from kite.telemetry import logs
from registry_svc.documents import Bound, Kind

_log = logs.get(__name__)


class StoreRefused(Exception):
    """The store cannot be used; the text says why and what to do."""


class Taken(Exception):
    """A unique key exists already."""


class Engine(Protocol):
    """A database with its documents bound.

    Attributes:
        shared: other processes may write to the same records.
        whole: several writes in one atomic() become visible and durable together, or not at all.
    """

    bound: Bound
    shared: bool
    whole: bool

    def atomic(self) -> AbstractContextManager[None]:
        """Bracket of every access; may be nested."""
        ...

    def touch(self, collection: str, document_id: str) -> None:
        """Announce a write before it is made; inside atomic() only."""
        ...

    def find(
        self, kind: Kind, query: Mapping[str, Any], order: Sequence[tuple[str, int]], limit: int
    ) -> list[dict[str, Any]]:
        """Whole documents; every one has the fields of `order`; a limit of 0 = all."""
        ...

    def holds(self, kind: Kind, query: Mapping[str, Any]) -> bool:
        """Whether a document matches that can not be rolled back any more."""
        ...

    def time_ms(self) -> int | None:
        """The database's own clock; None when it has none."""
        ...

    def close(self) -> None: ...


@contextmanager
def named() -> Iterator[None]:
    """Driver failures leave as failures of Kite.

    Raises:
        Taken: duplicate key.
        Unavailable: STORE_AWAY; whether a write took place is then not known.
        Internal: a document that does not fit the schema (a defect of ours), or refused by MongoDB.
    """
    try:
        yield
    except (pymongo.errors.DuplicateKeyError, mongoengine.errors.NotUniqueError) as error:
        raise Taken(str(error)) from None
    except (
        pymongo.errors.ConnectionFailure,
        pymongo.errors.WriteConcernError,
        pymongo.errors.ExecutionTimeout,
        pymongo.errors.WaitQueueTimeoutError,
    ) as error:
        _log.warning("the database did not answer", error=str(error)[:500])
        raise Unavailable(
            "the registry's database did not answer; try again",
            reason="STORE_AWAY",
            retry_after=1,
        ) from error
    except (pymongo.errors.PyMongoError, mongoengine.errors.MongoEngineException) as error:
        raise Internal("the registry's database refused a write or a read") from error


def may_have_happened(away: Unavailable) -> bool:
    """Whether the call that ended so reached the database; only then is it worth a look."""
    never_sent = (
        pymongo.errors.ServerSelectionTimeoutError,
        pymongo.errors.WaitQueueTimeoutError,
    )
    return not isinstance(away.__cause__, never_sent)
