"""`make demo` as a newcomer runs it; a module of its own, so that no kept demo is up."""

import os
import subprocess

import pytest

from localcloud import leftovers
from localcloud.ground import Ground

pytestmark = [
    pytest.mark.story,
    pytest.mark.localcloud,
    pytest.mark.timeout(600),
    pytest.mark.skipif(os.geteuid() != 0, reason="the local cloud needs root"),
]
OUTSIDE = {
    name: text for name, text in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))
}


def make_demo() -> subprocess.Popen[str]:
    return subprocess.Popen(
        ("make", "demo"),
        env=OUTSIDE,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_make_demo_tells_all_and_leaves_nothing_and_a_second_one_says_so() -> None:
    assert not leftovers.find(Ground()), "a local cloud is up; stop it first"
    with make_demo() as first:
        try:
            first_line = first.stdout.readline() if first.stdout else ""
            with make_demo() as second:
                said, _ = second.communicate(timeout=60)
            told, _ = first.communicate(timeout=500)
        finally:
            first.kill()
    assert second.returncode != 0
    assert "already" in said, said
    assert first.returncode == 0, first_line + told
    assert "The story in figures" in told
    assert "✓ Nothing is left in EC2" in told
    assert "✓ Nothing is left on this machine" in told
    assert "✗" not in told
    assert leftovers.find(Ground()).lines() == []
