"""`python -m provisioner`: serve until SIGTERM or SIGINT, then drain."""

import asyncio
import contextlib
import signal
import sys

from kite.rpc.server import RpcServer
from kite.settings import SettingsRefused, load
from kite.telemetry import logs
from provisioner import app
from provisioner.settings import Settings

_log = logs.get("provisioner")


async def serve(settings: Settings) -> None:
    """Wire, run, drain. The port is open before the EC2 client is built."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    built = app.build(settings)
    server = RpcServer(settings.provisioner_listen)
    built.add_to(server)
    port = await server.start()
    built.ec2.begin()
    looping = asyncio.create_task(built.loop.run())
    looping.add_done_callback(lambda _: stop.set())
    _log.info("ready", listen=settings.provisioner_listen, port=port, install=settings.install)
    await stop.wait()
    _log.info("draining")
    looping.cancel()
    await server.drain()
    with contextlib.suppress(asyncio.CancelledError):
        await looping
    await built.close()


def main() -> int:
    """0 after a drain, 1 when the service could not start."""
    try:
        settings = load(Settings)
    except SettingsRefused as refused:
        sys.stderr.write(f"{refused}\n")
        return 1
    logs.start("provisioner", level=settings.log_level, form=settings.log_format)
    try:
        asyncio.run(serve(settings))
    except RuntimeError as refused:
        sys.stderr.write(f"cannot listen on {settings.provisioner_listen}: {refused}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
