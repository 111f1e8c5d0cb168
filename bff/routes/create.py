"""Create a cluster: judged whole, stored once, answered with its address.

Ranges given with a create are judged by the whitelist service before anything is stored and go into
the record with the create, so a cluster is never half made: either it exists with its whitelist, or
nothing happened.
"""

from aiohttp import web

from bff import asked, holding, json_in, json_out
from bff.asked import Wait
from bff.backends import Backends
from bff.json_in import Create
from bff.routes.answers import answered
from bff.routes.route import (
    REQUEST_ID,
    backends_of,
    body_of,
    settings_of,
    user_of,
    wait_of,
)
from kite import secrets
from kite.errors import NotFound
from kite.rpc import caller
from kite.v1 import cluster_pb2, registry_pb2, whitelist_pb2


async def create(request: web.Request) -> web.Response:
    """Ask for a cluster; the answer is held for its address, and longer when told to."""
    wish, wait = json_in.create(body_of(request)), wait_of(request)
    backends = backends_of(request)
    rules = await _judged(backends, wish)
    await _check_offered(backends, user_of(request), wish)
    answer = await backends.registry.CreateCluster(_message(request, wish, rules))
    return await _answer(request, answer, wait)


async def _judged(backends: Backends, wish: Create) -> list[cluster_pb2.Rule]:
    """The ranges in canonical form; the whitelist service raises what is wrong with them."""
    if not wish.ranges:
        return []
    message = whitelist_pb2.CheckRulesRequest(ranges=wish.ranges, allow_public=wish.allow_public)
    return list((await backends.whitelist.CheckRules(message)).rules)


async def _check_offered(backends: Backends, user: str, wish: Create) -> None:
    """Refuse a new cluster of machines that cannot be had here; one that exists is no new one."""
    refusal = await backends.offers.refusal(wish.milvus_type)
    if refusal is None:
        return
    known = registry_pb2.GetClusterRequest(user=user, milvus_name=wish.name)
    try:
        await backends.registry.GetCluster(known)
    except NotFound:
        raise refusal from None


def _message(
    request: web.Request, wish: Create, rules: list[cluster_pb2.Rule]
) -> registry_pb2.CreateClusterRequest:
    return registry_pb2.CreateClusterRequest(
        user=user_of(request),
        milvus_name=wish.name,
        milvus_type=wish.milvus_type,
        disk_gib=wish.disk_gib,
        address_mode=wish.address_mode,
        idempotency_key=asked.idempotency_key(request.headers.getall("Idempotency-Key", [])),
        body_hash=wish.body_hash,
        request_id=request[REQUEST_ID],
        rules=rules,
        call_id=caller.new_call_id(),
    )


async def _answer(
    request: web.Request, answer: registry_pb2.CreateClusterResponse, wait: Wait
) -> web.Response:
    backends, settings = backends_of(request), settings_of(request)
    operation = await holding.until_ended(backends, answer.operation, wait.seconds)
    holding.check(operation)
    cluster = await holding.with_address(
        backends, answer.cluster, settings.bff_url_seconds, stale=wait.seconds > 0
    )
    password = _password(request, answer) if answer.created else ""
    body = json_out.created(cluster, operation, password=password)
    return answered(body, _status(answer, done=holding.succeeded(operation)), operation, wait)


def _status(answer: registry_pb2.CreateClusterResponse, *, done: bool) -> int:
    if not answer.created:
        return 200
    return 201 if done else 202


def _password(request: web.Request, answer: registry_pb2.CreateClusterResponse) -> str:
    install_secret = settings_of(request).secret.get_secret_value()
    return secrets.password(install_secret, answer.cluster.cluster_id)
