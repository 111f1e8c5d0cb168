"""`kite serve all` as an operator meets it: one dies, all stop, and the log says which."""

import os
import signal

import pytest

from tests.worlds.services import serving

NOBODY = "http://127.0.0.1:9"
pytestmark = pytest.mark.timeout(180)


def kill_registry(folder):
    with serving(folder, NOBODY) as services:
        found = services.pids()
        assert set(found) == {"registry", "provisioner", "whitelist", "bff"}
        os.kill(found["registry"], signal.SIGKILL)
        os.waitid(os.P_PID, services.pid, os.WEXITED | os.WNOWAIT)


def test_one_that_dies_ends_all_and_is_named(tmp_path):
    with pytest.raises(AssertionError, match="registry was killed by SIGKILL; the others were"):
        kill_registry(tmp_path)
    assert "Traceback" not in (tmp_path / "services.log").read_text()


def test_settings_that_cannot_be_are_refused_before_anything_starts(tmp_path):
    with (
        pytest.raises(AssertionError, match="KITE_BFF_LIMITS: unknown setting"),
        serving(tmp_path, NOBODY, KITE_BFF_LIMITS="1"),
    ):
        pass
