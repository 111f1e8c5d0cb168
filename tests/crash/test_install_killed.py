"""An install cut off in mid-play on one pretend host: by the death of its provisioner, and alone.

The next run converges, and no Ansible process outlives the one who started it.
"""

import os
import signal
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

from localcloud.ground import Ground
from provisioner.install.child import children
from tests.chaos import grounds
from tests.chaos.portal import Portal
from tests.chaos.troupe import Troupe
from tests.crash.story import World, until

GROUND = Ground("kq", 80)
pytestmark = [
    pytest.mark.localcloud,
    pytest.mark.timeout(280),
    pytest.mark.skipif(os.geteuid() != 0, reason="the local cloud needs root"),
]


@pytest.fixture
def hosted(tmp_path):
    with ExitStack() as stack:
        cloud = stack.enter_context(grounds.hosted(tmp_path, print, GROUND))
        settings = grounds.hosted_settings(cloud.ready, tmp_path)
        troupe = Troupe(tmp_path / "run", settings, pretend=False)
        stack.callback(troupe.stop)
        troupe.start_all()
        portal = stack.enter_context(closing(Portal(troupe.url)))
        world = World(cloud, troupe, portal)
        with world.supervised():
            yield world
    assert grounds.residue(GROUND) == []


def program(pid):
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text()
    return ""


def playing(provisioner, but=()):
    """Processes of an install whose Ansible has reached the host (its SSH is there).

    `but`: those of an install before, which may take a moment to end after their signal.
    """
    found = {pid: program(pid) for pid in children(provisioner) if pid not in but}
    is_whole = any("install/child.py" in text for text in found.values())
    is_on_host = any("ssh" in text.partition("\0")[0] for text in found.values())
    return found if is_whole and is_on_host else {}


def test_an_install_killed_in_mid_play_converges(hosted):
    troupe, portal = hosted.troupe, hosted.portal
    portal.create("cats")
    first = until(lambda: playing(troupe.pid("provisioner-1")), "the first install")
    troupe.kill("provisioner-1")
    until(lambda: not any(map(program, first)), "the end of all that it had started")

    second = until(lambda: playing(troupe.pid("provisioner-1")), "the second install")
    child = next(pid for pid, text in second.items() if "install/child.py" in text)
    os.kill(child, signal.SIGKILL)
    until(lambda: playing(troupe.pid("provisioner-1"), but=second), "the third install")
    assert [text for pid, text in second.items() if program(pid) == text] == []

    assert portal.until("cats", "running", "failed", seconds=120)["status"] == "running"
    assert hosted.deaths == ["provisioner-1"]
    portal.delete("cats")
    portal.until("cats", None)
    assert hosted.left() == []
