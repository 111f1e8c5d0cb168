"""A cluster's whole life in a cloud that is late, full, busy and slow, all at once."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress

from localcloud.strict.faults import Fault, Kind
from localcloud.strict.knobs import Knobs
from localcloud.strict.rates import Rate

STEP, FASTER = 0.02, 20.0
"""EC2's time goes on twenty times as fast as ours."""
SCARCE = Rate(1, 0.25)
NOTHING = {kind: [] for kind in ("instances", "addresses", "groups", "keys", "volumes")}


WRITES = (
    "AllocateAddress",
    "AuthorizeSecurityGroupIngress",
    "CreateSecurityGroup",
    "RunInstances",
    "TerminateInstances",
)
HOSTILE = Knobs(
    pending_seconds=20,
    shutting_down_seconds=20,
    visible_after_seconds=6,
    tags_after_seconds=12,
    full=("*@us-east-1a",),
    throttled=True,
    rates=dict.fromkeys(WRITES, SCARCE),
)


@asynccontextmanager
async def time_passing(strict):
    async def tick():
        while True:
            await asyncio.sleep(STEP)
            strict.clock.advance(STEP * FASTER)

    ticking = asyncio.create_task(tick())
    try:
        yield
    finally:
        ticking.cancel()
        with suppress(asyncio.CancelledError):
            await ticking


async def test_a_cluster_comes_and_goes(house, strict_ec2):
    strict_ec2.api.knobs = HOSTILE
    for action in ("RunInstances", "AssociateAddress", "TerminateInstances"):
        strict_ec2.api.faults.add(Fault(Kind.LOST_REPLY, action=action, times=2))
    async with time_passing(strict_ec2):
        await house.create()
        cluster = await house.until("RUNNING", seconds=45)
        (machine,) = house.machines()
        assert machine["Placement"]["AvailabilityZone"] == "us-east-1b"
        assert machine["PublicIpAddress"] == cluster.status.address.public_ip
        await house.delete()
        await house.until("DELETED", seconds=45)
    assert house.left() == NOTHING
    codes = strict_ec2.api.calls.by_code()
    assert codes["dropped"] >= 4  # an end that was seen is not asked for again
    assert codes["InsufficientInstanceCapacity"] >= 1
    assert codes["RequestLimitExceeded"] >= 1
