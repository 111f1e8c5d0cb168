"""Several processes as one: logs side by side, stopped together.

Promise: when one of them ends, for whatever reason, or a signal comes, all are asked to end
(SIGTERM), given time to drain, then killed; none outlives the supervisor's normal end.
"""

import asyncio
import signal
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

PATIENCE_SECONDS = 30.0  # a drain takes 20 at most
LINE_BYTES = 1 << 20

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class End:
    """How a process ended: `code` is negative when a signal ended it."""

    name: str
    code: int

    def __str__(self) -> str:
        if self.code < 0:
            return f"{self.name} was killed by {signal.Signals(-self.code).name}"
        return f"{self.name} ended with exit code {self.code}"


async def supervise(
    commands: Mapping[str, Sequence[str]],
    say: Say,
    *,
    env: Mapping[str, str] | None = None,
    patience: float = PATIENCE_SECONDS,
) -> End | None:
    """Run all commands until one ends or SIGINT/SIGTERM comes.

    Answers which one ended by itself, or None after a signal. `say` gets every line of every
    process, the name in front.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)
    for number in signals:
        loop.add_signal_handler(number, stop.set)
    running: dict[str, Process] = {}
    pumps: list[asyncio.Task[None]] = []
    width = max(map(len, commands))
    try:
        for name, argv in commands.items():
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=DEVNULL,
                stdout=PIPE,
                stderr=STDOUT,
                env=env,
                limit=LINE_BYTES,
                start_new_session=True,  # a Ctrl-C reaches us alone; we stop them in order
            )
            running[name] = process
            pumps.append(asyncio.create_task(_pump(f"{name:{width}} | ", process, say)))
        return await _first(running, stop)
    finally:
        await _end(running, patience)
        await asyncio.gather(*pumps, return_exceptions=True)
        for number in signals:
            loop.remove_signal_handler(number)


async def _first(running: Mapping[str, Process], stop: asyncio.Event) -> End | None:
    waits = {asyncio.create_task(one.wait()): name for name, one in running.items()}
    signalled = asyncio.create_task(stop.wait())
    done, pending = await asyncio.wait({*waits, signalled}, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    if signalled in done:
        return None
    return next(End(waits[task], task.result()) for task in waits if task in done)


async def _end(running: Mapping[str, Process], patience: float) -> None:
    """Ask those that still live in the reverse order of their start; kill what does not go."""
    for process in reversed(tuple(running.values())):
        if process.returncode is None:
            process.terminate()
    waits = [asyncio.create_task(process.wait()) for process in running.values()]
    if not waits:
        return
    _, pending = await asyncio.wait(waits, timeout=patience)
    for process in running.values():
        if process.returncode is None:
            process.kill()
    if pending:
        await asyncio.wait(pending)


async def _pump(prefix: str, process: Process, say: Say) -> None:
    stdout = process.stdout
    assert stdout is not None
    while True:
        try:
            line = await stdout.readline()
        except ValueError:
            say(f"{prefix}(a line longer than {LINE_BYTES} bytes was left out)")
            continue
        if not line:
            return
        say(prefix + line.decode(errors="replace").rstrip("\n"))
