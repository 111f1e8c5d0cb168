"""Answers to what takes time."""

from aiohttp import web

from bff.asked import Wait
from bff.strict_json import JsonObject
from kite.v1 import operation_pb2


def answered(
    body: JsonObject, status: int, operation: operation_pb2.Operation, wait: Wait
) -> web.Response:
    """`body` with the place to follow the operation at, and whether a wait was granted."""
    headers = {"Location": f"/v1/operations/{operation.operation_id}", **granted(wait)}
    return web.json_response(body, status=status, headers=headers)


def granted(wait: Wait) -> dict[str, str]:
    """What Prefer asked for and got (RFC 7240)."""
    return {"Preference-Applied": f"wait={wait.seconds}"} if wait.preferred else {}
