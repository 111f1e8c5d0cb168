"""`kite`: run the services, look at their settings, tidy up after them."""

import asyncio
import os
from enum import StrEnum
from typing import Annotated, NoReturn

import typer

import kite
from kite.cli import config
from kite.cli.services import RESTING_ENV, Service
from kite.cli.supervise import supervise
from kite.settings import Common, SettingsRefused, load

app = typer.Typer(no_args_is_help=True, help="Managed Milvus clusters on your own EC2.")
config_app = typer.Typer(no_args_is_help=True, help="Settings, from the environment and .env.")
app.add_typer(config_app, name="config")


class Served(StrEnum):
    """What `kite serve` can run."""

    ALL = "all"
    BFF = "bff"
    REGISTRY = "registry"
    PROVISIONER = "provisioner"
    WHITELIST = "whitelist"


@app.command()
def serve(
    what: Annotated[Served, typer.Argument(help="One service, or all four as one.")],
) -> None:
    """Run services, configured by environment and .env only (see .env.example)."""
    if what is not Served.ALL:
        command = Service(what.value).command()
        os.execve(command[0], command, {**os.environ, **RESTING_ENV})  # noqa: S606 - it becomes us
    _settings()
    ended = asyncio.run(
        supervise(
            {one.value: one.command() for one in Service},
            typer.echo,
            env={**os.environ, **RESTING_ENV},
        )
    )
    if ended is not None:
        typer.echo(f"kite: {ended}; the others were stopped", err=True)
        raise typer.Exit(1)


@config_app.command()
def show() -> None:
    """Every setting as the services read it now; secrets are masked."""
    typer.echo(config.shown(_settings()))


@config_app.command()
def check() -> None:
    """Whether every service can start and do its work; names each fault and what is missing."""
    if lacking := _settings().lacking():
        _refuse(lacking)
    typer.echo("The settings of all services are fine.")


@config_app.command()
def example() -> None:
    """The text of .env.example."""
    whole = _told({"KITE_ENV_FILE": os.devnull})
    typer.echo(config.example(whole), nl=False)


@app.command("gc")
def collect_garbage(
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Remove what would go.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only look (the default).")] = False,
    now: Annotated[
        bool, typer.Option("--now", help="Do not look a second time after a minute.")
    ] = False,
    unproven: Annotated[
        bool,
        typer.Option(
            "--unproven",
            help="Also what carries this install's tags but cannot be shown to be Kite's: "
            "of clusters the registry never knew, or with tags that were changed.",
        ),
    ] = False,
    limit: Annotated[
        int, typer.Option(min=0, help="How many of a kind may be leftovers at once; 0 = usual.")
    ] = 0,
) -> None:
    """List (and with --yes remove) what is in EC2 without a cluster that stands for it.

    Exit code 0: nothing is left over; 1: something is; 3: a service could not tell.
    """
    if yes and dry_run:
        raise typer.BadParameter("--yes and --dry-run exclude each other")
    from kite.cli import gc  # gRPC is loaded by commands that talk to services only

    wish = gc.Wish(act=yes, now=now, unproven=unproven, bound=limit)
    raise typer.Exit(gc.run(_common(), wish))


@app.command()
def adopt(
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Write the records.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only look (the default).")] = False,
    only: Annotated[list[str] | None, typer.Option(help="Of this cluster id; repeatable.")] = None,
) -> None:
    """Rebuild the records of clusters from the tags of their machines, after the registry was lost.

    Exit code 0: nothing is left to adopt; 1: something is; 3: a service could not tell.
    """
    if yes and dry_run:
        raise typer.BadParameter("--yes and --dry-run exclude each other")
    from kite.cli import adopt as adoption

    raise typer.Exit(adoption.run(_common(), act=yes, only=only or ()))


def _common() -> Common:
    try:
        return load(Common)
    except SettingsRefused as refused:
        _refuse(tuple(str(refused).splitlines()))


@app.command()
def version() -> None:
    """The version of Kite."""
    typer.echo(kite.__version__)


def _settings() -> config.Whole:
    whole = _told({})
    if faults := whole.faults():
        _refuse(faults)
    return whole


def _refuse(lines: tuple[str, ...]) -> NoReturn:
    for line in lines:
        typer.echo(line, err=True)
    raise typer.Exit(2)


def _told(environ: dict[str, str]) -> config.Whole:
    try:
        return asyncio.run(config.ask(environ))
    except config.NotDescribed as failed:
        typer.echo(str(failed), err=True)
        raise typer.Exit(1) from None


if __name__ == "__main__":
    app()
