"""`python -m localcloud.demo`: run the demo, stop it, restart one of its services."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from localcloud import tenancy
from localcloud.demo import handover
from localcloud.demo.children import ChildDied
from localcloud.demo.screen import Screen, StepFailed
from localcloud.demo.stage import MODULES, Built, Stage, Unfit
from localcloud.demo.story import Story

app = typer.Typer(help="The whole product on this machine, told as a story.")
FOLDER = Path(".run")
Keep = Annotated[bool, typer.Option("--keep", help="Leave everything running afterwards.")]


class Ended(BaseException):
    """A signal of ENDS: take everything down and go."""


ENDS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Ctrl-C, a polite kill, and the terminal or connection going away."""


@contextmanager
def _signals() -> Iterator[None]:
    def end(_number: int, _frame: FrameType | None) -> None:
        for kind in ENDS:
            signal.signal(kind, signal.SIG_IGN)  # taking down must not be disturbed
        raise Ended

    before = {kind: signal.signal(kind, end) for kind in ENDS}
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


@app.callback(invoke_without_command=True)
def run(context: typer.Context, *, keep: Keep = False) -> None:
    """Tell the story; exit code 0 when every step ended as it should."""
    if context.invoked_subcommand is not None:
        return
    screen = Screen()
    stage = Stage(FOLDER, screen.say)
    try:
        stage.check()
    except Unfit as unfit:
        for sentence in unfit.sentences:
            screen.say(f"[red]{sentence}")
        raise typer.Exit(1) from None
    raise typer.Exit(_perform(stage, screen, keep=keep))


def _perform(stage: Stage, screen: Screen, *, keep: bool) -> int:
    code, built = 1, None
    try:
        with _signals():
            built = _told(stage, screen)
        code = 0
    except Ended:
        screen.say("[yellow]Interrupted; taking everything down.")
        code = 130
    except StepFailed as failed:
        screen.say(f"[red]{failed}[/]\nLogs: {stage.folder / 'logs'}")
    if built is not None and keep and code == 0:
        env = handover.write(stage.folder, built)
        screen.table()
        for line in handover.lines(built, env):
            screen.console.print(line, markup=False, soft_wrap=True)
        return code
    return max(code, _strike(stage, screen))


def _told(stage: Stage, screen: Screen) -> Built:
    with screen.step("Local cloud, four services and two clients are up") as step:
        built = stage.build()
        step.tell(built.scene.url)
    story = Story(built.scene, screen)
    story.tell()
    # For the test that compares the policy in deploy/ with the calls really made.
    (stage.folder / "ec2-calls.json").write_text(json.dumps(story.calls, indent=1))
    return built


def _strike(stage: Stage, screen: Screen) -> int:
    try:
        with screen.step("Nothing is left on this machine") as step:
            left = stage.strike()
            if left:
                raise RuntimeError("; ".join(left))
            step.tell("no process, namespace, mount, loop device, nft table")
    except StepFailed:
        screen.table()
        return 1
    screen.table()
    return 0


@app.command("clean")
@app.command("stop")
def stop() -> None:
    """End what `--keep` left running, and remove what a killed run left behind."""
    stage = Stage(FOLDER, typer.echo)
    try:
        left = stage.strike()
    except tenancy.Occupied as occupied:
        typer.echo(str(occupied), err=True)
        raise typer.Exit(1) from None
    for line in left:
        typer.echo(f"Still here: {line}", err=True)
    if left:
        raise typer.Exit(1)
    typer.echo("Nothing of the demo is on this machine.")


@app.command()
def restart(service: str) -> None:
    """Start one service again (registry, provisioner, whitelist or bff)."""
    stage = Stage(FOLDER, typer.echo)
    if service not in MODULES:
        typer.echo(f"{service!r} is no service; use one of {', '.join(MODULES)}.", err=True)
        raise typer.Exit(1)
    if stage.children.get(service) is None:
        typer.echo("No demo runs here; start one with `make demo KEEP=1`.", err=True)
        raise typer.Exit(1)
    try:
        stage.restart(service)
    except ChildDied as died:
        typer.echo(str(died), err=True)
        raise typer.Exit(1) from None
    typer.echo(f"{service} runs again.")


if __name__ == "__main__":
    app()
