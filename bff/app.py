"""The application: middlewares in order, routes, backends for as long as it lives."""

import asyncio
import resource
from collections.abc import AsyncIterator
from dataclasses import dataclass

from aiohttp import web

from bff.backends import open_backends
from bff.edge import middlewares
from bff.edge.connection import Runner
from bff.edge.identity import Identity
from bff.edge.limits import Places, Rate
from bff.edge.middlewares import GATE, Gate
from bff.routes.route import BACKENDS, CLOCK, SETTINGS, STOPPING
from bff.routes.table import ROUTES
from bff.settings import Auth, Settings
from kite.clock import Clock, SystemClock
from kite.telemetry import logs

_log = logs.get(__name__)
KEEPALIVE_SECONDS = 75.0
LINGER_SECONDS = 2.0
MAX_LINE = 8190
BACKLOG = 1024
OTHER_FILES = 100  # open beside the connections


def build(settings: Settings, clock: Clock | None = None, *, warm: bool = False) -> web.Application:
    """The whole edge; backends are opened at start-up and closed at the end.

    `warm` = ask about every plan before somebody wants one.
    """
    app = web.Application(
        middlewares=[
            middlewares.named,
            middlewares.logged,
            middlewares.faced,
            middlewares.identified,
            middlewares.limited,
            middlewares.checked,
        ],
        client_max_size=settings.bff_body_bytes,
    )
    app[SETTINGS] = settings
    app[CLOCK] = clock or SystemClock()
    app[GATE] = _gate(settings, app[CLOCK])
    for route in ROUTES:
        app.router.add_route(route.method, route.path, route.handler)
        if route.method == "GET" and not route.streams:
            app.router.add_route("HEAD", route.path, route.handler)
    app.on_response_prepare.append(middlewares.sign_answer)
    app[STOPPING] = asyncio.Event()
    app.on_shutdown.append(_say_stopping)
    app.cleanup_ctx.append(_backends)
    if warm:
        app.cleanup_ctx.append(_warmed)
    return app


def _gate(settings: Settings, clock: Clock) -> Gate:
    return Gate(
        routes={(route.method, route.path): route for route in ROUTES},
        identity=Identity(settings, clock),
        rate=Rate(clock, per_minute=settings.bff_rate_per_minute, burst=settings.bff_burst),
        endpoint_rate=Rate(
            clock,
            per_minute=settings.bff_endpoints_per_minute,
            burst=settings.bff_endpoints_per_minute,
        ),
        bodies=Places(
            "bodies on their way", per_user=settings.bff_bodies, all_users=settings.bff_bodies
        ),
        places=Places(
            "requests",
            per_user=settings.bff_concurrent_per_user,
            all_users=settings.bff_concurrent,
        ),
        held=Places(
            "held requests", per_user=settings.bff_held_per_user, all_users=settings.bff_held
        ),
        streams=Places(
            "event streams", per_user=settings.bff_streams_per_user, all_users=settings.bff_streams
        ),
    )


async def _say_stopping(app: web.Application) -> None:
    """Streams end themselves; the rest gets the drain time."""
    app[STOPPING].set()
    app[BACKENDS].news.wake_all()


async def _backends(app: web.Application) -> AsyncIterator[None]:
    app[BACKENDS] = open_backends(app[SETTINGS], app[CLOCK])
    yield
    await app[BACKENDS].close()


async def _warmed(app: web.Application) -> AsyncIterator[None]:
    warming = asyncio.create_task(app[BACKENDS].offers.warm())
    yield
    warming.cancel()
    await asyncio.wait([warming])


@dataclass(frozen=True, slots=True)
class Running:
    """A served application."""

    port: int
    runner: Runner

    async def stop(self) -> None:
        """Take no more connections, let running requests end, close what was opened."""
        await self.runner.cleanup()


def _make_room(files: int) -> None:
    """Let this process have as many open files as it may have connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = files if hard == resource.RLIM_INFINITY else min(files, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    if wanted < files:
        _log.warning("fewer open files than KITE_BFF_CONNECTIONS needs", may=wanted, needs=files)


async def serve(settings: Settings, clock: Clock | None = None, *, warm: bool = True) -> Running:
    """Bind and serve.

    Raises:
        OSError: the address cannot be bound.
    """
    if settings.auth is Auth.TRUSTED_HEADER:
        _log.warning(
            "TRUSTED-HEADER MODE: whoever can connect may be any user",
            listen=settings.bff_listen,
            instead="KITE_AUTH=signed-header",
        )
    _make_room(settings.bff_connections + OTHER_FILES)
    runner = Runner(
        build(settings, clock, warm=warm),
        drain_seconds=settings.bff_drain_seconds,
        head_seconds=settings.bff_header_seconds,
        send_seconds=settings.bff_send_seconds,
        most=settings.bff_connections,
        keepalive_timeout=KEEPALIVE_SECONDS,
        lingering_time=LINGER_SECONDS,
        auto_decompress=False,
        max_line_size=MAX_LINE,
        max_field_size=MAX_LINE,
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, settings.host, settings.port, backlog=BACKLOG)
        await site.start()
    except OSError:
        await runner.cleanup()
        raise
    return Running(int(runner.addresses[0][1]), runner)
