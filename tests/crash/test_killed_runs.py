"""A chaos that is itself killed with -9: `make clean` removes all of it, and nothing else."""

import os
import signal
import subprocess
import sys
from contextlib import ExitStack

import pytest

from localcloud import leftovers, tenancy
from tests.chaos.grounds import GROUND
from tests.crash.story import until
from tests.worlds import runs
from tests.worlds.services import ROOT

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Where the runs of a test have their folders."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return tmp_path


@pytest.fixture
def start(folders):
    started = []

    def one(*argv, **env):
        env = {**os.environ, **env}
        started.append(subprocess.Popen(argv, cwd=ROOT, env=env, stdout=subprocess.DEVNULL))
        return started[-1]

    yield one
    for process in started:
        process.kill()
        process.wait()
    runs.clean(print)


def chaos(start, *options):
    return start(sys.executable, "-m", "tests.chaos", "--seconds", "100", "--seed", "k", *options)


def cleaned():
    """What the cleaning says; it must end well."""
    done = subprocess.run(
        (sys.executable, "-m", "tests.worlds.runs"),
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stderr


def members(process):
    """Who carries the mark of this main process."""
    return [pid for pid, run in runs.members().items() if run.pid == process.pid]


def kill(process):
    process.kill()
    process.wait()


def test_a_killed_chaos_is_ended_and_its_neighbours_live(start, folders):
    process = chaos(start, "--hosts", "0")
    until(lambda: len(members(process)) >= 6, "services and an EC2", seconds=120)
    own = runs.Run(os.getpid(), tenancy.began(os.getpid()), str(folders))
    neighbours = [start("sleep", "600"), start("sleep", "600", KITE_TEST_RUN=str(own))]
    assert f"A run goes on (process {process.pid}" in cleaned()
    assert len(members(process)) >= 3  # some may be dead at the moment: it is a chaos

    kill(process)
    assert members(process) != []
    cleaned()
    assert members(process) == []
    assert list(folders.glob("kite-chaos-*")) == []
    assert [one.poll() for one in neighbours] == [None, None]


@pytest.mark.localcloud
@pytest.mark.skipif(os.geteuid() != 0, reason="the local cloud needs root")
def test_a_killed_chaos_with_hosts_leaves_no_namespace_and_no_mount(start, folders):
    assert leftovers.find(GROUND).lines() == [], "another chaos is up or was killed: make clean"
    process = chaos(start, "--hosts", "1")
    until(lambda: leftovers.find(GROUND).processes, "a host that boots", seconds=150, pause=0.2)
    kill(process)
    left = leftovers.find(GROUND)
    assert left.namespaces
    assert left.mounts

    cleaned()
    assert leftovers.find(GROUND).lines() == []
    assert members(process) == []
    assert list(folders.glob("kite-chaos-*")) == []


def test_a_run_has_settings_of_its_own(folders, monkeypatch):
    others = {"KITE_TEST_X": "1", "TMPDIR": str(folders)}
    monkeypatch.setattr("os.environ", {"KITE_SECRET": "x", **others})
    folder = runs.begin("trial")
    (run,) = runs.recorded()
    assert os.environ == {**others, runs.MARK: str(run)}
    assert run.lives
    assert run.folder == str(folder)
    assert folder.parent == folders


def planted(folders, run):
    """The folder of a run, and its record."""
    folder = folders / "kite-chaos-x"
    folder.mkdir(mode=0o700)
    (folder / runs.RECORD).write_text(f"{run}:{folder}")
    return folder


def test_a_recycled_number_is_no_run_that_lives(folders, start):
    process = start("sleep", "600")
    folder = planted(folders, f"{process.pid}:{tenancy.began(process.pid) - 1}")
    cleaned()
    assert not folder.exists()
    assert process.poll() is None


def test_what_lost_its_folder_is_ended_all_the_same(folders, start):
    process = start("sleep", "600", KITE_TEST_RUN=f"1:1:{folders}/gone")
    cleaned()
    assert process.wait(30) == -signal.SIGKILL


def test_a_folder_that_others_may_write_to_is_not_believed(folders):
    folder = planted(folders, "1:1")
    folder.chmod(0o777)
    cleaned()
    assert folder.exists()
    folder.chmod(0o700)
    cleaned()
    assert not folder.exists()


def test_a_number_that_another_process_has_by_now_is_not_killed(folders, start):
    process = start("sleep", "600")
    with ExitStack() as held:
        assert runs._killed(held, process.pid, runs.Run(1, 1, str(folders))) is None
    assert process.poll() is None


@pytest.mark.parametrize("damaged", ["", "{", "1:2", "x:1:/tmp"])
def test_a_damaged_record_is_passed_over(folders, damaged):
    folder = planted(folders, "1:1")
    (folder / runs.RECORD).write_text(damaged)
    cleaned()
    assert folder.exists()
