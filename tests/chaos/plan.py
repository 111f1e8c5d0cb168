"""What goes wrong and when: a list made from a seed, before anything runs. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from random import Random

from kite.crash import POINTS

SHORTEST, LONGEST = 0.3, 4.0
"""Seconds between two disturbances."""
FREEZES = (0.5, 2.0, 5.0)
FOR_GOOD = 0.0
STOPS = (1.0, 4.0, 9.0, FOR_GOOD)
LONG_FREEZE = 25.0
"""For a provisioner that others stand in for: longer than a lease of 20 s."""


class Do(StrEnum):
    KILL = "kill -9"
    FREEZE = "freeze"
    RESTART = "restart"
    CRASH = "crash at"
    FAULT = "let EC2"
    END_HOST = "terminate a host"
    CUT_HOST = "cut the power of a host"
    STOP_HOST = "stop a host"
    REBOOT_HOST = "reboot a host"
    KILL_DATABASE = "kill -9 the database"


@dataclass(frozen=True)
class Disturbance:
    """`target` is a process, or a part of one (0 to 1) of the clusters that are there."""

    at: float
    do: Do
    target: str = ""
    detail: str = ""
    seconds: float = 0.0
    part: float = 0.0

    @property
    def for_good(self):
        """A machine that is stopped and never started again."""
        return self.do is Do.STOP_HOST and self.seconds == FOR_GOOD

    def __str__(self):
        words = [self.do.value, self.target, self.detail, "for good" * self.for_good]
        if self.seconds:
            words.append(f"for {self.seconds:g} s")
        return " ".join(word for word in words if word)


WEIGHTS = {Do.KILL: 6, Do.FREEZE: 3, Do.RESTART: 2, Do.CRASH: 8, Do.FAULT: 3, Do.END_HOST: 1}
HOSTS = {Do.CUT_HOST: 1, Do.STOP_HOST: 1, Do.REBOOT_HOST: 1}
HOSTLESS = {Do.STOP_HOST: 2}
"""A machine stopped by hand is told of and left alone; started again, it is as before. Where
machines have no inside, a reboot is nothing."""
DATABASE = {Do.KILL_DATABASE: 2}
EACH = (Do.KILL, Do.FREEZE, Do.RESTART)
"""What every service meets, before chance has its say."""
ONCE = (Do.STOP_HOST, Do.REBOOT_HOST)
"""What some real host meets after that, before chance has its say."""
FAULTS = (
    ("lose a reply", {"kind": "lost-reply"}),
    ("drop a call", {"kind": "reset"}),
    ("answer late", {"kind": "delay-reply", "seconds": 3.0}),
)
ACTIONS = (
    "RunInstances",
    "AllocateAddress",
    "AssociateAddress",
    "TerminateInstances",
    "ReleaseAddress",
    "CreateSecurityGroup",
    "DeleteSecurityGroup",
    "AuthorizeSecurityGroupIngress",
    "RevokeSecurityGroupIngress",
)


def plan(seed, seconds, names, *, hosts, database):
    """Disturbances in order of time, none in the first two seconds.

    Each of EACH meets each service once, in any order, then each of ONCE a host, and the rest is
    chance; a plan of less than 60 seconds may end before that.
    """
    dice = Random(f"plan {seed}")
    weights = {**WEIGHTS, **(HOSTS if hosts else HOSTLESS), **(DATABASE if database else {})}
    kinds, chances = list(weights), list(weights.values())
    dealt = [*([(do, names) for do in ONCE] if hosts else ()), *_dealt(dice, names)]
    found, at = [], 2.0
    while at < seconds:
        do, among = dealt.pop() if dealt else (dice.choices(kinds, chances)[0], names)
        found.append(_one(dice, round(at, 2), do, among, names))
        at += dice.uniform(SHORTEST, LONGEST)
    return found


def _dealt(dice, names):
    """What comes first, each with the processes it may meet."""
    services = sorted({_service(name) for name in names})
    among = [tuple(name for name in names if _service(name) == one) for one in services]
    dealt = [(do, some) for do in EACH for some in among]
    dice.shuffle(dealt)
    return dealt


def _service(name):
    return name.rpartition("-")[0]


def _one(dice, at, do, among, names):
    name = dice.choice(among)
    match do:
        case Do.FREEZE:
            many = name.startswith("provisioner") and "provisioner-2" in names
            longest = (LONG_FREEZE,) if many else ()
            return Disturbance(at, do, name, seconds=dice.choice((*FREEZES, *longest)))
        case Do.CRASH:
            return Disturbance(at, do, name, dice.choice(POINTS[_service(name)]))
        case Do.FAULT:
            return Disturbance(at, do, dice.choice(FAULTS)[0], f"of {dice.choice(ACTIONS)}")
        case Do.END_HOST | Do.CUT_HOST | Do.STOP_HOST | Do.REBOOT_HOST:
            seconds = dice.choice(STOPS) if do is Do.STOP_HOST else 0.0
            return Disturbance(at, do, seconds=seconds, part=dice.random())
        case Do.KILL_DATABASE:
            return Disturbance(at, do)
        case _:
            return Disturbance(at, do, name)


def fault_of(disturbance):
    """What the control path of the strict EC2 is told."""
    kind = dict(FAULTS)[disturbance.target]
    return {**kind, "action": disturbance.detail.removeprefix("of "), "times": 1}
