"""`python -m registry_svc`: serve until SIGTERM or SIGINT, then drain."""

import sys
from contextlib import closing

from kite import process
from kite.clock import SystemClock
from kite.errors import Unavailable
from kite.rpc.server import RpcServer
from registry_svc.app import assemble
from registry_svc.engine import StoreRefused
from registry_svc.plans import CatalogueRefused
from registry_svc.settings import Settings
from registry_svc.store import Store, open_store
from registry_svc.tidying import tidy_for_ever, watch_health


async def serve(settings: Settings, stop: process.Stop) -> None:
    with closing(open_store(settings)) as store:
        await _serve(settings, store, stop)


async def _serve(settings: Settings, store: Store, stop: process.Stop) -> None:
    app = assemble(store, settings, SystemClock())
    server = RpcServer(settings.registry_listen)
    for part in app.parts:
        server.add(*part)
    kept = "MongoDB" if store.shared else f"embedded in {settings.registry_folder} (one process)"
    try:
        await server.serve(
            stop,
            watch_health(store, app.threads, server),
            tidy_for_ever(store, app.threads, app.time, seconds=settings.registry_tidy_seconds),
            draining=app.broadcast.stop,
            store=kept,
        )
    finally:
        app.threads.close()


if __name__ == "__main__":
    refusals = (StoreRefused, CatalogueRefused, Unavailable)
    sys.exit(process.run("registry", Settings, serve, refusals=refusals))
