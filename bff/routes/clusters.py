"""Read, list, delete clusters; where they answer."""

from aiohttp import web

from bff import asked, holding, json_in, json_out
from bff.routes.answers import answered, granted
from bff.routes.route import (
    REQUEST_ID,
    backends_of,
    body_of,
    body_or_nothing,
    name_of,
    query_of,
    user_of,
    wait_of,
)
from kite.errors import InvalidRequest, WrongState
from kite.v1 import cluster_pb2, registry_pb2

ENDPOINT_TYPES = ("public_endpoints", "host_endpoints")


async def delete_seed(request: web.Request) -> web.Response:
    name = json_in.only_name(body_or_nothing(request), query_of(request))
    return await _delete(request, name)


async def delete(request: web.Request) -> web.Response:
    return await _delete(request, name_of(request))


async def _delete(request: web.Request, name: str) -> web.Response:
    wait = wait_of(request)
    expected = asked.revision(request.headers.getall("If-Match", []))
    meant = await _found(request, name)
    message = registry_pb2.DeleteClusterRequest(
        user=user_of(request),
        milvus_name=name,
        request_id=request[REQUEST_ID],
        expected_rev=expected,
        cluster_id=meant.cluster_id,
    )
    answer = await backends_of(request).registry.DeleteCluster(message)
    operation = await holding.until_ended(backends_of(request), answer.operation, wait.seconds)
    holding.check(operation)
    over = holding.succeeded(operation)
    if over:
        answer.cluster.status.state = cluster_pb2.CLUSTER_STATE_DELETED
    body = json_out.accepted(answer.cluster, operation)
    return answered(body, 200 if over else 202, operation, wait)


async def read(request: web.Request) -> web.Response:
    """The cluster now, or when it rests, or after `wait` seconds."""
    wait = wait_of(request)
    found = await _found(request, name_of(request))
    cluster = await holding.until_at_rest(backends_of(request), found, wait.seconds)
    tag = f'"{cluster.rev}"'
    headers = {"ETag": tag, **granted(wait)}
    if asked.known_already(tag, request.headers.getall("If-None-Match", [])):
        return web.Response(status=304, headers=headers)
    return web.json_response(json_out.document(cluster), headers=headers)


async def listing(request: web.Request) -> web.Response:
    return await _listing(request, user_of(request))


async def listing_of_all(request: web.Request) -> web.Response:
    return await _listing(request, "")


async def _listing(request: web.Request, user: str) -> web.Response:
    page = asked.page(request.query)
    message = registry_pb2.ListClustersRequest(
        user=user, page_size=page.size, page_token=page.token
    )
    answer = await backends_of(request).registry.ListClusters(message)
    return web.json_response(json_out.listing(answer))


async def change(request: web.Request) -> web.Response:
    """Refuse the one change that will never be possible; say so in words."""
    wanted = json_in.changed_type(body_of(request))
    cluster = await _found(request, name_of(request))
    if wanted.lower() != cluster.spec.milvus_type.lower():
        raise WrongState(
            "milvus-type cannot change after create; make another cluster",
            reason="TYPE_IMMUTABLE",
            field="/milvus-type",
        )
    return web.json_response(json_out.document(cluster))


async def endpoints(request: web.Request) -> web.Response:
    kind = request.query.get("type", ENDPOINT_TYPES[0])
    if kind not in ENDPOINT_TYPES:
        raise InvalidRequest(
            f"type must be one of {', '.join(ENDPOINT_TYPES)}",
            reason="UNKNOWN_ENDPOINT_TYPE",
            field="/type",
        )
    cluster = await _found(request, name_of(request))
    if cluster.status.state != cluster_pb2.CLUSTER_STATE_RUNNING:
        status = json_out.cluster_status(cluster)
        raise WrongState(f"the cluster is {status}, not running", reason="NOT_RUNNING")
    return web.json_response(json_out.endpoints(cluster, kind))


async def _found(request: web.Request, name: str) -> cluster_pb2.Cluster:
    message = registry_pb2.GetClusterRequest(user=user_of(request), milvus_name=name)
    return (await backends_of(request).registry.GetCluster(message)).cluster
