"""The registry's time: one clock for all who share the records, which never jumps back.

Leases and due times are compared by this clock alone. It is the database's where there is one, so
that registries on machines whose clocks differ agree; else this machine's, followed forwards only.
Between two looks it runs by the monotonic clock.
"""

from kite.clock import Clock
from registry_svc.store import Store


class StoreTime:
    """A Clock. `look` asks again (blocking; may raise Unavailable)."""

    def __init__(self, store: Store, own: Clock) -> None:
        self._store = store
        self._own = own
        self._ahead = own.now_ms() - self._elapsed()
        self.look()

    def _elapsed(self) -> int:
        return round(self._own.monotonic() * 1000)

    def now_ms(self) -> int:
        if not self._store.shared:
            # A machine that slept, or was put right: its monotonic clock knows nothing of it.
            self._ahead = max(self._ahead, self._own.now_ms() - self._elapsed())
        return self._elapsed() + self._ahead

    def monotonic(self) -> float:
        return self._own.monotonic()

    def look(self) -> None:
        before = self._elapsed()
        told = self._store.time_ms()
        if told is not None:
            self._ahead = told - (before + self._elapsed()) // 2
