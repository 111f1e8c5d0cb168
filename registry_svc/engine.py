"""What a database must give to the store, and the names of its failures."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

import mongoengine.errors
import pymongo.errors

from kite.errors import Internal, InvalidRequest, Unavailable
from kite.telemetry import logs
from registry_svc.documents import Bound, Kind

_log = logs.get(__name__)


class StoreRefused(Exception):
    """The store cannot be used; the text says why and what to do."""


class Taken(Exception):
    """A unique key exists already."""


class Unfit(Exception):
    """A document does not fit the schema: a defect of ours, unless a caller sent it (sent())."""

    def __init__(self, field: str, fault: str) -> None:
        super().__init__(f"{field}: {fault}")
        self.field = field
        self.fault = fault


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
        Unfit: the document breaks a rule of the schema.
        Unavailable: STORE_AWAY; whether a write took place is then not known.
        Internal: refused by MongoDB.
    """
    try:
        yield
    except (pymongo.errors.DuplicateKeyError, mongoengine.errors.NotUniqueError) as error:
        raise Taken(str(error)) from None
    except mongoengine.errors.ValidationError as error:
        raise _unfit(error) from error
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


def _unfit(error: mongoengine.errors.ValidationError) -> Unfit:
    """Its first fault; the tree of names has texts for leaves."""
    tree, path = error.to_dict(), []
    while isinstance(tree, dict) and tree:
        name = next(iter(tree))
        path.append(str(name))
        tree = tree[name]
    return Unfit("/" + "/".join(path), str(tree) if tree else error.message)


@contextmanager
def sent(pointer: str = "") -> Iterator[None]:
    """What is stored within came from the caller as it is: what does not fit is theirs to mend.

    `pointer` leads to it in the request.

    Raises:
        InvalidRequest: names the field.
    """
    try:
        yield
    except Unfit as unfit:
        raise InvalidRequest(
            f"{unfit.field.strip('/')} cannot be stored: {unfit.fault}",
            field=f"{pointer}{unfit.field}",
        ) from None


def may_have_happened(away: Unavailable) -> bool:
    """Whether the call that ended so reached the database; only then is it worth a look."""
    never_sent = (
        pymongo.errors.ServerSelectionTimeoutError,
        pymongo.errors.WaitQueueTimeoutError,
    )
    return not isinstance(away.__cause__, never_sent)
