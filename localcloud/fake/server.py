"""The fake EC2 as an endpoint: the same faults, knobs, log and control paths as the strict one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any, cast

from localcloud.strict.knobs import Knobs
from localcloud.strict.server import Ec2Api

if TYPE_CHECKING:
    from localcloud.strict.cloud import Cloud

POOL = IPv4Network("198.18.0.0/17")
PATIENT = Knobs(address_quota=100_000)


class FakeEc2(Ec2Api):
    """Like Ec2Api, but moto is not behind it: fast, and as many in a process as one likes.

    Addresses are plenty (32,766 public ones) and so is their quota.
    """

    def __init__(
        self,
        *,
        listen: Sequence[tuple[str, int]] = (("127.0.0.1", 0),),
        public_pool: IPv4Network = POOL,
        knobs: Knobs = PATIENT,
        clock: Callable[[], float] = time.time,
        **options: Any,
    ) -> None:
        super().__init__(
            listen=listen, public_pool=public_pool, knobs=knobs, clock=clock, **options
        )

    def start(self) -> None:
        """Listen. Raises OSError when an address is taken."""
        from localcloud.fake.actions import ACTIONS, FakeChain, fake_rules
        from localcloud.fake.cloud import FakeCloud

        made = FakeCloud(
            ACTIONS, pool=self._pool, knobs=self._knobs, held=self._held, clock=self._clock
        )
        cloud = cast("Cloud", made)  # it answers what rules and front ask of a Cloud
        self._listen_with(cloud, FakeChain(fake_rules(), cloud), _nothing_else)


def _nothing_else(_environ: Any, start: Callable[..., Any]) -> list[bytes]:
    """No other service of AWS is here."""
    start("404 Not Found", [("Content-Length", "0")])
    return []


@contextmanager
def running(**options: Any) -> Iterator[FakeEc2]:
    """A FakeEc2 on a free loopback port; options are those of FakeEc2."""
    api = FakeEc2(**options)
    api.start()
    try:
        yield api
    finally:
        api.stop()
