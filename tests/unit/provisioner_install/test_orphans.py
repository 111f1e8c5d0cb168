"""Who lives in a job's folder is ended with it; everybody else is left alone."""

import contextlib
import os
import signal
import subprocess
from pathlib import Path

import pytest

from provisioner.install import folder, orphans
from provisioner.install.job import InstallSettings

SLEEP = ["sh", "-c", "sleep 60 & wait"]


@pytest.fixture
def living():
    started = []

    def start(home):
        process = subprocess.Popen(
            SLEEP, env={"PATH": "/usr/bin:/bin", "HOME": str(home)}, start_new_session=True
        )
        started.append(process)
        while not Path(f"/proc/{process.pid}/environ").read_bytes():
            pass  # it is still becoming `sh`
        return process

    yield start
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_a_whole_family_is_ended_and_no_neighbour(living, tmp_path):
    mine, other = living(tmp_path / "job"), living(tmp_path / "job2")
    assert orphans.end(tmp_path / "job") >= 1
    assert mine.wait(10) == -9
    assert other.poll() is None
    assert orphans.end(tmp_path / "job") == 0


def test_a_dead_provisioner_s_runs_end_with_its_folder(living, tmp_path):
    left = tmp_path / "kite-install-999999999-x"
    left.mkdir()
    process = living(left)
    folder.sweep(InstallSettings(work_folder=tmp_path))
    assert process.wait(10) == -9
    assert not left.exists()
