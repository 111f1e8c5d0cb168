"""One fault at every single moment of a life: a crash, a pause, a lost answer, a lost request.

The moments of a quiet life are counted first; then every one of them gets its day, with one fault
there and none elsewhere.
"""

from __future__ import annotations

import pytest

from tests.sim.many import pool
from tests.sim.moments import KINDS, life, wrong


@pytest.mark.parametrize("workers", [0, 1])
def test_whatever_happens_at_any_one_moment_all_ends_well(workers):
    quiet = life(workers)
    assert not quiet.faults
    assert len(quiet.moments) > 100  # a life of a few moments would prove little
    jobs = [(workers, at + 1, kind) for at in range(len(quiet.moments)) for kind in KINDS]
    with pool() as cores:
        bad = [(job, found) for job, found in cores.map(wrong, jobs, chunksize=25) if found]
    assert not bad, f"{len(bad)} of {len(jobs)}: {bad[:3]}"
