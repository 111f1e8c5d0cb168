"""EC2's query protocol: form bodies in, form bodies and XML errors out.

Decoding and encoding use the service model shipped with botocore, so names and nesting are
those of the published API.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import replace
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlencode
from xml.sax.saxutils import escape

from localcloud.strict.call import Call, Params, Refusal, Reply

FORM = "application/x-www-form-urlencoded"
VERSION = "2016-11-15"
XML = (("Content-Type", "text/xml;charset=UTF-8"),)
_CODE = re.compile(rb"<Code>([^<]+)</Code>")
_NOT_XML = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")
_SCOPE = re.compile(r"Credential=([^/,]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")


def signed_for(authorization: str) -> tuple[str, str, str]:
    """(access key, region, service) out of a SigV4 header; empty strings when there is none."""
    found = _SCOPE.search(authorization)
    return (found[1], found[2], found[3]) if found else ("", "", "")


def form_of(body: bytes) -> dict[str, str]:
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


@cache
def _service() -> Any:
    from moto.core.utils import get_service_model

    return get_service_model("ec2")


@cache
def _serializer() -> Any:
    from botocore.serialize import create_serializer

    return create_serializer("ec2", include_validation=False)


def decode(form: dict[str, str], *, account: str, region: str) -> Call:
    """Read one request. Raises Refusal for an unknown action or a value of the wrong kind."""
    from botocore.model import OperationNotFoundError
    from moto.core.parse import PROTOCOL_PARSERS
    from werkzeug.datastructures import MultiDict

    action = form.get("Action", "")
    try:
        operation = _service().operation_model(action)
    except OperationNotFoundError as error:
        raise Refusal(
            "InvalidAction", f"The action {action} is not valid for this web service."
        ) from error
    request: Any = {
        "method": "POST",
        "values": MultiDict(form),
        "headers": {},
        "body": b"",
        "url_path": "/",
        "url_params": {},
    }
    try:
        values = PROTOCOL_PARSERS["ec2"](operation, map_type=dict).parse(request)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Refusal("InvalidParameterValue", f"A parameter is not readable: {error}") from error
    return Call(action, Params(values), account, region)


def encode(call: Call) -> bytes:
    """The form body of a call, as an SDK would send it."""
    operation = _service().operation_model(call.action)
    request = _serializer().serialize_to_request(dict(call.params.values), operation)
    return urlencode(request["body"]).encode()


def refusal_reply(refusal: Refusal) -> Reply:
    """The error document of EC2, with a request id of its own."""
    request_id = uuid.uuid4()
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Response><Errors><Error><Code>{escape(refusal.code)}</Code>"
        f"<Message>{escape(_NOT_XML.sub('?', refusal.message))}</Message></Error></Errors>"
        f"<RequestID>{request_id}</RequestID></Response>"
    )
    return Reply(refusal.status, body.encode(), refusal.code, XML)


def accepted(call: Call) -> Reply:
    """The answer of an action that says no more than that it was taken."""
    body = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<{call.action}Response '
        f'xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>{uuid.uuid4()}</requestId>'
        f"<return>true</return></{call.action}Response>"
    )
    return Reply(200, body.encode(), headers=XML)


def code_in(status: int, body: bytes) -> str:
    """`OK`, or the error code an EC2 error document names."""
    if status < 400:  # noqa: PLR2004 - HTTP
        return "OK"
    found = _CODE.search(body)
    return found[1].decode() if found else f"HTTP{status}"


def with_tag_set(reply: Reply, action: str, tags: list[tuple[str, str]]) -> Reply:
    """The reply of `action` with a tagSet at its end."""
    items = "".join(
        f"<item><key>{escape(key)}</key><value>{escape(value)}</value></item>"
        for key, value in tags
    )
    end = f"</{action}Response>".encode()
    body = reply.body.replace(end, f"<tagSet>{items}</tagSet>".encode() + end)
    return replace(reply, body=body)
