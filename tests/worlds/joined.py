"""Edge, registry and whitelist service in this process, joined by real sockets; EC2 is given."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bff.app import serve
from bff.settings import Settings
from kite.clock import SystemClock
from kite.rpc.server import RpcServer
from registry_svc.app import assemble
from registry_svc.settings import Settings as RegistrySettings
from registry_svc.store import open_store
from whitelist_svc import app as whitelist_app
from whitelist_svc.settings import Settings as WhitelistSettings

SECRET = "an install secret of tests"


@dataclass(frozen=True)
class Joined:
    """Port of the edge, and host:port of the services behind."""

    port: int
    registry: str
    whitelist: str


@asynccontextmanager
async def joined(
    folder: Path, ec2: str, *, clusters_per_user: int = 5, **edge: Any
) -> AsyncIterator[Joined]:
    """Serve until the block ends; `edge` are settings of the edge beside those a test needs."""
    kept = RegistrySettings(registry_folder=folder, registry_clusters_per_user=clusters_per_user)
    store = open_store(kept)
    registry = assemble(store, kept, SystemClock())
    servers = [RpcServer("127.0.0.1:0") for _ in range(2)]
    for part in registry.parts:
        servers[0].add(*part)
    registry_at = f"127.0.0.1:{await servers[0].start()}"
    whitelist = whitelist_app.build(
        WhitelistSettings(registry=registry_at, ec2_endpoint=ec2, region="us-east-1")
    )
    whitelist.add_to(servers[1])
    whitelist_at = f"127.0.0.1:{await servers[1].start()}"
    plain = {
        "secret": SECRET,
        "bff_listen": "127.0.0.1:0",
        "bff_url_seconds": 0,
        "bff_drain_seconds": 0.01,
        "bff_burst": 1_000_000,
        "registry": registry_at,
        "whitelist": whitelist_at,
        "provisioner": registry_at,
    }
    running = await serve(Settings(**(plain | edge)))
    yield Joined(running.port, registry_at, whitelist_at)
    await running.stop()
    registry.broadcast.stop()
    for server in reversed(servers):
        await server.drain(0)
    await whitelist.close()
    registry.threads.close()
    store.close()
