"""SIGKILL to any service at any moment, by seed: the story ends as if nothing had happened."""

import os
import threading
from random import Random

import pytest

from tests.crash.story import Story

SEEDS = int(os.environ.get("KITE_TEST_SEEDS") or 4)
MOST = 10


@pytest.mark.parametrize("seed", range(SEEDS))
def test_deaths_at_random_moments_change_nothing(world, undisturbed, seed):
    dice, over = Random(f"kills {seed}"), threading.Event()

    def kill():
        for _ in range(MOST):
            if over.wait(dice.uniform(0.05, 0.7)):
                return
            world.troupe.kill(dice.choice(world.troupe.names))

    killer = threading.Thread(target=kill)
    killer.start()
    story = Story(world)
    try:
        story.tell()
    finally:
        over.set()
        killer.join()
    assert world.deaths
    assert story.shape == undisturbed
