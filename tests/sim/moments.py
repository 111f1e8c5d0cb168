"""A quiet life, and the same life with one fault at one of its moments."""

from __future__ import annotations

from tests.sim.chance import Odds
from tests.sim.day import Day, Plan, live

# The odds of deletion decide the story: deleted once, and not wanted again.
QUIET = Odds(deleted=1.0, again=0.0)
KINDS = ("crash", "freeze", "lost", "unsent", "late", "drain")
SEED = 5
Job = tuple[int, int, str]


def life(workers: int, *script: tuple[int | str, str]) -> Day:
    """Created, run, deleted."""
    plan = Plan(
        QUIET,
        processes=2,
        clusters=1,
        workers=workers,
        trouble=40.0,
        tidy=0.0,
        script=script,
        base_goes=True,
    )
    return live(SEED, plan)


def wrong(job: Job) -> tuple[Job, list[str]]:
    """What is wrong with it when that happens at that moment."""
    workers, moment, kind = job
    return job, life(workers, (moment, kind)).faults
