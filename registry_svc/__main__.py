"""Start the registry: `python -m registry_svc`."""

import asyncio
import contextlib
import signal
import sys

from kite.clock import SystemClock
from kite.rpc.server import RpcServer
from kite.settings import SettingsRefused, load
from kite.telemetry import logs
from registry_svc.app import assemble
from registry_svc.engine import StoreRefused
from registry_svc.plans import CatalogueRefused
from registry_svc.settings import Settings
from registry_svc.store import Store, open_store
from registry_svc.tidying import tidy_for_ever, watch_health


async def serve(settings: Settings, store: Store) -> None:
    """Until SIGTERM or SIGINT, then drain."""
    log = logs.get("registry_svc")
    clock = SystemClock()
    app = assemble(store, settings, clock)
    server = RpcServer(settings.registry_listen)
    for part in app.parts:
        server.add(*part)
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    port = await server.start()
    kept = "MongoDB" if store.shared else f"embedded in {settings.registry_folder} (one process)"
    log.info("ready", port=port, store=kept)
    beside = (
        asyncio.create_task(watch_health(store, app.threads, server)),
        asyncio.create_task(
            tidy_for_ever(store, app.threads, clock, seconds=settings.registry_tidy_seconds)
        ),
    )
    await stop.wait()
    log.info("draining")
    for task in beside:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    app.broadcast.stop()
    await server.drain()
    app.threads.close()


def main() -> int:
    try:
        settings = load(Settings)
        logs.start("registry", level=settings.log_level, form=settings.log_format)
        store = open_store(settings)
    except (SettingsRefused, StoreRefused) as refused:
        sys.stderr.write(f"registry: {refused}\n")
        return 1
    try:
        asyncio.run(serve(settings, store))
    except (CatalogueRefused, RuntimeError) as refused:
        sys.stderr.write(f"registry: {refused}\n")
        return 1
    finally:
        store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
