"""`kite gc` over services in memory; what they decide is tried elsewhere."""

import io
from dataclasses import dataclass, field

import pytest
from rich.console import Console

from kite.cli import gc
from kite.errors import Unavailable
from kite.settings import Common
from kite.v1.sweep_pb2 import Leftover, Sighting, SweepResponse


def leftover(thing="i-1", **more):
    seen = Sighting(mark=f"instance {thing}", seen_at_ms=1_000)
    plain = {"kind": "instance", "id": thing, "verdict": "first", "why": "no cluster", "age_ms": 1}
    return Leftover(**(plain | {"sighting": seen} | more))


@dataclass
class Service:
    """Answers one after another, the last one again and again."""

    answers: list
    asked: list = field(default_factory=list)

    async def sweep(self, request):
        self.asked.append(request)
        answer = self.answers[min(len(self.asked), len(self.answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer


FOUND = SweepResponse(leftovers=[leftover()], gap_ms=60_000)
REMOVED = SweepResponse(leftovers=[leftover(verdict="goes", removed=True)], gap_ms=60_000)
CLEAN = SweepResponse(gap_ms=60_000)


async def collect(wish, *answers, other=CLEAN):
    services = {"provisioner": Service(list(answers)), "whitelist": Service([other])}
    pauses, said = [], []

    async def pause(seconds):
        pauses.append(seconds)

    answer = await gc.collect(services, wish, say=said.append, pause=pause)
    return answer, services["provisioner"].asked, pauses


async def test_by_itself_it_only_looks():
    answer, asked, pauses = await collect(gc.Wish(), FOUND)
    assert (answer.code, pauses) == (gc.LEFTOVERS, [])
    assert [one.act for one in asked] == [False]


async def test_with_nothing_there_it_is_content():
    for wish in (gc.Wish(), gc.Wish(act=True), gc.Wish(act=True, now=True)):
        answer, asked, pauses = await collect(wish, CLEAN)
        assert (answer.code, len(asked), pauses) == (gc.CLEAN, 1, [])


async def test_what_goes_was_seen_twice_a_minute_apart():
    answer, asked, pauses = await collect(gc.Wish(act=True, bound=20), FOUND, REMOVED)
    assert pauses == [61.0]
    assert [one.act for one in asked] == [False, True]
    assert [one.mark for one in asked[1].seen] == ["instance i-1"]
    assert not asked[1].now
    assert asked[1].bound == 20
    assert answer.code == gc.CLEAN


async def test_what_was_not_marked_is_no_sighting():
    kept = SweepResponse(leftovers=[leftover(verdict="kept", sighting=None)])
    answer, asked, _ = await collect(gc.Wish(act=True, unproven=True), kept)
    assert list(asked[1].seen) == []
    assert asked[1].unproven
    assert answer.code == gc.LEFTOVERS


async def test_now_is_one_look():
    answer, asked, pauses = await collect(gc.Wish(act=True, now=True), REMOVED)
    assert [(one.act, one.now) for one in asked] == [(True, True)]
    assert (answer.code, pauses) == (gc.CLEAN, [])


@pytest.mark.parametrize("trouble", [Unavailable("away"), SweepResponse(skipped="half a look")])
async def test_when_a_service_cannot_tell_nothing_goes_anywhere(trouble):
    answer, asked, pauses = await collect(gc.Wish(act=True), FOUND, other=trouble)
    assert (answer.code, pauses) == (gc.UNDECIDED, [])
    assert answer.troubles[0].startswith("whitelist: ")
    assert [one.act for one in asked] == [False]


async def test_a_defect_is_not_swallowed():
    with pytest.raises(ZeroDivisionError):
        await collect(gc.Wish(), ZeroDivisionError())


async def test_alarms_come_along():
    answer, *_ = await collect(gc.Wish(), SweepResponse(alarms=["too many"]))
    assert answer.alarms == ("too many",)


def test_the_table_tells_what_whose_how_old_and_why():
    out = io.StringIO()
    rows = [
        leftover("i-2", removed=True, cluster_id="cdead", name="cats", age_ms=26 * 3_600_000),
        leftover("i-1", trouble="EC2 says no", age_ms=-1, verdict="goes"),
        leftover("i-3", verdict="something new"),
    ]
    Console(file=out, width=200).print(gc.table(rows))
    lines = [" ".join(line.split()) for line in out.getvalue().splitlines()]
    assert lines == [
        "KIND ID CLUSTER NAME AGE OUTCOME WHY",
        "instance i-1 - - - would go EC2 says no",
        "instance i-3 - - <1 min something new no cluster",
        "instance i-2 cdead cats 1 d removed no cluster",
    ]


def test_what_somebody_wrote_into_a_tag_is_shown_and_not_obeyed():
    out = io.StringIO()
    rows = [leftover(name="[/red][b]x", cluster_id="\x1b[2J\r\nc")]
    Console(file=out, width=200, force_terminal=True).print(gc.table(rows))
    assert "[/red][b]x" in out.getvalue()
    assert "?[2J??c" in out.getvalue()


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(-1, "-"), (0, "<1 min"), (60_000, "1 min"), (7_200_000, "2 h"), (86_400_000 * 3, "3 d")],
)
def test_ages(milliseconds, text):
    assert gc.age(milliseconds) == text


RUNS = [
    (CLEAN, gc.CLEAN, "Nothing is left over", ""),
    (FOUND, gc.LEFTOVERS, "i-1", ""),
    (SweepResponse(alarms=["too many"]), gc.CLEAN, "", "kite: too many"),
    (Unavailable("away"), gc.UNDECIDED, "", "kite: provisioner: UNAVAILABLE: away"),
]


@pytest.mark.parametrize(("answer", "code", "out", "err"), RUNS)
def test_the_command(answer, code, out, err, monkeypatch, capsys):
    parts = {"provisioner": Service([answer]), "whitelist": Service([CLEAN])}
    monkeypatch.setattr(gc, "Remote", lambda target, name: parts[name])
    assert gc.run(Common(), gc.Wish()) == code
    told = capsys.readouterr()
    assert out in told.out
    assert err in told.err
