"""The way from a process to everything outside of it, and back.

A request is carried out by its receiver at its own time, whether or not its sender still lives.
At every await of this kind the sender may die or stand still, before and after the effect.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass
from typing import Any, Protocol

from kite.errors import DeadlinePassed, KiteError, Unavailable
from tests.sim.chance import Chance
from tests.sim.tale import Tale

TIMEOUT = 10.0  # the read timeout of provisioner.ec2.client
SUSPENDED = 700.0  # longer than anybody waits for what was asked
NOBODY = Context()  # what is on the way goes on while its sender stands still


class Sender(Protocol):
    name: str
    over: bool

    def die(self, why: str) -> None: ...

    def drain(self) -> None: ...

    def freeze(self, why: str, *, seconds: float = 0.0) -> None: ...


class Over(asyncio.CancelledError):
    """The sender is dead; nothing of it runs any more."""


@dataclass(frozen=True, slots=True)
class Way:
    """How bad one way is: names of odds, and how long it takes."""

    lost: str
    unsent: str
    late: str = ""
    slowest: float = 0.3


CLOUD = Way("lost", "unsent", "late")
REGISTRY = Way("registry", "registry", slowest=0.02)
HOST = Way("", "", slowest=0.2)


@dataclass
class Wire:
    """Everything that one process sends goes through here; `steps` counts its moments of danger.

    `script` forces a fault at a moment, by its number or once by its name ("before RunInstances"):
    that is how every await is tried in turn.
    """

    chance: Chance
    tale: Tale
    sender: Sender
    moments: list[str]
    script: dict[int | str, str]
    away_until: dict[str, float]
    sent: Callable[[asyncio.TimerHandle], None] = lambda _: None  # hears of requests on their way
    given_up: bool = False  # while a request is carried out: its sender waits no more

    async def ask(self, what: str, effect: Callable[[], Any], way: Way) -> Any:
        """The answer, or what went wrong on the way as the real client would tell it."""
        await self._danger(what, "before")
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._send(what, effect, way, answer)
        found = await answer
        await self._danger(what, "after")
        return found

    def _send(
        self, what: str, effect: Callable[[], Any], way: Way, answer: asyncio.Future[Any]
    ) -> None:
        takes = self.chance.between(0.005, way.slowest)
        if self._away(way) or self._hits(way.unsent, "unsent"):
            self.tale.fault(self.sender.name, "unsent", what)
            _later(takes, _settle, answer, self._silence(way, what), True)
            return
        if self._hits(way.late, "late"):
            takes = TIMEOUT + self.chance.between(0, 15)
            kind = "late launch" if what == "RunInstances" else "late"
            self.tale.fault(self.sender.name, kind, what)
            _later(TIMEOUT, _settle, answer, self._silence(way, what), True)
        step = _later(takes, self._arrives, what, effect, way, answer)
        if way is REGISTRY:
            self.sent(step)

    def _arrives(
        self, what: str, effect: Callable[[], Any], way: Way, answer: asyncio.Future[Any]
    ) -> None:
        failed, found = False, None
        self.given_up = answer.done()
        try:
            found = effect()
        except KiteError as refused:
            failed, found = True, refused
        if answer.done():
            return
        if self._hits(way.lost, "lost"):
            self.tale.fault(self.sender.name, "lost", what)
            _later(2.0, _settle, answer, self._silence(way, what), True)
        else:
            _settle(answer, found, failed)

    def _silence(self, way: Way, what: str) -> KiteError:
        if way is REGISTRY:
            return Unavailable(f"sim: {what}: the registry is silent")
        return DeadlinePassed(f"sim: {what}: no reply", reason="CLOUD_AWAY")

    def _away(self, way: Way) -> bool:
        until = self.away_until.get("registry" if way is REGISTRY else "cloud", 0.0)
        return way is not HOST and asyncio.get_running_loop().time() < until

    async def _danger(self, what: str, when: str) -> None:
        """Here the process may die or stop."""
        if self.sender.over:
            raise Over
        where = f"{when} {what}"
        self.moments.append(where)
        forced = self.script.pop(where, "") if self.script else ""
        if self._hits("", "drain"):
            self.sender.drain()
        if forced == "crash" or self._hits("crash", "crash"):
            self.sender.die(where)
            raise Over
        if forced == "suspend" or self._hits("freeze", "freeze"):
            self.sender.freeze(where, seconds=SUSPENDED if forced else 0.0)
            await asyncio.sleep(0)  # this step comes when the process goes on
            if self.sender.over:
                raise Over

    def _hits(self, odds: str, kind: str) -> bool:
        if self.script and self.script.get(len(self.moments)) == kind:
            return True
        return bool(odds) and self.chance.hits(odds)


def _later(seconds: float, what: Callable[..., None], *args: Any) -> asyncio.TimerHandle:
    return asyncio.get_running_loop().call_later(seconds, what, *args, context=NOBODY)


def _settle(answer: asyncio.Future[Any], value: Any, failed: bool) -> None:
    if answer.done():
        return
    if failed:
        answer.set_exception(value)
    else:
        answer.set_result(value)
