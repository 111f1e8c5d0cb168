"""Which format a store's documents have; a store of another format is refused before it is used.

Raise FORMAT whenever a stored field changes its name or meaning. A store read by the wrong names
opens and shows its clusters, and then refuses every write for ever.
"""

from typing import Any

from pymongo.errors import DuplicateKeyError
from pymongo.read_preferences import ReadPreference

from registry_svc.documents import Bound
from registry_svc.engine import StoreRefused

FORMAT = 2
MARK = "kite-format"  # collection of one document, beside those of the records
_UNMARKED = 1  # a database that was filled before there were marks


def check(found: int) -> None:
    """Raise unless this Kite reads and writes format `found`.

    Raises:
        StoreRefused: with what to do.
    """
    if found > FORMAT:
        raise StoreRefused(
            f"written by a newer Kite (format {found}; this one knows {FORMAT}); start that Kite"
        )
    if found < FORMAT:
        raise StoreRefused(
            f"written by an older Kite (format {found}; this one knows {FORMAT}), which it cannot "
            "take over; delete its clusters with the Kite that made them, then start this one on "
            "an empty store (another KITE_REGISTRY_FOLDER or KITE_REGISTRY_DATABASE)"
        )


def settle(database: Any, bound: Bound) -> None:
    """Check the mark of a MongoDB database; an empty database gets it.

    Raises:
        StoreRefused: the documents have another format.
        pymongo.errors.PyMongoError: it did not answer.
    """
    marks = database.get_collection(MARK, read_preference=ReadPreference.PRIMARY)
    # Looked for first: whoever fills an empty database meanwhile marks it before.
    filled = any(_any(kind.collection) for kind in bound.each())
    mark = marks.find_one({"_id": MARK})
    if mark is None and not filled:
        try:
            marks.insert_one({"_id": MARK, "format": FORMAT})
        except DuplicateKeyError:
            mark = marks.find_one({"_id": MARK})
        else:
            return
    check(mark["format"] if mark else _UNMARKED)


def _any(collection: Any) -> bool:
    certain = collection.with_options(read_preference=ReadPreference.PRIMARY)
    return certain.find_one({}, ["_id"]) is not None
