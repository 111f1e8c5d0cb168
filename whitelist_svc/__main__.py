"""`python -m whitelist_svc`: serve until SIGTERM or SIGINT, then drain."""

import sys

from kite import process
from kite.rpc.server import RpcServer
from whitelist_svc import app
from whitelist_svc.settings import Settings


async def serve(settings: Settings, stop: process.Stop) -> None:
    built = app.build(settings)
    server = RpcServer(settings.whitelist_listen)
    built.add_to(server)
    try:
        work = (built.mender.run(), built.sweeper.run())
        await server.serve(stop, *work, install=settings.install)
    finally:
        await built.close()


if __name__ == "__main__":
    sys.exit(process.run("whitelist", Settings, serve))
