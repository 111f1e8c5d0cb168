"""What a claim gave and nobody heard of: the provisioner's side of taking it back at once."""

import pytest

from kite.errors import Unavailable
from provisioner.registry import RegistryClient
from provisioner.registry_time import RegistryTime

LEASE = 30


class Lossy:
    """The registry's stub; while `silent`, claims are carried out and their answers lost."""

    def __init__(self, stub):
        self.stub, self.silent, self.asked = stub, False, []

    async def Renew(self, request, **more):
        return await self.stub.Renew(request, **more)

    async def Claim(self, request):
        self.asked.append(request)
        answer = await self.stub.Claim(request)
        if self.silent:
            raise Unavailable("the answer is lost")
        return answer


class Clock:
    """Monotonic seconds, set by hand."""

    def __init__(self):
        self.seconds = 1000.0

    def monotonic(self):
        return self.seconds

    def now_ms(self):
        return int(self.seconds * 1000)


@pytest.fixture
def clock_here():
    return Clock()


@pytest.fixture
def worker(registry, clock_here):
    return started(registry, clock_here)


def started(registry, clock):
    made = RegistryClient(
        registry.channel, holder="here", lease_seconds=LEASE, clock=RegistryTime(clock)
    )
    made._controller = made.wire = Lossy(registry.controller)
    return made


def held(claims):
    return [(claim.record.cluster_id, claim.fence) for claim in claims]


async def test_a_claim_that_was_not_heard_is_made_again(registry, worker, clock_here):
    await registry.create("one")
    known = held(await worker.claim(5, []))
    clock_here.seconds += LEASE + 1
    await worker.claim(5, known)
    worker.wire.silent = True
    await registry.create("two")
    with pytest.raises(Unavailable):
        await worker.claim(5, known)
    worker.wire.silent = False
    [again] = await worker.claim(5, known)
    assert again.record.milvus_name == "two"
    assert (await worker.renew([*known, *held([again])])).keys() == dict(
        known + held([again])
    ).keys()


async def test_a_process_that_starts_again_takes_what_the_one_before_it_had(
    registry, worker, clock_here
):
    await registry.create("one")
    [(cluster_id, fence)] = held(await worker.claim(5, []))
    clock_here.seconds += 1
    next_one = started(registry, clock_here)
    [(same, newer)] = held(await next_one.claim(5, []))
    assert same == cluster_id
    assert newer > fence


async def test_what_is_known_is_told_for_a_lease_after_a_start_or_a_lost_answer(worker, clock_here):
    """A claim that was given up may be carried out later than the next one."""
    told = []
    for silent, seconds in ((False, 10), (False, LEASE), (False, 1), (True, 1), (False, 1)):
        worker.wire.silent = silent
        try:
            await worker.claim(5, [("c-one", 7)])
        except Unavailable:
            assert silent
        told.append(worker.wire.asked[-1].HasField("holdings"))
        clock_here.seconds += seconds
    assert told == [True, True, False, False, True]
    await worker.claim(5, [])
    assert worker.wire.asked[-1].HasField("holdings")
    clock_here.seconds += LEASE
    await worker.claim(5, [])
    assert not worker.wire.asked[-1].HasField("holdings")


async def test_numbers_grow_with_every_claim_and_over_a_restart(registry, worker, clock_here):
    await worker.claim(5, [])
    await worker.claim(5, [])
    first, second = (request.number for request in worker.wire.asked)
    clock_here.seconds += 1
    next_one = started(registry, clock_here)
    await next_one.claim(5, [])
    assert first < second < next_one.wire.asked[0].number
