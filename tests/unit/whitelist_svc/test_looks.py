"""Readers take few places, whatever EC2 does."""

import asyncio

import pytest

from kite.errors import Unavailable
from whitelist_svc import looks, session
from whitelist_svc.cluster import Cluster

CLUSTER = Cluster("c-one", "alice", "cats", wanted=True, entries=(), revision=1)


class Silent:
    """EC2 keeps it waiting until told; `answer` may be a failure."""

    def __init__(self):
        self.asked, self.answered = 0, asyncio.Event()
        self.answer = ()

    async def look(self, cluster):
        self.asked += 1
        await self.answered.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


async def reader(places):
    async with asyncio.timeout(0.2):
        return await places.at(CLUSTER)


async def test_readers_that_gave_up_keep_their_places_until_ec2_answers():
    silent = Silent()
    places = looks.Looks(silent)
    waited = await asyncio.gather(*(reader(places) for _ in range(50)), return_exceptions=True)
    assert {type(one) for one in waited} == {TimeoutError}
    assert silent.asked == looks.PLACES
    silent.answered.set()
    await places.settle()
    assert await reader(places) == ()
    assert silent.asked == looks.PLACES + 1


async def test_a_look_that_fails_gives_its_place_back():
    silent = Silent()
    silent.answer = Unavailable("silence")
    silent.answered.set()
    places = looks.Looks(silent)
    for _ in range(3 * looks.PLACES):
        with pytest.raises(Unavailable):
            await reader(places)


async def test_a_look_that_fails_after_its_reader_left_is_nobodys_defect():
    silent = Silent()
    silent.answer = Unavailable("silence")
    places = looks.Looks(silent)
    with pytest.raises(TimeoutError):
        await reader(places)
    silent.answered.set()
    await places.settle()


def test_changes_have_threads_that_no_reader_takes():
    assert looks.PLACES < session.THREADS
