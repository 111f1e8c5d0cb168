"""Page tokens, opaque to callers and checked when they come back; sizes, in entries and bytes.

A page may be shorter than was asked for; its token alone says whether there is more. Pure.
"""

import base64
import binascii
import re
from collections.abc import Iterable

from kite.errors import InvalidRequest

USUAL, LARGEST = 100, 500
# Half of what a message may have (kite.rpc.client.MAX_MESSAGE_BYTES): room for an entry that is
# larger than all others, and for what stands round the entries.
LARGEST_BYTES = 2 << 20
_NUMBER = re.compile("0|[1-9][0-9]{0,18}")
_LARGEST_NUMBER = 2**63 - 1


def size(wished: int) -> int:
    """Entries of a page; 0 = the usual number.

    Raises:
        InvalidRequest: INVALID_PAGE_SIZE.
    """
    if not 0 <= wished <= LARGEST:
        raise InvalidRequest(
            f"page_size must be 0 to {LARGEST}, not {wished}",
            reason="INVALID_PAGE_SIZE",
            field="/page_size",
        )
    return wished or USUAL


def fitting(sizes: Iterable[int], *, most: int) -> int:
    """How many of entries of these sizes (bytes), in order, make a page: one at least, if any."""
    count = together = 0
    for one in sizes:
        together += one
        if count == most or (count and together > LARGEST_BYTES):
            break
        count += 1
    return count


def token(*parts: str) -> str:
    """A token that read() takes apart again; parts hold no line break."""
    return base64.urlsafe_b64encode("\n".join(parts).encode()).decode().rstrip("=")


def read(text: str, *, parts: int) -> tuple[str, ...]:
    """What token() was given.

    Raises:
        InvalidRequest: INVALID_PAGE_TOKEN.
    """
    try:
        padded = text + "=" * (-len(text) % 4)
        found = tuple(base64.b64decode(padded, altchars=b"-_", validate=True).decode().split("\n"))
    except (binascii.Error, UnicodeDecodeError, ValueError):
        found = ()
    if len(found) != parts:
        raise invalid()
    return found


def number(text: str) -> int:
    """The number in a part, as str() writes it and a database of 64 bits takes it.

    Raises:
        InvalidRequest: INVALID_PAGE_TOKEN.
    """
    if not _NUMBER.fullmatch(text) or int(text) > _LARGEST_NUMBER:
        raise invalid()
    return int(text)


def invalid() -> InvalidRequest:
    return InvalidRequest(
        "page_token is not one that this service gave out; start from the first page",
        reason="INVALID_PAGE_TOKEN",
        field="/page_token",
    )
