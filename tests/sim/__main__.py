"""`make sim`: many days, one day with its story, or every safeguard switched off once."""

from __future__ import annotations

import argparse
import sys
import time

from tests.sim.ablations import BY_NAME, of_all, without
from tests.sim.day import Plan, live
from tests.sim.many import Figures, many

PAUSE = 15.0  # seconds between two lines of progress


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    """0 when every day ended well (or every switch showed), else 1."""
    asked = argparse.ArgumentParser(prog="make sim", description=__doc__)
    asked.add_argument("--days", type=int, default=10_000, help="how many days")
    asked.add_argument("--first", type=int, default=0, help="seed of the first")
    asked.add_argument("--seed", type=int, help="live this day alone and print its story")
    asked.add_argument("--without", choices=BY_NAME, help="... on its sort of day, safeguard off")
    asked.add_argument("--like", choices=BY_NAME, help="... on that sort of day, safeguard on")
    asked.add_argument("--ablation", action="store_true", help="the table of safeguards")
    given = asked.parse_args()
    if given.seed is None and (given.without or given.like):
        asked.error("--without and --like tell one day: name it with --seed")
    if given.seed is not None:
        with without(given.without or "") as plan:
            return story(given.seed, BY_NAME[given.like].plan if given.like else plan)
    return ablation(given.days) if given.ablation else days(given.first, given.days)


def story(seed: int, plan: Plan | None = None) -> int:
    day = live(seed, plan)
    say(day.tale.text())
    say(f"\nstory {day.tale.digest}, seed {seed}: {day.faults or 'ended well'}")
    return bool(day.faults)


class Progress:
    """A line now and then while many days are lived."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._next = time.monotonic() + PAUSE

    def __call__(self, found: Figures) -> None:
        now = time.monotonic()
        if now >= self._next and found.days < self._count:
            say(f"{found.days:,} of {self._count:,} days lived, {len(found.bad)} wrong")
            self._next = now + PAUSE


def days(first: int, count: int) -> int:
    began = time.monotonic()
    found = many(first, count, heard=Progress(count))
    took = time.monotonic() - began
    say(f"{found.text()}\n{took:.0f} s, {count / took:.0f} days a second")
    for seed, faults in sorted(found.bad.items()):
        say(f"seed {seed}: {faults}")
    if found.bad:
        story(min(found.bad))
    return bool(found.bad)


def ablation(count: int) -> int:
    say("switched off                 wrong end   extra wrong way   days  first seeds")
    blind = 0
    for switch, found in of_all(count):
        blind += not (found.seeds or switch.held_by)
        first = ", ".join(map(str, found.seeds[:3])) or switch.held_by or "-"
        say(
            f"{switch.safeguard:<28}{found.ends:>10}{found.extras:>8}{found.ways:>10}"
            f"{found.days:>7}  {first}"
        )
    return bool(blind)


if __name__ == "__main__":
    sys.exit(main())
