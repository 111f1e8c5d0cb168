"""`kite gc`: what no cluster stands for any more, as a table; removed when the operator says so.

The services decide, as their loops do: nothing here can make them remove what they would keep,
but for the two switches that say so. What goes was seen twice, a minute apart, unless `--now`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import typer
from rich.console import Console
from rich.table import Table

from kite.cli import plain
from kite.errors import KiteError
from kite.rpc import client
from kite.settings import Common
from kite.v1 import sweep_pb2
from kite.v1.sweep_pb2_grpc import SweepServiceStub

DEADLINE_SECONDS = 120.0
CLEAN, LEFTOVERS, UNDECIDED = 0, 1, 3
_SPARE_SECONDS = 1.0  # EC2 tells its time in whole seconds


class Service(Protocol):
    """One owner of cloud things."""

    async def sweep(self, request: sweep_pb2.SweepRequest) -> sweep_pb2.SweepResponse: ...


@dataclass(frozen=True, slots=True)
class Wish:
    """What the operator asked for; `bound` 0 = the services' own."""

    act: bool = False
    now: bool = False
    unproven: bool = False
    bound: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What all services said; `troubles` = who could not decide, and why."""

    leftovers: tuple[sweep_pb2.Leftover, ...] = ()
    alarms: tuple[str, ...] = ()
    troubles: tuple[str, ...] = ()
    gap_seconds: float = 0.0

    @property
    def code(self) -> int:
        """Exit code: clean, leftovers stay, or not decided."""
        if self.troubles:
            return UNDECIDED
        return LEFTOVERS if any(not one.removed for one in self.leftovers) else CLEAN


class Remote:
    """A service behind its address."""

    def __init__(self, target: str, name: str) -> None:
        self._target, self._name = target, name

    async def sweep(self, request: sweep_pb2.SweepRequest) -> sweep_pb2.SweepResponse:
        async with client.connect(self._target, name=self._name) as channel:
            answer: sweep_pb2.SweepResponse = await SweepServiceStub(channel).Sweep(
                request, timeout=DEADLINE_SECONDS
            )
            return answer


def run(settings: Common, wish: Wish) -> int:
    """Ask, print, and say how it went."""
    services = {
        "provisioner": Remote(settings.provisioner, "provisioner"),
        "whitelist": Remote(settings.whitelist, "whitelist"),
    }
    answer = asyncio.run(collect(services, wish, say=typer.echo))
    for text in (*answer.troubles, *answer.alarms):
        typer.echo(f"kite: {plain.plain(text)}", err=True)
    if answer.leftovers:
        Console().print(table(answer.leftovers))
    elif not answer.troubles:
        typer.echo("Nothing is left over.")
    return answer.code


async def collect(
    services: Mapping[str, Service],
    wish: Wish,
    *,
    say: Callable[[str], None],
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Answer:
    """One look, or two with a pause between when something shall go."""
    first = await _ask(services, wish if wish.now else replace(wish, act=False), ())
    if wish.now or not wish.act or first.troubles or not first.leftovers:
        return first
    seconds = first.gap_seconds + _SPARE_SECONDS
    say(f"{len(first.leftovers)} leftovers; looking again in {seconds:.0f} s, then they go")
    await pause(seconds)
    seen = [one.sighting for one in first.leftovers if one.HasField("sighting")]
    return await _ask(services, wish, seen)


async def _ask(
    services: Mapping[str, Service], wish: Wish, seen: Iterable[sweep_pb2.Sighting]
) -> Answer:
    request = sweep_pb2.SweepRequest(
        act=wish.act, now=wish.now, seen=seen, unproven=wish.unproven, bound=wish.bound
    )
    asked = (one.sweep(request) for one in services.values())
    answers = await asyncio.gather(*asked, return_exceptions=True)
    whole = Answer()
    for name, answer in zip(services, answers, strict=True):
        whole = _with(whole, name, answer)
    return whole


def _with(whole: Answer, name: str, answer: sweep_pb2.SweepResponse | BaseException) -> Answer:
    if isinstance(answer, KiteError):
        return replace(whole, troubles=(*whole.troubles, f"{name}: {answer}"))
    if isinstance(answer, BaseException):
        raise answer
    skipped = (f"{name}: {answer.skipped}",) if answer.skipped else ()
    return replace(
        whole,
        leftovers=(*whole.leftovers, *answer.leftovers),
        alarms=(*whole.alarms, *answer.alarms),
        troubles=(*whole.troubles, *skipped),
        gap_seconds=max(whole.gap_seconds, answer.gap_ms / 1000),
    )


_WORDS = {
    "young": "too young to tell",
    "kept": "kept",
    "first": "would go",
    "goes": "would go",
    "held": "held back",
}


def table(leftovers: Iterable[sweep_pb2.Leftover]) -> Table:
    """What is there, whose, how old, what becomes of it and why."""
    return plain.table(
        ("KIND", "ID", "CLUSTER", "NAME", "AGE", "OUTCOME", "WHY"),
        (
            (
                one.kind,
                one.id,
                one.cluster_id or "-",
                one.name or "-",
                age(one.age_ms),
                "removed" if one.removed else _WORDS.get(one.verdict, one.verdict),
                one.trouble or one.why,
            )
            for one in sorted(leftovers, key=lambda one: (one.kind, one.cluster_id, one.id))
        ),
    )


def age(milliseconds: int) -> str:
    """In the greatest unit that fits; `-` when EC2 does not tell."""
    if milliseconds < 0:
        return "-"
    minutes = milliseconds // 60_000
    for size, unit in ((24 * 60, "d"), (60, "h"), (1, "min")):
        if minutes >= size:
            return f"{minutes // size} {unit}"
    return "<1 min"
