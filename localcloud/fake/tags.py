"""Tags of everything, found by resource and by pair. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

_NONE: Mapping[str, str] = {}


class TagBook:
    """Both ways at once, so that a lookup by tag costs what it finds."""

    def __init__(self) -> None:
        self._held: dict[str, dict[str, str]] = {}
        self._by_pair: dict[tuple[str, str], dict[str, None]] = {}

    def of(self, resource_id: str) -> Mapping[str, str]:
        return self._held.get(resource_id, _NONE)

    def with_pair(self, key: str, value: str) -> Iterable[str]:
        """Ids of everything that carries exactly this tag."""
        return self._by_pair.get((key, value), ())

    def put(self, resource_id: str, tags: Mapping[str, str]) -> None:
        held = self._held.setdefault(resource_id, {})
        for key, value in tags.items():
            if key in held:
                self._drop(resource_id, key)
            held[key] = value
            self._by_pair.setdefault((key, value), {})[resource_id] = None

    def take(self, resource_id: str, key: str, value: str | None) -> None:
        """Take a tag away; with a value only when it has that one."""
        held = self._held.get(resource_id, _NONE)
        if key in held and value in {None, held[key]}:
            self._drop(resource_id, key)

    def forget(self, resource_id: str) -> None:
        for key in list(self.of(resource_id)):
            self._drop(resource_id, key)
        self._held.pop(resource_id, None)

    def all(self) -> Iterable[tuple[str, str, str]]:
        """(resource, key, value) of every tag."""
        return ((one, k, v) for one, held in self._held.items() for k, v in held.items())

    def _drop(self, resource_id: str, key: str) -> None:
        value = self._held[resource_id].pop(key)
        ids = self._by_pair[key, value]
        ids.pop(resource_id, None)
        if not ids:
            del self._by_pair[key, value]
