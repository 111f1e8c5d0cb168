"""A body off the wire: bounded in size and time, JSON and nothing else."""

import asyncio
import re

from aiohttp import web
from aiohttp.web_exceptions import HTTPRequestEntityTooLarge

from bff import seed_json, strict_json
from bff.strict_json import JsonObject
from kite.errors import InvalidRequest, Malformed

_JSON_TYPE = re.compile(
    r"application/(?:json|[a-z0-9.-]+\+json)\s*(?P<rest>(?:;.*)?)\Z", re.IGNORECASE
)
_UTF8 = re.compile(r"\s*;\s*charset\s*=\s*\"?utf-?8\"?\s*\Z", re.IGNORECASE)


async def receive(request: web.Request, *, most: int, seconds: float) -> bytes:
    """All bytes of the body.

    Raises:
        InvalidRequest: BODY_TOO_LARGE, TIMEOUT, ENCODING_NOT_SUPPORTED.
        Malformed: MALFORMED_HTTP when the body breaks off or its framing is wrong.
    """
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise InvalidRequest("send the body uncompressed", reason="ENCODING_NOT_SUPPORTED")
    too_large = InvalidRequest(f"the body is larger than {most} bytes", reason="BODY_TOO_LARGE")
    if (request.content_length or 0) > most:
        raise too_large
    try:
        async with asyncio.timeout(seconds):
            return await request.read()
    except TimeoutError:
        raise InvalidRequest(
            f"the body did not arrive within {seconds:g} seconds", reason="TIMEOUT"
        ) from None
    except HTTPRequestEntityTooLarge:
        raise too_large from None
    except web.RequestPayloadError:
        raise Malformed("the body's framing is broken", reason="MALFORMED_HTTP") from None


def content(raw: bytes, content_type: str, *, lenient: bool) -> JsonObject:
    """The object in a body; `lenient` also reads the seed's printed samples.

    Raises:
        InvalidRequest: JSON_EXPECTED, OBJECT_EXPECTED, INVALID_STRING.
        Malformed: see strict_json.
    """
    _check_type(content_type)
    text = strict_json.text_of(raw)
    return seed_json.read(text) if lenient else strict_json.parse(text)


def _check_type(content_type: str) -> None:
    """JSON in UTF-8 or nothing said; parameters other than charset are passed over."""
    if not content_type:
        return
    found = _JSON_TYPE.match(content_type)
    if not found or ("charset" in found["rest"].lower() and not _UTF8.match(found["rest"])):
        raise InvalidRequest("send Content-Type: application/json (UTF-8)", reason="JSON_EXPECTED")
