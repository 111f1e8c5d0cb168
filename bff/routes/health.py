"""Is this process alive, and can it serve."""

from aiohttp import web

from bff.routes.route import backends_of


async def alive(_request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


async def ready(request: web.Request) -> web.Response:
    """200 when all three services say SERVING, else 503 naming those that do not."""
    serving = await backends_of(request).health()
    services = {name: "serving" if up else "away" for name, up in serving.items()}
    up = all(serving.values())
    body = {"status": "ok" if up else "not-ready", "services": services}
    return web.json_response(body, status=200 if up else 503)
