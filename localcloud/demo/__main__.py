"""`python -m localcloud.demo`: run the demo, stop it, restart one of its services."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from localcloud import tenancy
from localcloud.demo import handover
from localcloud.demo.children import ChildDied
from localcloud.demo.ending import Ended, Ends
from localcloud.demo.screen import Screen, StepFailed
from localcloud.demo.stage import MODULES, Built, Stage, Unfit
from localcloud.demo.story import Story

app = typer.Typer(help="The whole product on this machine, told as a story.")
FOLDER = Path(".run")
Keep = Annotated[bool, typer.Option("--keep", help="Leave everything running afterwards.")]


@app.callback(invoke_without_command=True)
def run(context: typer.Context, *, keep: Keep = False) -> None:
    """Tell the story; exit code 0 when every step ended as it should."""
    if context.invoked_subcommand is not None:
        return
    screen = Screen()
    stage = Stage(FOLDER, lambda line: screen.say(line, style="dim"))
    try:
        stage.check()
    except Unfit as unfit:
        for sentence in unfit.sentences:
            screen.say(sentence, style="red")
        raise typer.Exit(1) from None
    raise typer.Exit(_perform(stage, screen, keep=keep))


def _perform(stage: Stage, screen: Screen, *, keep: bool) -> int:
    with Ends() as ends:
        try:
            code = _attempt(stage, screen, ends, keep=keep)
        except Ended:
            screen.say("Interrupted; taking everything down.", style="yellow")
            code = 130
        if keep and code == 0:
            return code
        return max(code, _strike(stage, screen))


def _attempt(stage: Stage, screen: Screen, ends: Ends, *, keep: bool) -> int:
    """The story, and with `keep` what to do next; 0, or 1 when it could not be told to its end."""
    code = 1
    try:
        built = _told(stage, screen)
        if keep:
            _hand_over(stage, screen, built)
        code = 0
    except StepFailed as failed:
        screen.say(f"{failed}\nLogs: {stage.folder / 'logs'}", style="red")
    except Exception as error:  # noqa: BLE001 - whatever it was, nothing may stay behind
        what = f"The demo broke between two steps: {type(error).__name__}: {error}"
        screen.say(f"{what}\nLogs: {stage.folder / 'logs'}", style="red")
    ends.deafen()
    return code


def _hand_over(stage: Stage, screen: Screen, built: Built) -> None:
    env = handover.write(stage.folder, built)
    screen.table()
    for line in handover.lines(built, env):
        screen.say(line)


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
    with Ends() as ends:
        ends.deafen()
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
