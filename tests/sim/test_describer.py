"""Nobody who asks for a machine waits for ever, whatever happened to the look."""

from __future__ import annotations

import asyncio

import pytest

from provisioner.ec2.describer import LATELY_SECONDS, Describer
from tests.sim.virtual import run


class Ec2:
    """Answers with whatever is asked for; its first answer takes long, or is a defect."""

    def __init__(self, seconds=0.0, defect=None):
        self.seconds = seconds
        self.defect = defect

    async def call(self, action, parameters):
        seconds, self.seconds = self.seconds, 0.0
        await asyncio.sleep(seconds)
        if self.defect:
            raise self.defect
        instances = [
            {"InstanceId": i, "State": {"Name": "running"}} for i in parameters["InstanceIds"]
        ]
        return {"Reservations": [{"Instances": instances}]}


def test_an_ask_that_grew_old_is_still_answered():
    """As after a SIGSTOP: the look before lasted longer than asks are remembered."""

    async def asked():
        describer = Describer(Ec2(seconds=2 * LATELY_SECONDS))
        first = asyncio.create_task(describer.instances(["i-1"]))
        await asyncio.sleep(1.0)
        async with asyncio.timeout(10 * LATELY_SECONDS):
            assert set(await describer.instances(["i-2"])) == {"i-2"}
        await first

    run(asked())


def test_a_defect_of_the_look_is_told_to_those_who_wait():
    async def asked():
        describer = Describer(Ec2(defect=KeyError("State")))
        async with asyncio.timeout(10 * LATELY_SECONDS):
            with pytest.raises(KeyError):
                await describer.instances(["i-1"])

    run(asked())
