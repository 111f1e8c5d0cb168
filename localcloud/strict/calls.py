"""A log of every EC2 call seen: what, when, how it ended. Never holds secrets or user data."""

from __future__ import annotations

import threading
from collections import Counter, deque
from dataclasses import dataclass

from localcloud.strict.call import Call, walk

_SECRET = frozenset({"UserData", "PublicKeyMaterial"})
_LONGEST = 300
_KEPT = 20_000


@dataclass(frozen=True, slots=True)
class Seen:
    """One call. `at` is epoch seconds; `code` is `OK`, an EC2 code, or `dropped`."""

    number: int
    at: float
    action: str
    describing: bool
    region: str
    summary: str
    code: str


def summary_of(call: Call) -> str:
    """`name=value` pairs, secrets left out, cut at 300 characters."""
    pairs = (f"{n}={v}" for n, v in walk(call.params.values) if n not in _SECRET)
    return " ".join(pairs)[:_LONGEST]


class CallLog:
    """The newest 20,000 calls and exact counts of all. Safe to read from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: deque[Seen] = deque(maxlen=_KEPT)
        self._counts: Counter[str] = Counter()
        self._codes: Counter[str] = Counter()
        self._writing = self._describing = self._number = 0

    def note(self, call: Call, at: float, code: str) -> None:
        with self._lock:
            self._number += 1
            describing = call.describing
            self._seen.append(
                Seen(self._number, at, call.action, describing, call.region, summary_of(call), code)
            )
            self._counts[call.action] += 1
            self._codes[code] += 1
            self._describing += describing
            self._writing += not describing

    def all(self, *, since: int = 0, action: str = "") -> list[Seen]:
        """Calls numbered above `since`, oldest first."""
        with self._lock:
            return [
                s for s in self._seen if s.number > since and (not action or s.action == action)
            ]

    def count(self, action: str = "") -> int:
        """How often `action` was called; of all actions when none is named."""
        with self._lock:
            return self._counts[action] if action else self._writing + self._describing

    def by_action(self) -> dict[str, int]:
        with self._lock:
            return dict(self._counts)

    def by_code(self) -> dict[str, int]:
        """How calls ended: `OK`, EC2's codes, `dropped`."""
        with self._lock:
            return dict(self._codes)

    @property
    def writing(self) -> int:
        return self._writing

    @property
    def describing(self) -> int:
        return self._describing

    @property
    def last(self) -> int:
        """The newest number: pass it as `since` to read only what comes after."""
        return self._number

    def clear(self) -> None:
        with self._lock:
            self._seen.clear()
            self._counts.clear()
            self._codes.clear()
            self._writing = self._describing = 0
