"""Operations: requests that take time, to follow or to wait for."""

from aiohttp import web

from bff import asked, holding, json_in, json_out
from bff.routes.answers import granted
from bff.routes.route import backends_of, query_of, segment, user_of, wait_of
from kite.v1 import operation_pb2


async def read(request: web.Request) -> web.Response:
    """The operation now, or when it ended, or after `wait` seconds."""
    wait = wait_of(request)
    message = operation_pb2.GetOperationRequest(
        user=user_of(request), operation_id=segment(request, "id")
    )
    found = (await backends_of(request).operations.GetOperation(message)).operation
    latest = await holding.until_ended(backends_of(request), found, wait.seconds)
    return web.json_response(json_out.operation(latest), headers=granted(wait))


async def listing(request: web.Request) -> web.Response:
    page = asked.page(request.query)
    query = query_of(request)
    named = any(key in query for key in json_in.NAME_SPELLINGS)
    message = operation_pb2.ListOperationsRequest(
        user=user_of(request),
        milvus_name=json_in.cluster_name(query) if named else "",
        page_size=page.size,
        page_token=page.token,
    )
    answer = await backends_of(request).operations.ListOperations(message)
    return web.json_response(json_out.operations(answer))
