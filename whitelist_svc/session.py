"""The one boto3 EC2 client of this process and its thread pool.

EC2's limits are kept here, so that nobody above ever sees a throttled call: a call waits in line
for a token of its action, and when EC2 says no all the same (the account has other callers), the
call is made again after a while. A refusal for the rate is sure not to have been carried out.
Any other failure is told at once: the client tries each call once, and whoever calls looks again.

boto3 blocks: it is reached through `call` and `pages` only. The client takes a quarter of a second
of CPU and 25 MB, so it is built by the first call, in that call's thread.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any

from kite import crash, ec2_client
from kite.buckets import Buckets
from kite.clock import SystemClock
from kite.ec2_failures import meaning
from kite.errors import CloudThrottled, Unavailable

THREADS = 8
PAGE = 1_000  # the most EC2 gives at once
MOST_PAGES = 1_000
THROTTLED_SECONDS = (1, 2, 4, 8)  # between tries
Pause = Callable[[float], Awaitable[None]]


class Session:
    """EC2 of one region; an empty endpoint is AWS itself. Credentials: boto3's usual places."""

    def __init__(
        self,
        *,
        region: str,
        endpoint: str = "",
        buckets: Buckets | None = None,
        pause: Pause = asyncio.sleep,
    ) -> None:
        self._buckets = buckets or Buckets(SystemClock(), pause)
        self._pause = pause
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="ec2")
        self._where = (region, endpoint)
        self._building = Lock()
        self._client: Any = None

    async def call(self, operation: str, **params: Any) -> Any:
        """One EC2 call.

        Raises:
            KiteError: what EC2's refusal or silence means (kite/ec2_failures.py).
        """
        for seconds in THROTTLED_SECONDS:
            try:
                return await self._once(operation, params)
            except CloudThrottled:
                await self._pause(seconds * random.uniform(0.5, 1))  # noqa: S311 - no secret
        return await self._once(operation, params)

    async def _once(self, operation: str, params: dict[str, Any]) -> Any:
        await self._buckets.take(ec2_client.action(operation))
        try:
            answer = await self._in_thread(operation, params)
        except CloudThrottled:
            self._buckets.empty(ec2_client.action(operation))
            raise
        crash.point("after-", ec2_client.action(operation))
        return answer

    async def pages(self, operation: str, what: str, **params: Any) -> list[Any]:
        """All items of a listing, page after page; raises as `call` does."""
        return [one async for page in answers(self, operation, **params) for one in page[what]]

    async def _in_thread(self, operation: str, params: dict[str, Any]) -> Any:
        def run() -> Any:
            try:
                return getattr(self._built(), operation)(**params)
            except Exception as failed:
                raise meaning(failed, ec2_client.action(operation)) from failed

        return await asyncio.get_running_loop().run_in_executor(self._pool, run)

    def _built(self) -> Any:
        with self._building:
            if self._client is None:
                self._client = _build(*self._where)
            return self._client

    async def close(self) -> None:
        """Let running calls end."""
        await asyncio.to_thread(self._pool.shutdown, wait=True, cancel_futures=True)


async def answers(session: Session, operation: str, **params: Any) -> AsyncIterator[Any]:
    """Every answer of a listing to the last page; raises as `Session.call` does."""
    more: dict[str, str] = {}
    for _ in range(MOST_PAGES):
        page = await session.call(operation, **params, MaxResults=PAGE, **more)
        yield page
        if not page.get("NextToken"):
            return
        more = {"NextToken": page["NextToken"]}
    raise Unavailable(
        f"{ec2_client.action(operation)}: EC2's pages do not end", reason="CLOUD_AWAY"
    )


def _build(region: str, endpoint: str) -> Any:
    import boto3
    from botocore.config import Config

    config = Config(**ec2_client.config(threads=THREADS))
    return boto3.Session().client("ec2", config=config, **ec2_client.place(region, endpoint))
