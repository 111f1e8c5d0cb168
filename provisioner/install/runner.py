"""Run installs: one child process per job, bounded, with deadlines, leaving nothing behind."""

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from provisioner.install import folder, progress
from provisioner.install.inventory import BadJob, check
from provisioner.install.job import (
    HostProgress,
    InstallHost,
    InstallJob,
    InstallResult,
    InstallSettings,
    Reason,
)
from provisioner.install.progress import Event, Story

CHILD = Path(__file__).with_name("child.py")
KEPT_RUNS = 512
FORKS_LIMIT = 32
GRACE_SECONDS = 10.0
LINE_LIMIT = 1 << 20


class _TooLate(Exception):
    """The run was silent for too long or ran for too long; the sentence says which."""


@dataclass
class _Run:
    job: InstallJob
    story: Story
    began: float
    task: asyncio.Task[None] | None = None
    results: tuple[InstallResult, ...] | None = None
    ended: dict[str, float] = field(default_factory=dict)

    def tell(self, event: Event) -> None:
        self.story = progress.tell(self.story, event)
        self._note()

    def finish(self, reason: Reason, description: str) -> None:
        self.story = progress.finish(self.story, reason, description)
        self._note()

    def seal(self) -> None:
        self.results = tuple(
            InstallResult(
                token=host.token,
                ok=(end := self.story[host.token]).reason == Reason.OK,
                reason=end.reason,
                description=end.description,
                seconds=round(self.ended.get(host.token, 0.0), 3),
            )
            for host in self.job.hosts
        )
        self.job = replace(self.job, private_key=b"", secrets={})

    def _note(self) -> None:
        for token, host in self.story.items():
            if host.reason and token not in self.ended:
                self.ended[token] = time.monotonic() - self.began


class Installer:
    """Starts jobs and answers how they stand. Use it inside one running event loop."""

    def __init__(self, settings: InstallSettings) -> None:
        self._settings = settings
        self._runs: dict[str, _Run] = {}
        self._turn = asyncio.Semaphore(settings.concurrency or os.cpu_count() or 1)
        folder.sweep(settings)

    def start(self, job: InstallJob) -> None:
        """Begin the job and return at once; a key that is known already does nothing."""
        if job.key in self._runs:
            return
        self._forget_old()
        run = _Run(job, progress.begin([host.token for host in job.hosts]), time.monotonic())
        self._runs[job.key] = run
        run.task = asyncio.create_task(self._carry_out(run), name=f"install {job.key}")

    def progress(self, key: str) -> tuple[HostProgress, ...]:
        """Where each host stands; empty when the key is unknown."""
        run = self._runs.get(key)
        return progress.progress(run.story) if run else ()

    def results(self, key: str) -> tuple[InstallResult, ...] | None:
        """One result per host; None while running or unknown."""
        run = self._runs.get(key)
        return run.results if run else None

    def running(self, key: str) -> bool:
        """Whether the job has not ended yet."""
        run = self._runs.get(key)
        return run is not None and run.results is None

    async def wait(self, key: str) -> tuple[InstallResult, ...]:
        """The results when the job has ended; none for a job nobody knows."""
        run = self._runs.get(key)
        if run is None or run.task is None:
            return ()
        await asyncio.shield(run.task)
        return run.results or ()

    async def cancel(self, key: str) -> None:
        """End the job now; its hosts get the reason CANCELLED."""
        run = self._runs.get(key)
        if run and run.task:
            run.task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await run.task

    async def close(self) -> None:
        """Cancel every job and wait until nothing of them is left."""
        await asyncio.gather(*(self.cancel(key) for key in list(self._runs)))

    def _forget_old(self) -> None:
        ended = [key for key, run in self._runs.items() if run.results is not None]
        for key in ended[: max(0, len(ended) - KEPT_RUNS + 1)]:
            del self._runs[key]

    async def _carry_out(self, run: _Run) -> None:
        """The whole life of a job; whatever happens, it ends with results."""
        reason, words = Reason.RUNNER_FAILED, "the run ended without telling about this host"
        try:
            check(run.job, self._settings)
            async with self._turn, asyncio.timeout(self._settings.deadline_seconds):
                words = await self._run(run) or words
        except BadJob as error:
            reason, words = Reason.BAD_JOB, str(error)
        except TimeoutError:
            reason = Reason.DEADLINE
            words = f"not done after {self._settings.deadline_seconds:g} s"
        except _TooLate as error:
            reason, words = Reason.DEADLINE, str(error)
        except asyncio.CancelledError:
            reason, words = Reason.CANCELLED, "the install was cancelled"
        except Exception as error:  # noqa: BLE001 - a result with a reason, never a lost task
            words = f"{type(error).__name__}: {error}"
        finally:
            run.finish(reason, words)
            run.seal()

    async def _run(self, run: _Run) -> str:
        """Reach the hosts, run the playbook on those that answer; words of a failed run."""
        reached = await self._reach(run)
        if not reached:
            return ""
        job = replace(run.job, hosts=reached)
        place = await asyncio.to_thread(folder.make, job, self._settings)
        try:
            return await self._play(run, job, place)
        finally:
            await asyncio.to_thread(folder.drop, place)

    async def _reach(self, run: _Run) -> tuple[InstallHost, ...]:
        """The hosts whose SSH answers in time; the others get their end here."""
        for host in run.job.hosts:
            run.tell(Event("connecting", host.token))
        reached = await asyncio.gather(*(self._answers(host) for host in run.job.hosts))
        for host, there in zip(run.job.hosts, reached, strict=True):
            if not there:
                words = f"SSH does not answer after {self._settings.connect_seconds:g} s"
                run.tell(Event("runner_on_unreachable", host.token, result={"msg": words}))
        return tuple(h for h, there in zip(run.job.hosts, reached, strict=True) if there)

    async def _answers(self, host: InstallHost) -> bool:
        until = time.monotonic() + self._settings.connect_seconds
        pause = 0.05
        while not await banner(host.address, self._settings.ssh_port):
            if time.monotonic() + pause > until:
                return False
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 1.0)
        return True

    async def _play(self, run: _Run, job: InstallJob, place: Path) -> str:
        """One run of install.yml in a child process; words of a failed run."""
        child = await self._spawn(place)
        assert child.stdin is not None
        assert child.stdout is not None
        words = ""
        try:
            child.stdin.write(json.dumps(self._order(job, place)).encode() + b"\n")
            async for told in self._lines(child.stdout):
                event = _event(told)
                if event.kind == "end":
                    words = progress.clean(str(event.result.get("msg", "")))
                run.tell(event)
        finally:
            await _end(child)
        return words[-progress.WORDS_LIMIT :]

    async def _spawn(self, place: Path) -> asyncio.subprocess.Process:
        """A child that gets a short list of settings and none of this process's secrets."""
        here = str(Path(sys.executable).parent)
        environment = {
            "PATH": os.pathsep.join([here, "/usr/local/bin", "/usr/bin", "/bin"]),
            "HOME": str(place),
            "LANG": "C.UTF-8",
            "ANSIBLE_CONFIG": str(self._settings.playbooks / "ansible.cfg"),
            "ANSIBLE_HOME": str(place / "home"),
            "ANSIBLE_LOCAL_TEMP": str(place / "tmp"),
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(place / "cp"),
            "ANSIBLE_SSH_RETRIES": "3",
            "ANSIBLE_HOST_KEY_CHECKING": "True",
            "ANSIBLE_NOCOLOR": "1",
        }
        return await asyncio.create_subprocess_exec(
            sys.executable,
            str(CHILD),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
            limit=LINE_LIMIT,
        )

    def _order(self, job: InstallJob, place: Path) -> Mapping[str, object]:
        return {
            "folder": str(place),
            "playbooks": str(self._settings.playbooks),
            "playbook": "install.yml",
            "inventory": str(place / "hosts.yml"),
            "forks": min(len(job.hosts), FORKS_LIMIT),
        }

    async def _lines(self, stream: asyncio.StreamReader) -> AsyncIterator[dict[str, object]]:
        """What the child tells, until it ends; silence for too long ends it."""
        while True:
            try:
                async with asyncio.timeout(self._settings.idle_seconds):
                    line = await stream.readline()
            except TimeoutError:
                words = f"no sign of life for {self._settings.idle_seconds:g} s"
                raise _TooLate(words) from None
            if not line:
                return
            yield json.loads(line)


async def banner(address: str, port: int) -> bool:
    """Whether an SSH server greets there within two seconds."""
    try:
        async with asyncio.timeout(2):
            reader, writer = await asyncio.open_connection(address, port)
            try:
                return (await reader.readline()).startswith(b"SSH-")
            finally:
                writer.close()
    except (OSError, TimeoutError, ValueError):
        return False


async def _end(child: asyncio.subprocess.Process) -> None:
    """Close the child's input, which makes it end with all it started; kill it if it hangs."""
    assert child.stdin is not None
    child.stdin.close()
    try:
        async with asyncio.timeout(GRACE_SECONDS):
            await child.wait()
    except TimeoutError:
        child.kill()
        await child.wait()


def _event(told: Mapping[str, object]) -> Event:
    result = told.get("result")
    return Event(
        kind=str(told.get("kind")),
        host=str(told.get("host") or ""),
        task=str(told.get("task") or ""),
        result=result if isinstance(result, Mapping) else {},
    )
