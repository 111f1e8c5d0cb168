"""`python -m bff`: serve until SIGTERM or SIGINT, then drain."""

import sys

from bff import app
from bff.settings import Settings
from kite import process
from kite.telemetry import logs

_log = logs.get("bff")


async def serve(settings: Settings, stop: process.Stop) -> None:
    try:
        running = await app.serve(settings)
    except OSError:
        raise process.CannotListen(settings.bff_listen) from None
    _log.info("ready", listen=f"{settings.host}:{running.port}", auth=settings.auth)
    await stop.wait()
    _log.info("draining")
    await running.stop()


if __name__ == "__main__":
    sys.exit(process.run("bff", Settings, serve))
