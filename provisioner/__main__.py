"""`python -m provisioner`: serve until SIGTERM or SIGINT, then drain."""

import sys

from kite import process
from kite.rpc.server import RpcServer
from provisioner import app
from provisioner.settings import Settings


async def serve(settings: Settings, stop: process.Stop) -> None:
    built = app.build(settings)
    server = RpcServer(settings.provisioner_listen)
    built.add_to(server)
    try:
        work = (built.loop.run(), built.sweeper.run())
        await server.serve(stop, *work, install=settings.install)
    finally:
        await built.close()


if __name__ == "__main__":
    sys.exit(process.run("provisioner", Settings, serve))
