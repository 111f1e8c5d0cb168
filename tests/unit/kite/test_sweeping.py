"""The sweeping loop over an EC2 and records in memory; the time is EC2's, set by the test."""

import asyncio
from dataclasses import dataclass, field, replace

import pytest

from kite import sweeping
from kite.errors import CloudThrottled, Unavailable
from kite.sweep import HOUR_MS, Kind, Known, Live, Look, Memory, Mode, Policy, Slot, Thing, Verdict
from kite.sweeping import MOST_UNKNOWN, Sweeper

NOW = 1_800_000_000_000
MINUTE = 60_000
ORPHAN = Thing(Kind.INSTANCE, "i-orphan", "kite1", "cdead", 0, 1, NOW - HOUR_MS)
MINE = Thing(Kind.INSTANCE, "i-live", "kite1", "clive", 0, 1, NOW - HOUR_MS)
LIVE = Known("clive", (Slot(0, 1, "i-live", shown=True),))


@dataclass
class Sky:
    now_ms: int = NOW
    things: list = field(default_factory=lambda: [MINE, ORPHAN])
    removed: list = field(default_factory=list)
    failing: Exception | None = None
    refusing: Exception | None = None

    async def look(self):
        if self.failing:
            raise self.failing
        return Look(self.now_ms, tuple(self.things))

    async def remove(self, thing):
        if self.refusing:
            raise self.refusing
        self.removed.append(thing.id)
        self.things.remove(thing)


@dataclass
class Shelf:
    """What all books read: the duty has a holder and, by turns, an end."""

    clusters: dict = field(default_factory=lambda: {"clive": LIVE})
    tombs: dict = field(default_factory=lambda: {"cdead": NOW - HOUR_MS})
    holder: str = ""
    failing: Exception | None = None
    gaps: tuple = ()
    told: list = field(default_factory=list)
    asked: int = 0


@dataclass
class Book:
    shelf: Shelf
    name: str = "a"
    deaf: Exception | None = None
    duties: int = 1_000
    surprise: dict = field(default_factory=dict)

    async def duty(self):
        self.duties -= 1
        self.shelf.holder = self.shelf.holder or self.name
        return self.shelf.holder == self.name and self.duties >= 0

    async def live(self):
        if self.shelf.failing:
            raise self.shelf.failing
        return Live(dict(self.shelf.clusters), self.shelf.gaps)

    async def one(self, cluster_id):
        self.shelf.asked += 1
        found = self.shelf.clusters.get(cluster_id) or self.shelf.tombs.get(cluster_id)
        self.shelf.clusters.update(self.surprise)  # what happens right after this read
        return found

    async def tell(self, thing, event, why):
        if self.deaf:
            raise self.deaf
        self.shelf.told.append((thing.id, event, why))


@dataclass
class Log:
    lines: list = field(default_factory=list)

    def warning(self, event, **facts):
        self.lines.append({"event": event, "level": "warning"} | facts)

    def error(self, event, **facts):
        self.lines.append({"event": event, "level": "error"} | facts)


@pytest.fixture
def log(monkeypatch):
    made = Log()
    monkeypatch.setattr(sweeping, "_log", made)
    return made


def sweeper(sky, book, *, mode=Mode.ON, **more):
    return Sweeper(sky, book, Policy(), install="kite1", seconds=60, mode=mode, **more)


async def twice(sky, one):
    await one.turn()
    sky.now_ms += MINUTE
    return await one.turn()


async def test_an_orphan_is_removed_at_its_second_sighting_and_its_story_told(log):
    sky, shelf = Sky(), Shelf()
    plan = await twice(sky, sweeper(sky, Book(shelf)))
    assert sky.removed == ["i-orphan"]
    assert [f.verdict for f in plan.findings] == [Verdict.GOES]
    assert shelf.told == [("i-orphan", "OrphanRemoved", "its cluster was deleted")]
    assert [one["event"] for one in log.lines] == ["orphan seen", "orphan seen", "orphan removed"]


async def test_of_two_processes_one_sweeps():
    sky, shelf = Sky(), Shelf()
    first, second = sweeper(sky, Book(shelf, "a")), sweeper(sky, Book(shelf, "b"))
    assert await first.turn() is not None
    assert await second.turn() is None
    sky.now_ms += MINUTE
    assert await second.turn() is None
    assert sky.removed == []
    await first.turn()
    assert sky.removed == ["i-orphan"]


async def test_a_new_leader_needs_two_sightings_of_its_own():
    sky, shelf = Sky(), Shelf()
    old, new = sweeper(sky, Book(shelf, "a")), sweeper(sky, Book(shelf, "b"))
    await old.turn()
    shelf.holder, sky.now_ms = "b", sky.now_ms + MINUTE
    await new.turn()
    assert await old.turn() is None
    assert sky.removed == []
    sky.now_ms += MINUTE
    await new.turn()
    assert sky.removed == ["i-orphan"]


async def test_who_comes_back_to_the_duty_starts_anew():
    sky, shelf = Sky(), Shelf()
    one = sweeper(sky, Book(shelf, "a"))
    await one.turn()
    shelf.holder = "b"
    assert await one.turn() is None
    shelf.holder, sky.now_ms = "a", sky.now_ms + MINUTE
    await one.turn()
    assert sky.removed == []


async def test_whoever_loses_the_duty_within_a_pass_stops():
    sky, shelf = Sky(things=[MINE, ORPHAN, replace(ORPHAN, id="i-2")]), Shelf()
    await twice(sky, sweeper(sky, Book(shelf, duties=3)))
    assert sky.removed == ["i-orphan"]


async def test_the_records_are_read_once_more_before_the_act():
    sky, shelf = Sky(), Shelf()
    adopted = Known("cdead", (Slot(0, 1, "i-orphan"),))
    book = Book(shelf)
    one = sweeper(sky, book)
    await one.turn()
    sky.now_ms += MINUTE
    book.surprise = {"cdead": adopted}
    await one.turn()
    assert sky.removed == []


async def test_a_cluster_that_vanished_from_the_records_meanwhile_is_left_alone():
    sky, shelf = Sky(), Shelf()
    one = sweeper(sky, Book(shelf))
    plan = await twice(Sky(), sweeper(Sky(), Book(Shelf())))
    shelf.tombs.clear()
    said = await one._remove(plan.findings[0], await one._facts(Memory()), Policy())
    assert (said, sky.removed) == ("its cluster changed meanwhile", [])


@pytest.mark.parametrize("where", ["sky", "shelf", "gaps"])
async def test_an_incomplete_look_removes_nothing_and_says_why(where, log):
    sky, shelf = Sky(), Shelf()
    one = sweeper(sky, Book(shelf))
    await one.turn()
    sky.now_ms += MINUTE
    if where == "sky":
        sky.failing = CloudThrottled("slow down")
    elif where == "shelf":
        shelf.failing = Unavailable("away")
    else:
        shelf.gaps = ("a stranger's registry",)
    log.lines.clear()
    plan = await one.turn()
    assert plan.skipped
    assert sky.removed == []
    assert [line["event"] for line in log.lines] == ["nothing was swept"]
    assert log.lines[0]["why"] == plan.skipped
    sky.failing = shelf.failing = None
    shelf.gaps = ()
    await one.turn()
    assert sky.removed == ["i-orphan"]


async def test_too_many_unknown_clusters_stop_the_sweep_and_the_asking():
    many = 2 * MOST_UNKNOWN
    strangers = [replace(ORPHAN, id=f"i-{n}", cluster_id=f"c{n:05}") for n in range(many)]
    sky, shelf = Sky(things=[MINE, *strangers]), Shelf()
    plan = await twice(sky, sweeper(sky, Book(shelf)))
    assert plan.skipped == f"more than {MOST_UNKNOWN} clusters are unknown to the registry"
    assert sky.removed == []
    assert shelf.asked < 2 * (MOST_UNKNOWN + 20)


async def test_a_mass_deletion_neither_stops_the_sweep_nor_is_asked_for_again_and_again():
    """EC2 shows ended machines for an hour; their clusters are tombstones."""
    names = [f"c{n:05}" for n in range(MOST_UNKNOWN + 1)]
    dead = [replace(ORPHAN, id=f"i-{name}", cluster_id=name, ended=True) for name in names]
    sky = Sky(things=[MINE, ORPHAN, *dead])
    shelf = Shelf(clusters={"clive": LIVE} | {name: Known(name) for name in names})
    one = sweeper(sky, Book(shelf))
    await one.turn()
    for name in names:
        shelf.tombs[name] = NOW
        del shelf.clusters[name]
    sky.now_ms += MINUTE
    assert not (await one.turn()).skipped  # those of the last look are asked for once
    assert sky.removed == ["i-orphan"]
    shelf.asked = 0
    assert not (await one.turn()).skipped
    assert shelf.asked == 0


async def test_a_report_removes_nothing_and_tells_each_news_once(log):
    sky, shelf = Sky(), Shelf()
    one = sweeper(sky, Book(shelf), mode=Mode.REPORT)
    await twice(sky, one)
    await twice(sky, one)
    assert sky.removed == []
    assert [line["verdict"] for line in log.lines] == [Verdict.FIRST, Verdict.GOES]


async def test_an_alarm_is_an_error_in_the_log(log):
    sky = Sky(things=[MINE, *(replace(ORPHAN, id=f"i-{n}") for n in range(11))])
    await twice(sky, sweeper(sky, Book(Shelf())))
    assert sky.removed == []
    assert [one["event"] for one in log.lines if one["level"] == "error"] == 2 * ["sweep alarm"]


async def test_what_ec2_refuses_to_end_is_tried_again():
    sky, shelf = Sky(refusing=CloudThrottled("slow down")), Shelf()
    one = sweeper(sky, Book(shelf))
    await twice(sky, one)
    assert (sky.removed, shelf.told) == ([], [])
    sky.refusing = None
    await one.turn()
    assert sky.removed == ["i-orphan"]


async def test_a_story_that_cannot_be_told_stops_nothing():
    sky = Sky()
    await twice(sky, sweeper(sky, Book(Shelf(), deaf=Unavailable("away"))))
    assert sky.removed == ["i-orphan"]


async def test_a_person_sweeps_without_the_duty_and_learns_what_came_of_it():
    sky, shelf = Sky(), Shelf(holder="somebody else")
    one = sweeper(sky, Book(shelf))
    plan, done = await one.once(Memory(), Policy(report=True))
    assert (done, sky.removed) == ({}, [])
    sky.now_ms += MINUTE
    plan, done = await one.once(plan.memory, Policy())
    assert (done, sky.removed) == ({ORPHAN: ""}, ["i-orphan"])


async def run_for(one, turns):
    """The loop, cancelled at the pause after so many turns."""
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(5):
            await one.run()


@pytest.mark.parametrize("failure", [Unavailable("away"), RuntimeError("a defect")])
async def test_the_loop_outlives_failures_and_begins_with_a_pause(failure):
    sky, book, pauses = Sky(), Book(Shelf()), []
    duty = book.duty

    async def pause(seconds):
        pauses.append(seconds)
        sky.now_ms += MINUTE
        book.duty = failing if len(pauses) == 1 else duty
        if len(pauses) == 4:
            raise asyncio.CancelledError

    async def failing():
        raise failure

    await run_for(sweeper(sky, book, pause=pause), 4)
    assert pauses == [60, 60, 60, 60]
    assert sky.removed == ["i-orphan"]


async def test_off_is_off():
    sky, pauses = Sky(), []

    async def pause(seconds):
        pauses.append(seconds)

    task = asyncio.create_task(sweeper(sky, Book(Shelf()), mode=Mode.OFF, pause=pause).run())
    for _ in range(5):
        await asyncio.sleep(0)
    assert not task.done()  # a service ends when what runs beside it does
    task.cancel()
    assert pauses == []
