"""Public addresses from one range, first in first out: a freed one waits longest. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from ipaddress import IPv4Address, IPv4Network


class PoolEmpty(Exception):
    """Every address of the range is in use."""


class AddressPool:
    """Hands out the host addresses of a range in order; freed ones join the end of the queue."""

    def __init__(self, network: IPv4Network) -> None:
        self.network = network
        edges = 0 if network.prefixlen >= 31 else 1  # noqa: PLR2004 - such ranges have no edges
        self._first = int(network.network_address) + edges
        self._last = int(network.broadcast_address) - edges
        self.reset()

    def reset(self) -> None:
        self._fresh = self._first
        self._claimed: set[str] = set()
        self._freed: deque[str] = deque()
        self._taken: set[str] = set()

    def take(self) -> str:
        """The next address. Raises PoolEmpty."""
        while self._fresh <= self._last:
            address = str(IPv4Address(self._fresh))
            self._fresh += 1
            if address not in self._claimed:
                self._taken.add(address)
                return address
        if not self._freed:
            raise PoolEmpty(f"all {len(self._taken)} addresses of {self.network} are in use")
        address = self._freed.popleft()
        self._taken.add(address)
        return address

    def claim(self, address: str) -> bool:
        """Take one certain address; False when it is not of the range or not free."""
        try:
            number = int(IPv4Address(address))
        except ValueError:
            return False
        if address in self._taken or not self._first <= number <= self._last:
            return False
        if address in self._freed:
            self._freed.remove(address)
        else:
            self._claimed.add(address)
        self._taken.add(address)
        return True

    def give(self, address: str) -> None:
        """Free one address; one that is not taken is passed over."""
        if address in self._taken:
            self._taken.remove(address)
            self._freed.append(address)

    def keep_only(self, used: Collection[str]) -> None:
        """Free every taken address that is not in `used`."""
        for address in sorted(self._taken.difference(used)):
            self.give(address)

    @property
    def free(self) -> int:
        return self._last - self._first + 1 - len(self._taken)
