"""The installer against hosts that are hostile or hang: it ends, says why, leaves nothing."""

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from provisioner.install import folder
from provisioner.install.job import InstallHost, InstallJob, InstallSettings, Reason
from provisioner.install.runner import Installer

ROOT = Path(__file__).parents[2]
KEY = "ssh-ed25519 " + "A" * 68
CANARY = "canary-7f3a9c"
PATIENCE = 30


@asynccontextmanager
async def hanging_host():
    """A machine whose SSH greets and then says nothing more."""
    open_lines = []

    async def greet(_, writer):
        open_lines.append(writer)
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in open_lines:
            writer.close()


def host(token="tok"):
    return InstallHost(token, "i-0123456789abcdef0", "127.0.0.1", "master", KEY)


def job(key="job", *hosts, **change):
    made = InstallJob(key, hosts or (host(),), b"KEY " + CANARY.encode(), {}, {})
    return replace(made, secrets={"milvus_root_password": CANARY}, **change)


@pytest.fixture
def short(tmp_path_factory):
    """A folder with a path short enough for sockets."""
    path = Path(f"/tmp/kp{os.getpid()}")
    path.mkdir(mode=0o700)
    yield path
    left = list(path.iterdir())
    path.rmdir() if not left else None
    assert not left, left


@pytest.fixture
async def installer(short):
    made = []

    def make(port, **change):
        settings = InstallSettings(work_folder=short, ssh_port=port, connect_seconds=5)
        made.append(Installer(replace(settings, **change)))
        return made[-1]

    yield make
    for one in made:
        await one.close()


async def ended(installer, key="job"):
    async with asyncio.timeout(PATIENCE):
        return await installer.wait(key)


async def seen(ask):
    async with asyncio.timeout(PATIENCE):
        while not (answer := ask()):  # noqa: ASYNC110 - other processes set no event
            await asyncio.sleep(0.02)
    return answer


def processes(path, name=""):
    """Processes that have the folder in their command line or their environment."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_text("latin-1")
            told = words + (entry / "environ").read_text("latin-1")
        except OSError:
            continue
        if str(path) in told and name in words:
            found.append(entry)
    return found


def playing(path):
    return processes(path, "ansible-playbook")


async def test_an_unknown_job_is_nothing(installer):
    one = installer(22)

    assert (one.progress("x"), one.results("x"), one.running("x")) == ((), None, False)
    await one.cancel("x")


async def test_a_bad_job_is_refused_with_a_sentence(installer):
    one = installer(22)
    one.start(job("job", replace(host(), address="{{ 1 }}")))

    (result,) = await ended(one)

    assert (result.ok, result.reason) == (False, Reason.BAD_JOB)
    assert "address" in result.description


async def test_a_closed_port_is_unreachable(installer):
    one = installer(9, connect_seconds=0)
    one.start(job())

    (result,) = await ended(one)

    assert result.reason == Reason.UNREACHABLE


async def test_a_host_that_hangs_meets_the_deadline(installer, short):
    async with hanging_host() as port:
        one = installer(port, deadline_seconds=2.5)
        one.start(job())
        await seen(lambda: playing(short))
        (result,) = await ended(one)

    assert result.reason == Reason.DEADLINE
    assert processes(short) == []


async def test_a_silent_run_is_ended(installer, short):
    async with hanging_host() as port:
        one = installer(port, idle_seconds=1.5)
        one.start(job())
        (result,) = await ended(one)

    assert (result.reason, result.description) == (Reason.DEADLINE, "no sign of life for 1.5 s")
    assert processes(short) == []


async def test_cancelling_leaves_no_process_and_no_file(installer, short):
    async with hanging_host() as port:
        one = installer(port)
        one.start(job())
        await seen(lambda: playing(short))

        await one.cancel("job")

        (result,) = one.results("job")
        assert result.reason == Reason.CANCELLED
        assert processes(short) == []
        assert list(short.iterdir()) == []


async def test_the_same_key_again_does_nothing(installer, short):
    async with hanging_host() as port:
        one = installer(port)
        one.start(job())
        one.start(job())
        await seen(lambda: playing(short))

        assert len(list(short.iterdir())) == 1


async def test_no_more_runs_at_once_than_allowed(installer, short):
    async with hanging_host() as port:
        one = installer(port, concurrency=1)
        one.start(job("a"))
        one.start(job("b"))
        await seen(lambda: playing(short))

        assert one.progress("b")[0].step == "waiting for its turn"
        assert len(list(short.iterdir())) == 1

        await one.cancel("a")
        await seen(lambda: one.progress("b")[0].step != "waiting for its turn")


async def test_secrets_lie_in_private_files_and_nowhere_else(installer, short, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CANARY)
    async with hanging_host() as port:
        one = installer(port)
        one.start(job())
        await seen(lambda: playing(short))
        (place,) = short.iterdir()

        assert place.stat().st_mode & 0o777 == 0o700
        holders = set()
        for path in place.rglob("*"):
            if path.is_file() and CANARY.encode() in path.read_bytes():
                assert path.stat().st_mode & 0o777 == 0o600
                holders.add(path.name)
        assert holders == {"key", "milvus_root_password"}
        for entry in processes(short):
            assert CANARY.encode() not in (entry / "environ").read_bytes()
            assert CANARY.encode() not in (entry / "cmdline").read_bytes()


async def test_a_finished_job_forgets_its_secrets(installer):
    one = installer(9, connect_seconds=0)
    one.start(job())
    await ended(one)

    assert CANARY not in repr(one._runs["job"].job.secrets)
    assert one._runs["job"].job.private_key == b""


VICTIM = """
import asyncio, sys
from dataclasses import replace
from pathlib import Path
from tests.playbooks.test_runner import InstallSettings, Installer, job

async def main():
    one = Installer(InstallSettings(work_folder=Path(sys.argv[1]), ssh_port=int(sys.argv[2])))
    one.start(job())
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_nothing_outlives_a_killed_provisioner(short, number):
    async with hanging_host() as port:
        victim = subprocess.Popen(  # noqa: ASYNC220 - it returns at once
            [sys.executable, "-c", VICTIM, short, str(port)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        try:
            await seen(lambda: playing(short))
        finally:
            victim.send_signal(number)
            victim.wait()

        await seen(lambda: not processes(short))
        await seen(lambda: not list(short.iterdir()))


def test_a_dead_process_s_folder_is_swept(tmp_path):
    dead, alive = tmp_path / "kite-install-999999999-x", tmp_path / f"kite-install-{os.getpid()}-x"
    other = tmp_path / "kite-install-x"
    for path in (dead, alive, other):
        path.mkdir()

    folder.sweep(InstallSettings(work_folder=tmp_path))

    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([alive.name, other.name])


def test_a_path_too_long_for_sockets_is_refused(tmp_path):
    deep = tmp_path / ("d" * 80)

    with pytest.raises(folder.BadJob, match="too long"):
        folder.make(job(), InstallSettings(work_folder=deep))
