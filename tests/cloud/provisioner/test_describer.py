"""One look a tick for all clusters, and never an old one at what was just changed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from kite.errors import CloudRefused, KiteError
from localcloud.strict.faults import Fault, Kind
from provisioner.ec2 import describer as module
from provisioner.ec2.describer import BATCH, LATELY_SECONDS, Describer
from provisioner.facts import Machine

TICK = 0.25


@dataclass
class Door:
    """An EC2 that shows every machine, in the state it is in when asked; a call takes `lasts`."""

    lasts: float = 0.0
    state: str = "pending"
    calls: list[list[str]] = field(default_factory=list)
    fails: KiteError | None = None

    async def call(self, action: str, parameters: dict[str, Any]) -> dict[str, Any]:
        assert action == "DescribeInstances:ids"
        self.calls.append(parameters["InstanceIds"])
        shown = [{"InstanceId": i, "State": {"Name": self.state}} for i in self.calls[-1]]
        await asyncio.sleep(self.lasts)
        if self.fails:
            raise self.fails
        return {"Reservations": [{"Instances": shown}]}


class Virtual(asyncio.SelectorEventLoop):
    """Waits take no time; the clock moves instead."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0

    def time(self) -> float:
        return self._now

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:
            self._now = max(self._now, self._scheduled[0]._when)
        super()._run_once()


def virtually(story):
    with asyncio.Runner(loop_factory=Virtual) as runner:
        return runner.run(story())


@pytest.fixture(autouse=True)
def tick(monkeypatch):
    monkeypatch.setattr(module, "TICK_SECONDS", TICK)


async def keep_asking(describer, ids, *, every, seconds, offset=0.0):
    await asyncio.sleep(offset)
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while loop.time() < until:
        assert await describer.instances(ids)
        await asyncio.sleep(every)


@pytest.mark.parametrize("clusters", [1, 10, BATCH])
def test_any_number_of_clusters_costs_one_call_a_tick(clusters):
    """P15. They wake at times of their own, and a call lasts a good part of a tick."""
    door = Door(lasts=0.1)

    async def story():
        describer = Describer(door)
        await asyncio.gather(
            *(
                keep_asking(describer, [f"i-{n}"], every=0.3, seconds=6, offset=0.3 * n / clusters)
                for n in range(clusters)
            )
        )

    virtually(story)
    assert len(door.calls) <= 7 / TICK
    assert max(map(len, door.calls)) == clusters


def test_more_than_a_call_can_take_is_asked_in_parts():
    door = Door()
    virtually(lambda: Describer(door).instances(f"i-{n}" for n in range(BATCH + 1)))
    assert sorted(map(len, door.calls)) == [1, BATCH]


def test_a_lonely_cluster_waits_for_nobody():
    door = Door()

    async def story():
        describer = Describer(door)
        for _ in range(3):
            await describer.instances(["i-1"])
            began = asyncio.get_running_loop().time()
            await asyncio.sleep(0.3)
        return began

    assert virtually(story) == pytest.approx(0.6)
    assert len(door.calls) == 3


def test_what_was_changed_is_looked_at_anew():
    """A machine just ended must not be seen running by a look that began before."""
    door = Door(lasts=0.1, state="running")

    async def story():
        describer = Describer(door)
        await describer.instances(["i-1", "i-2"])
        late = asyncio.create_task(describer.instances(["i-1"]))
        describer.changed(["i-1"])
        assert (await describer.instances(["i-2"]))["i-2"].machine is Machine.RUNNING
        assert len(door.calls) == 1
        flying = asyncio.create_task(describer.instances(["i-3"]))
        await asyncio.sleep(0.3)  # a look is under way
        describer.changed(["i-1"])
        door.state = "shutting-down"
        assert (await describer.instances(["i-1"]))["i-1"].machine is Machine.SHUTTING_DOWN
        await asyncio.gather(late, flying)

    virtually(story)


def test_who_comes_while_a_look_is_under_way_is_served_by_it():
    door = Door(lasts=0.1)

    async def story():
        describer = Describer(door)
        await describer.instances(["i-1", "i-2"])
        await asyncio.sleep(1)
        first = asyncio.create_task(describer.instances(["i-1"]))
        await asyncio.sleep(0.05)
        await describer.instances(["i-2"])
        await first

    virtually(story)
    assert len(door.calls) == 2


def test_a_slow_answer_reaches_everybody_who_waits_for_it():
    door = Door(lasts=40.0)

    async def story():
        describer = Describer(door)
        return await asyncio.gather(*(describer.instances([f"i-{n}"]) for n in range(3)))

    assert [len(found) for found in virtually(story)] == [1, 1, 1]


def test_nobody_is_asked_about_for_ever():
    door = Door()

    async def story():
        describer = Describer(door)
        await describer.instances(["i-1"])
        await asyncio.sleep(LATELY_SECONDS)
        await describer.instances(["i-2"])
        await describer.instances([])

    virtually(story)
    assert door.calls == [["i-1"], ["i-2"]]


def test_who_asks_about_nothing_waits_for_nothing():
    """A cluster before its launch: a tick more in each of its turns would be felt."""
    door = Door()

    async def story():
        describer = Describer(door)
        await describer.instances(["i-1"])
        for _ in range(3):
            assert await describer.instances([]) == {}
        return asyncio.get_running_loop().time()

    assert virtually(story) == 0.0
    assert len(door.calls) == 1


def test_a_failing_look_fails_for_everybody_who_asked():
    door = Door(lasts=0.1, fails=CloudRefused("no", reason="CLOUD_PERMISSION"))

    async def story():
        describer = Describer(door)
        asked = [asyncio.create_task(describer.instances([f"i-{n}"])) for n in range(2)]
        await asyncio.sleep(0.05)
        asked.append(asyncio.create_task(describer.instances(["i-2"])))
        failed = await asyncio.gather(*asked, return_exceptions=True)
        door.fails = None
        assert await describer.instances(["i-1"])
        return failed

    assert [one.reason for one in virtually(story)] == ["CLOUD_PERMISSION"] * 3


# over the strict EC2 ----------------------------------------------------------------------------


@pytest.mark.parametrize("other", ["i-0123456789abcdef0", "i-1", "damaged"])
async def test_an_unknown_id_does_not_hide_the_others(strict_ec2, ec2, ground, other):
    made = strict_ec2.client().run_instances(
        ImageId=ground.image, InstanceType="m5.large", MinCount=1, MaxCount=1,
        SubnetId=ground.subnets[0],
    )["Instances"][0]["InstanceId"]  # fmt: skip
    found = await Describer(ec2).instances([made, other])
    assert set(found) == {made}
    assert await Describer(ec2).instances([other]) == {}


@pytest.mark.parametrize("empty", [True, False])
async def test_a_fresh_machine_may_be_hidden_either_way(strict_ec2, ec2, ground, empty):
    strict_ec2.api.faults.add(Fault(Kind.HIDE, action="RunInstances", describes=1, empty=empty))
    made = strict_ec2.client().run_instances(
        ImageId=ground.image, InstanceType="m5.large", MinCount=1, MaxCount=1,
        SubnetId=ground.subnets[0],
    )["Instances"][0]["InstanceId"]  # fmt: skip
    describer = Describer(ec2)
    assert await describer.instances([made]) == {}
    describer.changed([made])
    found = await describer.instances([made])
    assert found[made].machine in {Machine.PENDING, Machine.RUNNING}


async def test_a_refusal_keeps_its_meaning(strict_ec2, ec2):
    strict_ec2.api.faults.add(Fault(Kind.ERROR, code="UnauthorizedOperation", times=0))
    describer = Describer(ec2)
    with pytest.raises(KiteError) as failed:
        await describer.instances(["i-1"])
    assert failed.value.reason == "CLOUD_PERMISSION"
    strict_ec2.api.faults.clear()
    assert await describer.instances(["i-0123456789abcdef0"]) == {}
