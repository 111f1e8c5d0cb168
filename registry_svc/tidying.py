"""What the registry does by itself: deliver what was left, forget what is over, say how it is."""

import asyncio
from dataclasses import replace

from kite.errors import KiteError
from kite.rpc.server import RpcServer
from kite.telemetry import logs
from registry_svc import leases
from registry_svc.store import Store
from registry_svc.threads import Threads
from registry_svc.timekeeping import StoreTime

_log = logs.get(__name__)
AT_ONCE = 200
HEALTH_SECONDS = 2.0


def tidy(store: Store, now_ms: int) -> int:
    """One round; answers how many things were done. Several processes may do it at once."""
    left = store.untold(limit=AT_ONCE)
    for record in left:
        store.deliver(record)
    over = store.expired(now_ms, limit=AT_ONCE)
    for cluster_id in over:
        store.forget(cluster_id)
    mended = _mend_due(store, now_ms)
    return len(left) + len(over) + mended + store.tidy_keys(now_ms)


def _mend_due(store: Store, now_ms: int) -> int:
    """Nobody may ask for so late a look: the clock has jumped back since; look now."""
    late = store.far_off(now_ms + leases.LONGEST_MS, limit=AT_ONCE)
    for record in late:
        store.swap(record, replace(record, due_at_ms=now_ms), visible=False)
    return len(late)


async def tidy_for_ever(store: Store, threads: Threads, time: StoreTime, *, seconds: float) -> None:
    while True:
        try:
            await threads.run(time.look)
            await threads.run(tidy, store, time.now_ms())
        except KiteError as failed:
            _log.warning("tidying failed", reason=failed.reason)
        except Exception:  # noqa: BLE001 - a record that nobody can read ends no registry
            _log.exception("tidying hit a defect; the next round tries again")
        await asyncio.sleep(seconds)


async def watch_health(
    store: Store, threads: Threads, server: RpcServer, *, seconds: float = HEALTH_SECONDS
) -> None:
    """SERVING while the store can be read; refusing at once while it cannot."""
    serving = True
    while True:
        await asyncio.sleep(seconds)
        try:
            await threads.submit(store.ping)
            readable = True
        except KiteError as failed:
            readable = False
            _log.warning("the store cannot be read", reason=failed.reason)
        except Exception:  # noqa: BLE001 - as above
            readable = False
            _log.exception("the look at the store hit a defect")
        threads.away(away=not readable)
        if readable != serving:
            serving = readable
            await server.set_serving(serving=serving)
