"""The one boto3 EC2 client of this process, its thread pool, and EC2's errors by meaning.

boto3 blocks: it is reached through `call` and `pages` only. Building the client takes a quarter
of a second of CPU, so it is built in a background thread while the service starts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    ParamValidationError,
)

from kite import crash, refusals
from kite.errors import CloudRefused, Internal, KiteError, OverLimit, Unavailable

CONNECT_SECONDS, READ_SECONDS, TRIES, THREADS = 2, 10, 3, 8
PAGE = 1_000  # the most EC2 gives at once
T = TypeVar("T")


class Session:
    """EC2 of one region; an empty endpoint is AWS itself. Credentials: boto3's usual places."""

    def __init__(self, *, region: str, endpoint: str = "") -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="ec2")
        self._client: Future[Any] = self._pool.submit(_build, region, endpoint)

    async def call(self, operation: str, **params: Any) -> Any:
        """One EC2 call.

        Raises:
            CloudRefused, CloudThrottled, OverLimit, Unavailable: by the meaning of EC2's code.
        """
        answer = await self._in_thread(lambda client: getattr(client, operation)(**params))
        crash.point("after-", operation)
        return answer

    async def pages(self, operation: str, what: str, **params: Any) -> list[Any]:
        """All items of a listing, page after page; raises as `call` does."""

        def read(client: Any) -> list[Any]:
            paginator = client.get_paginator(operation)
            found = paginator.paginate(**params, PaginationConfig={"PageSize": PAGE})
            return [one for page in found for one in page[what]]

        return await self._in_thread(read)

    async def _in_thread(self, act: Callable[[Any], T]) -> T:
        def run() -> T:
            try:
                return act(self._client.result())
            except (ClientError, BotoCoreError) as refused:
                raise _named(refused) from refused

        return await asyncio.get_running_loop().run_in_executor(self._pool, run)

    async def close(self) -> None:
        """Let running calls end."""
        await asyncio.to_thread(self._pool.shutdown, wait=True, cancel_futures=True)


def _build(region: str, endpoint: str) -> Any:
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        max_pool_connections=THREADS,
        retries={"mode": "standard", "total_max_attempts": TRIES},
    )
    return boto3.Session().client(
        "ec2", region_name=region, endpoint_url=endpoint or None, config=config
    )


def _named(refused: ClientError | BotoCoreError) -> KiteError:
    match refused:
        case ClientError():
            code = str(refused.response["Error"].get("Code", ""))
            text = str(refused.response["Error"].get("Message", ""))
            if code in refusals.RULES_FULL:
                return OverLimit(
                    f"the AWS quota of rules per security group is lower than ours: {text}; "
                    "raise it or lower KITE_WHITELIST_RULES_PER_FAMILY",
                    reason="TOO_MANY_RULES",
                    context={"aws-code": code},
                )
            return refusals.failure(code, text)
        case NoCredentialsError():
            return CloudRefused("no AWS credentials were found", reason="CLOUD_PERMISSION")
        case ParamValidationError():
            return Internal("a call to EC2 was built wrongly; the log tells more")
        case HTTPClientError():
            return Unavailable("EC2 did not answer", reason="CLOUD_AWAY")
        case _:
            kind = type(refused).__name__
            return Unavailable(f"EC2 could not be asked ({kind})", reason="CLOUD_AWAY")
