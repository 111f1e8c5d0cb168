"""Public addresses from one range, first in first out: a freed one waits longest. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from ipaddress import IPv4Network


class PoolEmpty(Exception):
    """Every address of the range is in use."""


class AddressPool:
    """Hands out the host addresses of a range in order; freed ones join the end of the queue."""

    def __init__(self, network: IPv4Network) -> None:
        self.network = network
        self._free: deque[str] = deque()
        self._taken: set[str] = set()
        self.reset()

    def reset(self) -> None:
        self._free = deque(str(address) for address in self.network.hosts())
        self._taken = set()

    def take(self) -> str:
        """The next address. Raises PoolEmpty."""
        if not self._free:
            raise PoolEmpty(f"all {len(self._taken)} addresses of {self.network} are in use")
        address = self._free.popleft()
        self._taken.add(address)
        return address

    def claim(self, address: str) -> bool:
        """Take one certain address; False when it is not of the range or not free."""
        if address not in self._free:
            return False
        self._free.remove(address)
        self._taken.add(address)
        return True

    def keep_only(self, used: Collection[str]) -> None:
        """Free every taken address that is not in `used`."""
        freed = sorted(self._taken.difference(used))
        self._taken.difference_update(freed)
        self._free.extend(freed)

    @property
    def free(self) -> int:
        return len(self._free)
