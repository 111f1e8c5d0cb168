"""The loop itself: waits that can be ended, leases that are kept."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace

import pytest

from provisioner import loop


@pytest.mark.parametrize("turns", range(5))
async def test_a_cancelled_wait_is_over(turns):
    event = asyncio.Event()
    task = asyncio.create_task(loop._wait(event, 10))
    await asyncio.sleep(0)
    event.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    if task.cancel():
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_user_is_heard_while_the_cluster_is_held(house):
    """The hint reaches a loop that waits; it reads the wish by itself once an hour."""
    house.provisioner.loop._pace = replace(house.provisioner.loop._pace, reread_seconds=3600)
    house.ssh = False
    await house.create()
    while not ((nodes := (await house.get()).status.nodes) and nodes[0].why == "waiting for SSH"):
        pass
    await asyncio.sleep(1)  # what there was to write is written, so no answer tells of the wish
    await house.delete()
    await house.until("DELETED", seconds=20)


async def test_without_hints_and_nudges_the_loop_still_comes_by(house, monkeypatch):
    monkeypatch.setattr(type(house.provisioner.loop), "nudge", lambda self, cluster_id: None)
    await house.create()
    await house.until("RUNNING", seconds=30)


async def test_two_provisioners_share_the_work(house):
    first = house.provisioner, house.looping
    house.run()
    names = [f"c{n}" for n in range(4)]
    await asyncio.gather(*(house.create(name) for name in names))
    for name in names:
        await house.until("RUNNING", name, seconds=40)
    assert len(house.machines()) == 4
    assert house.writes().count("RunInstances") == 4
    first[1].cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await first[1]
    await first[0].close()


async def test_a_lease_taken_away_ends_the_visit_and_changes_nothing(house, tmp_path):
    """Whoever lost the lease may not even write what it has seen."""
    from kite.clock import SystemClock
    from kite.errors import LeaseLost
    from kite.rpc import client
    from provisioner.registry import RegistryClient, Write
    from provisioner.registry_time import RegistryTime

    await house.halt()
    await house.create()
    async with client.connect(house.targets["registry"], name="registry") as channel:
        late = RegistryClient(
            channel, holder="late", lease_seconds=1, clock=RegistryTime(SystemClock())
        )
        (claim,) = await late.claim(1, [])
        await asyncio.sleep(1.1)
        other = RegistryClient(
            channel, holder="other", lease_seconds=30, clock=RegistryTime(SystemClock())
        )
        (taken,) = await other.claim(1, [])
        assert taken.fence > claim.fence
        with pytest.raises(LeaseLost):
            await late.commit(claim, Write(claim.record, None))
        assert await late.renew([(claim.record.cluster_id, claim.fence)]) == {}
        assert await other.get("c-nobody") is None
        await other.commit(taken, Write(taken.record, None, release=True))
    house.run()
    await house.until("RUNNING")
