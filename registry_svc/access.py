"""One document at a time, whatever the engine: read, insert, compare-and-set, delete."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from registry_svc.documents import Kind, checked
from registry_svc.engine import Engine, named
from registry_svc.record import Record

Listener = Callable[[Record], None]


class Access:
    """An engine behind failures with names, and whoever listens to changes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._listeners: list[Listener] = []
        self._mine = threading.local()

    @property
    def shared(self) -> bool:
        """Other processes may write to the same records."""
        return self._engine.shared

    def listen(self, listener: Listener) -> None:
        """Call `listener` (in the writing thread) after every change that a reader can see."""
        self._listeners.append(listener)

    @contextmanager
    def atomic(self) -> Iterator[None]:
        """Bracket of one use case: alone in the embedded store, merely in order over the wire."""
        outermost = not hasattr(self._mine, "changed")
        if outermost:
            self._mine.changed = []
        try:
            with named(), self._engine.atomic():
                yield
            changed = self._mine.changed if outermost else ()
        finally:
            if outermost:
                del self._mine.changed
        for record in changed:
            for listener in self._listeners:
                listener(record)

    def ping(self) -> None:
        """Read something (a bare ping would not need a login)."""
        self._one(self._engine.bound.clusters, {"_id": "none"})

    def time_ms(self) -> int | None:
        """The database's own clock; None when it has none."""
        with named():
            return self._engine.time_ms()

    def close(self) -> None:
        self._engine.close()

    def _one(self, kind: Kind, query: Mapping[str, object]) -> dict[str, Any] | None:
        with self.atomic():
            found: dict[str, Any] | None = kind.collection.find_one(query)
            return found

    def _many(
        self,
        kind: Kind,
        query: Mapping[str, object],
        *,
        order: Sequence[tuple[str, int]] = (),
        limit: int = 0,
    ) -> list[dict[str, Any]]:
        with self.atomic():
            return self._engine.find(kind, query, order, limit)

    def _insert(self, kind: Kind, content: Mapping[str, object]) -> None:
        with self.atomic():
            stored = checked(kind, content)
            self._engine.touch(kind.name, stored["_id"])
            kind.collection.insert_one(stored)

    def _replace(
        self, kind: Kind, content: Mapping[str, object], guard: Mapping[str, object]
    ) -> bool:
        with self.atomic():
            stored = checked(kind, content)
            self._engine.touch(kind.name, stored["_id"])
            done = kind.collection.replace_one({"_id": stored["_id"], **guard}, stored)
            return bool(done.matched_count)

    def _delete(self, kind: Kind, found: Iterable[str]) -> int:
        count = 0
        with self.atomic():
            for document_id in found:
                self._engine.touch(kind.name, document_id)
                count += kind.collection.delete_one({"_id": document_id}).deleted_count
        return count
