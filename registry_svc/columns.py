"""Which documents may match a query, from a few fields kept aside; pure.

The embedded store would otherwise look at every document for every query.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any

# The most telling field of each collection first.
FIELDS: Mapping[str, tuple[str, ...]] = {
    "clusters": ("live_key", "quota_key", "username", "due-at", "changed-at"),
    "operations": ("cluster-id", "username"),
    "events": ("cluster-id",),
    "idempotency-keys": ("expires-at",),
}
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "$lt": lambda value, limit: value < limit,
    "$lte": lambda value, limit: value <= limit,
    "$gt": lambda value, limit: value > limit,
    "$gte": lambda value, limit: value >= limit,
}


class Columns:
    """Field to document id to value, of one collection."""

    def __init__(self, collection: str) -> None:
        self._kept: dict[str, dict[str, Any]] = {f: {} for f in FIELDS.get(collection, ())}

    def put(self, document_id: str, document: Mapping[str, Any] | None) -> None:
        """What the document holds now; None = it is gone."""
        for field, column in self._kept.items():
            if document is not None and field in document:
                column[document_id] = document[field]
            else:
                column.pop(document_id, None)

    def candidates(self, query: Mapping[str, Any], unsettled: Collection[str]) -> list[str] | None:
        """Ids that may match; None = any may.

        `unsettled` are documents whose columns are not up to date; they always may.
        """
        match query.get("_id"):
            case str(one):
                return [one]
            case {"$in": ids, **others} if not others:
                return list(ids)
            case _:
                pass
        for equal_only in (True, False):
            for field, column in self._kept.items():
                test = _test(query.get(field), equal_only=equal_only)
                if test:
                    found = [i for i, value in column.items() if test(value)]
                    return list(dict.fromkeys((*found, *unsettled)))
        return None


def _test(wish: object, *, equal_only: bool) -> Callable[[Any], bool] | None:
    match wish:
        case str() | int():
            return lambda value: bool(value == wish)
        case {**limits} if limits and not equal_only and set(limits) <= set(_COMPARE):
            pairs = [(_COMPARE[str(op)], limit) for op, limit in limits.items()]
            return lambda value: all(compare(value, limit) for compare, limit in pairs)
        case _:
            return None
