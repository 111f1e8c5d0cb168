"""EC2's XML out of plain values."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from xml.sax.saxutils import escape

from localcloud.strict.call import Reply
from localcloud.strict.wire import XML

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


class Ready(str):
    """XML that is ready: goes in as it is."""

    __slots__ = ()


def xml(values: Mapping[str, object]) -> Ready:
    """Elements by name: mappings nest, lists become items, None is left out."""
    return Ready("".join(_element(name, value) for name, value in values.items()))


def _element(name: str, value: object) -> str:
    match value:
        case None:
            return ""
        case Ready():
            text: str = value
        case bool():
            text = "true" if value else "false"
        case Mapping():
            text = xml(value)
        case list() | tuple():
            text = "".join(_element("item", one) for one in value)
        case _:
            text = escape(str(value))
    return f"<{name}>{text}</{name}>"


def items(parts: list[str]) -> Ready:
    """Ready entries of a list, each in its item."""
    return Ready("".join(f"<item>{part}</item>" for part in parts))


def reply(action: str, values: Mapping[str, object]) -> Reply:
    """The answer of an action."""
    body = (
        f'{_HEAD}<{action}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">'
        f"<requestId>{uuid.uuid4()}</requestId>{xml(values)}</{action}Response>"
    )
    return Reply(200, body.encode(), headers=XML)


def moment(seconds: float) -> str:
    """A time as EC2 writes it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
