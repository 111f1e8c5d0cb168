"""Wire and run the edge until told to stop."""

import asyncio
import signal
import sys

from bff.app import serve
from bff.settings import Settings
from kite.settings import SettingsRefused, load
from kite.telemetry import logs


async def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then drain."""
    log = logs.get(__name__)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    running = await serve(settings)
    log.info("ready", listen=f"{settings.host}:{running.port}", auth=settings.auth)
    await stop.wait()
    log.info("stopping")
    await running.stop()


def main() -> int:
    try:
        settings = load(Settings)
    except SettingsRefused as refused:
        sys.stderr.write(f"{refused}\n")
        return 2
    logs.start("bff", level=settings.log_level, form=settings.log_format)
    try:
        asyncio.run(run(settings))
    except OSError as taken:
        sys.stderr.write(f"KITE_BFF_LISTEN {settings.bff_listen}: {taken.strerror}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
