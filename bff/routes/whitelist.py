"""Read and replace the whitelist, in the seed's form and as a resource of its cluster."""

from aiohttp import web

from bff import asked, json_in, json_out
from bff.json_in import Wished
from bff.routes.route import (
    REQUEST_ID,
    backends_of,
    body_of,
    body_or_nothing,
    name_of,
    query_of,
    user_of,
)
from bff.strict_json import JsonObject
from kite.v1 import whitelist_pb2


async def replace_seed(request: web.Request) -> web.Response:
    """Set; answers with `ip-ranges` as the request wrote them."""
    body = body_of(request)
    name, wished = json_in.cluster_name(body), json_in.whitelist(body, named=True)
    answer = await _set(request, name, wished)
    listed = json_out.seed_whitelist(wished.ranges, answer.rules)
    return _answer({**_document(name, answer), "ip-ranges": listed}, answer.revision)


async def read_seed(request: web.Request) -> web.Response:
    name = json_in.only_name(body_or_nothing(request), query_of(request))
    answer = await _get(request, name)
    body = _present(name, answer)
    listed = json_out.seed_whitelist([], answer.rules)
    return _answer({**body, "ip-ranges": listed}, answer.revision)


async def replace(request: web.Request) -> web.Response:
    name = name_of(request)
    answer = await _set(request, name, json_in.whitelist(body_of(request), named=False))
    return _answer(_document(name, answer), answer.revision)


async def read(request: web.Request) -> web.Response:
    name = name_of(request)
    answer = await _get(request, name)
    tag = f'"{answer.revision}"'
    if asked.known_already(tag, request.headers.getall("If-None-Match", [])):
        return web.Response(status=304, headers={"ETag": tag})
    return _answer(_present(name, answer), answer.revision)


def _present(name: str, answer: whitelist_pb2.GetRulesResponse) -> JsonObject:
    return json_out.whitelist(name, answer.rules, answer.revision)


def _document(name: str, answer: whitelist_pb2.SetRulesResponse) -> JsonObject:
    body = json_out.whitelist(name, answer.rules, answer.revision, answer.notices)
    return {**body, "operation-id": answer.operation.operation_id}


def _answer(body: JsonObject, revision: int) -> web.Response:
    """A whitelist never set has no revision to insist on: 0 means "any" behind the edge."""
    headers = {"ETag": f'"{revision}"'} if revision else {}
    return web.json_response(body, headers=headers)


async def _set(request: web.Request, name: str, wished: Wished) -> whitelist_pb2.SetRulesResponse:
    message = whitelist_pb2.SetRulesRequest(
        user=user_of(request),
        milvus_name=name,
        ranges=wished.ranges,
        expected_revision=asked.revision(request.headers.getall("If-Match", [])),
        allow_public=wished.allow_public,
        request_id=request[REQUEST_ID],
    )
    return await backends_of(request).whitelist.SetRules(message)


async def _get(request: web.Request, name: str) -> whitelist_pb2.GetRulesResponse:
    message = whitelist_pb2.GetRulesRequest(user=user_of(request), milvus_name=name)
    return await backends_of(request).whitelist.GetRules(message)
