"""A demo that is interrupted while it works; a module of its own, so that no kept demo is up."""

import os
import signal
import subprocess
import sys
import time

import pytest

from localcloud import leftovers
from localcloud.ground import Ground

pytestmark = [
    pytest.mark.story,
    pytest.mark.localcloud,
    pytest.mark.timeout(600),
    pytest.mark.skipif(os.geteuid() != 0, reason="the local cloud needs root"),
]
DEMO = (sys.executable, "-m", "localcloud.demo")


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGHUP], ids=["ctrl-c", "hangup"])
def test_an_interrupted_demo_leaves_nothing(sign: signal.Signals) -> None:
    assert not leftovers.find(Ground()), "a local cloud is up; stop it first"
    process = subprocess.Popen(DEMO, stdout=subprocess.PIPE, text=True)
    try:
        last = time.monotonic() + 120
        while not leftovers.find(Ground()).namespaces and time.monotonic() < last:
            time.sleep(0.2)
        process.send_signal(sign)
        out, _ = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 130, out
    assert leftovers.find(Ground()).lines() == []
