"""What can be asked for, and who is asking: plans and the caller's own address."""

from aiohttp import web

from bff import json_out
from bff.edge import source
from bff.routes.route import backends_of, settings_of
from bff.settings import words
from kite.v1 import registry_pb2


async def plans(request: web.Request) -> web.Response:
    answer = await backends_of(request).registry.ListPlans(registry_pb2.ListPlansRequest())
    return web.json_response(json_out.plans(answer))


async def source_ip(request: web.Request) -> web.Response:
    """The caller's address as a whitelist entry, so that nobody needs to look it up elsewhere."""
    address = source.address(
        request.remote or "",
        request.headers.getall("X-Forwarded-For", []),
        source.networks(words(settings_of(request).bff_trusted_proxies)),
    )
    return web.json_response({"source-ip": source.as_range(address)})
