"""Bad luck from one seed; `calm` ends it."""

from __future__ import annotations

import random
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Odds:
    """Probabilities per call or per machine."""

    crash: float = 0.0
    lost: float = 0.0
    throttle: float = 0.0
    dry: float = 0.0  # an offer has no capacity
    hide: float = 0.0  # a fresh machine is not shown for a while
    never_boots: float = 0.0
    dies_at_boot: float = 0.0
    no_ssh: float = 0.0
    install_breaks: float = 0.0
    install_stumbles: float = 0.0
    registry: float = 0.0
    freeze: float = 0.0  # the whole process stands still, longer than its lease


@dataclass
class Chance:
    seed: int
    odds: Odds
    calm: bool = False
    drought: bool = False
    dice: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.drought = self.dice.random() < 0.1

    def hits(self, name: str) -> bool:
        return not self.calm and self.dice.random() < getattr(self.odds, name)

    def between(self, low: float, high: float) -> float:
        return self.dice.uniform(low, high)


def odds_of(seed: int) -> Odds:
    """Every seed has its own sort of bad day."""
    dice = random.Random(seed * 7919)

    def some(most: float) -> float:
        return dice.choice((0.0, dice.uniform(0, most)))

    return Odds(
        crash=some(0.06),
        lost=some(0.2),
        throttle=some(0.1),
        dry=some(0.5),
        hide=some(0.5),
        never_boots=some(0.2),
        dies_at_boot=some(0.2),
        no_ssh=some(0.2),
        install_breaks=some(0.1),
        install_stumbles=some(0.3),
        registry=some(0.1),
        freeze=dice.choice((0.0, 0.0, 0.0, dice.uniform(0, 0.02))),
    )
