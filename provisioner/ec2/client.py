"""The one EC2 client of this process: built in the background, called through one door.

boto3 blocks, so every call runs in a pool of 16 threads; EC2's limits (2 to 20 calls a second)
make more threads useless. The client never retries (kite/ec2_client.py): whoever calls is a loop.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from kite import crash, ec2_client
from kite.buckets import Buckets
from kite.clock import Clock
from kite.ec2_failures import meaning
from kite.errors import CloudThrottled, KiteError
from provisioner import guard
from provisioner.ec2.lean import lean, moment

if TYPE_CHECKING:
    from mypy_boto3_ec2.client import EC2Client

THREADS = 16


def build(region: str, endpoint: str) -> "EC2Client":
    """One session, one client. Slow (imports, endpoint data): call it off the event loop."""
    import boto3
    import botocore.session
    from botocore.config import Config

    config = Config(**ec2_client.config(threads=THREADS))
    core = botocore.session.get_session()
    core.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=moment)
    session = boto3.Session(botocore_session=core)
    return lean(session.client("ec2", config=config, **ec2_client.place(region, endpoint)))


class Ec2:
    """The door. `call` names the action as EC2 does, for the buckets and for failures."""

    def __init__(
        self,
        make: Callable[[], "EC2Client"],
        clock: Clock,
        *,
        buckets: Buckets | None = None,
    ) -> None:
        self._make = make
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="ec2")
        self._buckets = buckets or Buckets(clock)
        self._client: asyncio.Future[EC2Client] | None = None

    def begin(self) -> None:
        """Start building the client; calls wait for it."""
        if self._client is None:
            loop = asyncio.get_running_loop()
            self._client = loop.run_in_executor(self._pool, self._make)

    async def call(self, action: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """One EC2 call, tried once, and its answer.

        Raises:
            KiteError: what EC2's refusal or silence means (kite/ec2_failures.py); the code is in
                `context["aws-code"]`. What the caller's guard raises: nothing was sent.
        """
        self.begin()
        assert self._client is not None
        try:
            client = await asyncio.shield(self._client)
        except Exception as broken:
            self._client = None  # credentials or profile missing: the next call tries again
            raise meaning(broken, action) from broken
        await self._buckets.take(action)
        method = getattr(client, ec2_client.method(action))
        loop = asyncio.get_running_loop()
        check = guard.current()

        def send() -> dict[str, Any]:
            check()
            crash.point("before-", action)
            return method(**parameters)  # type: ignore[no-any-return]

        try:
            answer = await loop.run_in_executor(self._pool, send)
        except KiteError:
            raise
        except Exception as failed:
            told = meaning(failed, action)
            if isinstance(told, CloudThrottled):
                self._buckets.empty(action)
            raise told from failed
        crash.point("after-", action)
        return answer

    def close(self) -> None:
        """Calls in flight end by their own timeouts."""
        self._pool.shutdown(wait=False, cancel_futures=True)
