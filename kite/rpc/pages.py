"""Page after page of what a service lists."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any


async def pages(ask: Callable[[Any], Awaitable[Any]], request: Any) -> AsyncIterator[Any]:
    """Every answer to the last page; `ask` is a listing method of a stub.

    Raises:
        KiteError: a page is missing, so the listing is not whole.
    """
    while True:
        answer = await ask(request)
        yield answer
        if not answer.next_page_token:
            return
        following = type(request)()
        following.CopyFrom(request)
        following.page_token = answer.next_page_token
        request = following
