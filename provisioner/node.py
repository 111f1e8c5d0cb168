"""The life of one node as a table: where it is and what was seen give where it goes. Pure.

Every pair is present. A machine that once ran Milvus holds its data, so nothing here ends such a
machine except the user's own wish, and it counts as lost only when EC2 shows its end: what EC2 does
not show is looked for as long as it is wanted. What never ran is replaced, and what failed is
removed.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from provisioner.limits import Wait


class Life(StrEnum):
    """Where a node is: the seed's four words, and three ways of leaving."""

    STARTING = "starting"
    LOADING = "loading"
    RUNNING = "running"
    FAILED = "failed"
    REPLACING = "replacing"  # this machine goes, another follows
    LEAVING = "leaving"  # the cluster is not wanted any more
    GONE = "gone"


class Saw(StrEnum):
    """What one turn saw of a node, in one word."""

    NOTHING = "nothing"  # no machine was ever asked for under this attempt
    REFUSED = "refused"  # EC2 had no capacity for the last offer
    ASKED = "asked"  # asked for; whether EC2 did it is not known
    USED = "used"  # EC2 made a machine under this token of which the record knows nothing
    UNSEEN = "unseen"  # EC2 gave an id and does not show it
    PENDING = "pending"
    BOOTING = "booting"
    REACHABLE = "reachable"
    INSTALLING = "installing"
    STUMBLED = "stumbled"  # the install failed in a way that may pass
    BROKEN = "broken"  # the install failed for good
    INSTALLED = "installed"  # installed; Milvus does not answer
    UNSECURED = "unsecured"  # Milvus answers to the password it was born with
    ANSWERS = "answers"
    STOPPED = "stopped"
    ENDING = "ending"
    ENDED = "ended"


class Do(StrEnum):
    NOTHING = "nothing"
    RESERVE = "reserve"  # freeze launch parameters, then launch
    LAUNCH = "launch"  # again, under the same token
    RENEW = "renew"  # next attempt, unless the breaker is open
    INSTALL = "install"
    SECURE = "secure"
    TERMINATE = "terminate"
    FORGET = "forget"  # nothing is left of the machine


@dataclass(frozen=True, slots=True)
class Step:
    """Go `to`, `do` that, and say `why`; `wait` names the deadline that runs meanwhile.

    `anew`: that deadline is over and nothing but waiting on is left, so it begins again.
    """

    to: Life
    do: Do
    why: str
    wait: Wait | None = None
    reason: str = ""
    anew: bool = False


CLOUD_SLOW = "CLOUD_SLOW"
OTHER_LAUNCH = "LAUNCH_PARAMETERS_CHANGED"
_ASK = "asking EC2 for a machine"
_INSTALL = "installing Milvus"
_USED = Step(
    Life.STARTING,
    Do.NOTHING,
    "looking for the machine that was launched before under this name",
    Wait.UNSEEN,
    OTHER_LAUNCH,
)
_ALIVE = (
    Saw.PENDING,
    Saw.BOOTING,
    Saw.REACHABLE,
    Saw.INSTALLING,
    Saw.STUMBLED,
    Saw.BROKEN,
    Saw.INSTALLED,
    Saw.UNSECURED,
    Saw.ANSWERS,
    Saw.STOPPED,
)


def _growing(here: Life) -> dict[Saw, Step]:
    """STARTING and LOADING: on the way to an answering Milvus."""
    stay, to_replace = here, Life.REPLACING
    failed = Life.FAILED
    return {
        Saw.NOTHING: Step(Life.STARTING, Do.RESERVE, _ASK, Wait.CAPACITY),
        Saw.REFUSED: Step(Life.STARTING, Do.RESERVE, _ASK, Wait.CAPACITY),
        Saw.ASKED: Step(Life.STARTING, Do.LAUNCH, _ASK, Wait.CAPACITY),
        Saw.USED: _USED,
        Saw.UNSEEN: Step(stay, Do.NOTHING, "EC2 does not show the machine yet", Wait.UNSEEN),
        Saw.PENDING: Step(Life.STARTING, Do.NOTHING, "the machine is pending", Wait.PENDING),
        Saw.BOOTING: Step(Life.STARTING, Do.NOTHING, "waiting for SSH", Wait.SSH),
        Saw.REACHABLE: Step(Life.LOADING, Do.INSTALL, _INSTALL, Wait.INSTALL),
        Saw.INSTALLING: Step(Life.LOADING, Do.NOTHING, _INSTALL, Wait.INSTALL),
        Saw.STUMBLED: Step(Life.LOADING, Do.INSTALL, _INSTALL, Wait.INSTALL),
        Saw.BROKEN: Step(failed, Do.TERMINATE, "the install failed", reason="INSTALL_FAILED"),
        Saw.INSTALLED: Step(Life.LOADING, Do.NOTHING, "waiting for Milvus", Wait.MILVUS),
        Saw.UNSECURED: Step(Life.LOADING, Do.SECURE, "waiting for Milvus", Wait.MILVUS),
        Saw.ANSWERS: Step(Life.RUNNING, Do.NOTHING, "Milvus answers"),
        Saw.STOPPED: Step(Life.STARTING, Do.NOTHING, "the machine is stopped", Wait.PENDING),
        Saw.ENDING: Step(
            to_replace, Do.NOTHING, "the machine is ending", Wait.ENDING, "INSTANCE_LOST"
        ),
        Saw.ENDED: Step(Life.STARTING, Do.RENEW, "the machine ended", reason="INSTANCE_LOST"),
    }


def _running() -> dict[Saw, Step]:
    here = Life.RUNNING
    silent = Step(here, Do.NOTHING, "Milvus does not answer", reason="MILVUS_SILENT")
    damaged = Step(Life.FAILED, Do.NOTHING, "the record names no machine", reason="RECORD_DAMAGED")
    return {
        Saw.NOTHING: damaged,
        Saw.REFUSED: damaged,
        Saw.ASKED: damaged,
        Saw.USED: damaged,
        Saw.UNSEEN: Step(
            here,
            Do.NOTHING,
            "EC2 does not show the machine, which is still looked for",
            reason="INSTANCE_UNSEEN",
        ),
        Saw.PENDING: Step(here, Do.NOTHING, "the machine starts again", reason="INSTANCE_PENDING"),
        Saw.BOOTING: silent,
        Saw.REACHABLE: silent,
        Saw.INSTALLING: silent,
        Saw.STUMBLED: silent,
        Saw.BROKEN: silent,
        Saw.INSTALLED: silent,
        Saw.UNSECURED: Step(here, Do.SECURE, "the root password was reset"),
        Saw.ANSWERS: Step(here, Do.NOTHING, "Milvus answers"),
        Saw.STOPPED: Step(
            here,
            Do.NOTHING,
            "the machine was stopped outside Kite; start it again",
            reason="INSTANCE_STOPPED",
        ),
        Saw.ENDING: Step(
            Life.FAILED, Do.NOTHING, "the machine was ended outside Kite", reason="INSTANCE_LOST"
        ),
        Saw.ENDED: Step(
            Life.FAILED, Do.FORGET, "the machine was ended outside Kite", reason="INSTANCE_LOST"
        ),
    }


def _removal(here: Life, after: Life, then: Do) -> dict[Saw, Step]:
    """FAILED, REPLACING and LEAVING: the machine goes, and is seen to be gone."""
    end = Step(here, Do.TERMINATE, "ending the machine", Wait.ENDING)
    over = Step(after, then, "the machine is gone")
    look = Step(here, Do.NOTHING, "looking whether EC2 made the machine after all", Wait.UNSEEN)
    return {
        Saw.NOTHING: over,
        Saw.REFUSED: over,
        Saw.ASKED: look,
        Saw.USED: look,
        Saw.UNSEEN: Step(here, Do.NOTHING, "EC2 does not show the machine", Wait.UNSEEN),
        Saw.ENDING: Step(here, Do.NOTHING, "waiting until EC2 confirms the end", Wait.ENDING),
        Saw.ENDED: over,
    } | dict.fromkeys(_ALIVE, end)


TABLE: dict[Life, dict[Saw, Step]] = {
    Life.STARTING: _growing(Life.STARTING),
    Life.LOADING: _growing(Life.LOADING),
    Life.RUNNING: _running(),
    Life.FAILED: _removal(Life.FAILED, Life.FAILED, Do.FORGET),
    Life.REPLACING: _removal(Life.REPLACING, Life.STARTING, Do.RENEW),
    Life.LEAVING: _removal(Life.LEAVING, Life.GONE, Do.FORGET),
    Life.GONE: dict.fromkeys(Saw, Step(Life.GONE, Do.NOTHING, "gone")),
}


def _late(to: Life, why: str, reason: str) -> Step:
    return Step(to, Do.TERMINATE, why, Wait.ENDING, reason)


_FAILS = Step(
    Life.FAILED,
    Do.FORGET,
    "EC2 had no capacity in any zone for any equivalent type",
    reason="INSUFFICIENT_CAPACITY",
)
_NO_SSH = _late(Life.REPLACING, "SSH did not answer in time", "SSH_UNREACHABLE")
_NO_INSTALL = _late(Life.FAILED, "the install did not end in time", "INSTALL_TOO_LONG")
_NO_MILVUS = _late(Life.FAILED, "Milvus did not answer in time", "MILVUS_NOT_HEALTHY")
_NO_BOOT = _late(Life.REPLACING, "the machine did not start in time", "PENDING_TOO_LONG")


def _slow(do: Do) -> Step:
    return Step(Life.STARTING, do, _ASK, Wait.CAPACITY, CLOUD_SLOW, anew=True)


# What a passed deadline means while a machine grows. NOTHING and ASKED go on: EC2 was away or asked
# to slow down, and as long as the outcome of a launch is unknown, only repeating it under the same
# token can settle it. So does USED: that machine may hold data, and no other one may follow it
# before EC2 says that it has ended.
OVERDUE: dict[Saw, Step] = {
    Saw.NOTHING: _slow(Do.RESERVE),
    Saw.ASKED: _slow(Do.LAUNCH),
    Saw.USED: replace(_USED, do=Do.LAUNCH, anew=True),
    Saw.REFUSED: _FAILS,
    Saw.PENDING: _NO_BOOT,
    Saw.STOPPED: _NO_BOOT,
    Saw.BOOTING: _NO_SSH,
    Saw.REACHABLE: _NO_INSTALL,
    Saw.INSTALLING: _NO_INSTALL,
    Saw.STUMBLED: _NO_INSTALL,
    Saw.INSTALLED: _NO_MILVUS,
    Saw.UNSECURED: _NO_MILVUS,
}
_GROWING = frozenset({Life.STARTING, Life.LOADING})


def step(now: Life, saw: Saw, *, late: bool = False) -> Step:
    """Where to go and what to do; `late` says that the deadline of the present wait is over."""
    found = TABLE[now][saw]
    if not late or found.wait is None:
        return found
    if now in _GROWING and saw in OVERDUE:
        return OVERDUE[saw]
    if found.wait is Wait.UNSEEN:  # it never ran, or is to go: as good as ended
        return TABLE[now][Saw.ENDED]
    if now in _GROWING:
        return found
    return Step(found.to, Do.TERMINATE, "ending the machine once more", Wait.ENDING)


def spared(now: Life, saw: Saw, found: Step) -> Step:
    """The step in the place of `found` where the machine may hold data its record knows not of.

    What would end a machine that never ran is told as the reason instead, and waited on. Its own
    end is that of a machine that ran. Where it is to go, or runs, the step stands.
    """
    if now not in _GROWING:
        return found
    if saw in {Saw.ENDING, Saw.ENDED}:
        return TABLE[Life.RUNNING][saw]
    if found.do not in {Do.TERMINATE, Do.RENEW}:
        return found
    stay = TABLE[now][saw]
    reason = TABLE[Life.RUNNING][saw].reason if saw is Saw.UNSEEN else found.reason
    to = now if stay.to is Life.FAILED else stay.to
    do = Do.NOTHING if stay.do is Do.TERMINATE else stay.do
    return replace(stay, to=to, do=do, reason=reason)
