"""Taking things out of moto for the length of one call, and putting them back in place."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any


@contextmanager
def absent(backend: Any, ids: Collection[str]) -> Iterator[None]:
    """Moto does not know these ids meanwhile. What is made meanwhile stays."""
    with ExitStack() as stack:
        if any(one.startswith("i-") for one in ids):
            stack.enter_context(_instances(backend, ids))
        for held in (backend.volumes, backend.enis, backend.tags, *backend.groups.values()):
            stack.enter_context(_keys(held, ids))
        stack.enter_context(_addresses(backend, ids))
        yield


@contextmanager
def _instances(backend: Any, ids: Collection[str]) -> Iterator[None]:
    before = dict(backend.reservations)
    lists = {key: reservation.instances for key, reservation in before.items()}
    for key, reservation in before.items():
        reservation.instances = [i for i in lists[key] if i.id not in ids]
        if not reservation.instances:
            del backend.reservations[key]
    try:
        yield
    finally:
        made = {k: r for k, r in backend.reservations.items() if k not in before}
        for key, reservation in before.items():
            reservation.instances = lists[key]
        backend.reservations.clear()
        backend.reservations.update({**before, **made})


@contextmanager
def _keys(held: dict[str, Any], ids: Collection[str]) -> Iterator[None]:
    taken = {one: held.pop(one) for one in ids if one in held}
    try:
        yield
    finally:
        held.update(taken)


@contextmanager
def _addresses(backend: Any, ids: Collection[str]) -> Iterator[None]:
    taken = [address for address in backend.addresses if address.allocation_id in ids]
    for address in taken:
        backend.addresses.remove(address)
    try:
        yield
    finally:
        backend.addresses.extend(taken)
