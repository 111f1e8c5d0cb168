"""Bad luck from one seed; `calm` ends it."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, fields, replace

TYPES = ("m5.large", "m6i.large", "m5a.large", "m6a.large")
SUBNETS = ("subnet-a", "subnet-b", "subnet-c")


@dataclass(frozen=True)
class Odds:
    """Probabilities per call, per machine or per day."""

    # of a process, at every await that reaches outside: before and after the effect
    crash: float = 0.0
    freeze: float = 0.0  # it stands still, mostly longer than its lease
    drain: float = 0.0  # it is ended politely, per minute
    skew: float = 0.0  # its wall clock jumps, per minute
    # of the way to a service and back
    lost: float = 0.0  # a reply of EC2 or the whitelist service
    unsent: float = 0.0  # a request
    late: float = 0.0  # a request that is carried out after its sender gave up
    registry: float = 0.0  # a request or reply of the registry
    race: float = 0.0  # another request is answered between a read and its write, per write
    away: float = 0.0  # a service is away for minutes, per minute
    throttle: float = 0.0
    # of EC2
    dry: float = 0.0  # an offer has no capacity for a while
    drought: float = 0.0  # most offers have none, all day
    quota: float = 0.0
    forbidden: float = 0.0  # credentials are refused for minutes, per minute
    hide: float = 0.0  # a fresh machine is not shown for a while
    lag: float = 0.0  # what is fresh is not found by its tags for a while
    unknown_group: float = 0.0  # a fresh group is not known to RunInstances for a while
    slow_end: float = 0.0
    volume_stays: float = 0.0
    # of a machine
    never_boots: float = 0.0
    dies_at_boot: float = 0.0
    no_ssh: float = 0.0
    install_breaks: float = 0.0
    install_stumbles: float = 0.0
    install_hangs: float = 0.0
    mute: float = 0.0  # Milvus never answers
    # of the neighbours, per cluster
    killed: float = 0.0
    stopped: float = 0.0
    deleted: float = 0.5
    again: float = 0.5  # of those deleted: the same name once more
    veil: float = 0.0  # EC2 does not show its old machines for a while


WORST = Odds(
    crash=0.03,
    freeze=0.05,
    drain=0.2,
    skew=0.1,
    lost=0.15,
    unsent=0.1,
    late=0.05,
    registry=0.08,
    race=1.0,
    away=0.05,
    throttle=0.15,
    dry=0.5,
    drought=0.15,
    quota=0.05,
    forbidden=0.04,
    hide=0.5,
    lag=0.5,
    unknown_group=0.5,
    slow_end=0.5,
    volume_stays=0.5,
    never_boots=0.2,
    dies_at_boot=0.2,
    no_ssh=0.2,
    install_breaks=0.1,
    install_stumbles=0.3,
    install_hangs=0.1,
    mute=0.1,
    killed=0.6,
    stopped=0.4,
    veil=0.3,
)
_RARE = {"freeze": 0.3, "skew": 0.3, "drought": 0.5}


def odds_of(seed: int) -> Odds:
    """Every seed has its own sort of bad day: about half of the troubles, more or less of each."""
    dice = random.Random(seed * 7919 + 1)
    found = {}
    for one in fields(Odds):
        worst, how_often = getattr(WORST, one.name), _RARE.get(one.name, 0.5)
        if one.name not in {"deleted", "again"} and worst:
            found[one.name] = dice.uniform(0, worst) if dice.random() < how_often else 0.0
    return replace(WORST, **found)


@dataclass
class Chance:
    """The dice of one day. The story's own dice are apart, so that odds do not change who asks.

    `late` are those of troubles thought of later: days without them stay as they were.
    """

    seed: int
    odds: Odds
    calm: bool = False
    dice: random.Random = field(init=False)
    story: random.Random = field(init=False)
    late: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.story = random.Random(self.seed * 104_729 + 7)
        self.late = random.Random(self.seed * 15_485_863 + 11)

    def hits(self, name: str) -> bool:
        if self.calm:
            return False
        odds: float = getattr(self.odds, name)
        return odds > 0 and self.dice.random() < odds

    def coin(self) -> bool:
        return self.dice.random() < 0.5

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * self.dice.random()
