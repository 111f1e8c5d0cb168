"""`python -m whitelist_svc`: serve until SIGTERM or SIGINT, then drain."""

import asyncio
import contextlib
import signal
import sys

from kite.rpc.server import RpcServer
from kite.settings import SettingsRefused, load
from kite.telemetry import logs
from whitelist_svc import app
from whitelist_svc.settings import Settings

_log = logs.get("whitelist_svc")


async def serve(settings: Settings) -> None:
    """Wire, run, drain."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    built = app.build(settings)
    server = RpcServer(settings.whitelist_listen)
    built.add_to(server)
    port = await server.start()
    mending = asyncio.create_task(built.mender.run())
    if not settings.whitelist_control_cidrs:
        _log.warning("KITE_WHITELIST_CONTROL_CIDRS is empty: Kite cannot reach its hosts")
    _log.info("ready", listen=settings.whitelist_listen, port=port, install=settings.install)
    await stop.wait()
    _log.info("draining")
    mending.cancel()
    await server.drain()
    with contextlib.suppress(asyncio.CancelledError):
        await mending
    await built.close()


def main() -> int:
    """0 after a drain, 1 when the service could not start."""
    try:
        settings = load(Settings)
    except SettingsRefused as refused:
        sys.stderr.write(f"{refused}\n")
        return 1
    logs.start("whitelist", level=settings.log_level, form=settings.log_format)
    try:
        asyncio.run(serve(settings))
    except RuntimeError as refused:
        sys.stderr.write(f"cannot listen on {settings.whitelist_listen}: {refused}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
