"""What to do with one host this turn. Pure: a table over what is wanted and what is there."""

from __future__ import annotations

from enum import StrEnum

from localcloud.wish import Wanted


class Stage(StrEnum):
    """How far a host is."""

    ABSENT = "absent"
    UP = "up"
    DOWN = "down"
    """Its volumes are there, its machine is off."""
    BROKEN = "broken"
    """It shall not come up: a fault says so, or every try failed."""


class Do(StrEnum):
    """One thing to do."""

    NOTHING = "nothing"
    START = "start"
    TEND = "tend"
    """Look after a running host: rules, addresses, disks, readiness."""
    STOP = "stop"
    REMOVE = "remove"


TABLE = {
    (Wanted.RUN, Stage.ABSENT): Do.START,
    (Wanted.RUN, Stage.UP): Do.TEND,
    (Wanted.RUN, Stage.DOWN): Do.START,
    (Wanted.RUN, Stage.BROKEN): Do.NOTHING,
    (Wanted.REST, Stage.ABSENT): Do.NOTHING,
    (Wanted.REST, Stage.UP): Do.STOP,
    (Wanted.REST, Stage.DOWN): Do.NOTHING,
    (Wanted.REST, Stage.BROKEN): Do.NOTHING,
    (Wanted.GONE, Stage.ABSENT): Do.NOTHING,
    (Wanted.GONE, Stage.UP): Do.REMOVE,
    (Wanted.GONE, Stage.DOWN): Do.REMOVE,
    (Wanted.GONE, Stage.BROKEN): Do.REMOVE,
}


def decide(wanted: Wanted, stage: Stage) -> Do:
    return TABLE[wanted, stage]
