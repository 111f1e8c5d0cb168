"""Page tokens and sizes: opaque to callers, checked when they come back. Pure."""

import base64
import binascii

from kite.errors import InvalidRequest

USUAL, LARGEST = 100, 500


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


def invalid() -> InvalidRequest:
    return InvalidRequest(
        "page_token is not one that this service gave out; start from the first page",
        reason="INVALID_PAGE_TOKEN",
        field="/page_token",
    )
