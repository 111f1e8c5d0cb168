"""`kite`: run the services, look at their settings."""

import asyncio
import os
from enum import StrEnum
from typing import Annotated

import typer

import kite
from kite.cli import config
from kite.cli.services import RESTING_ENV, Service
from kite.cli.supervise import supervise

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
    """Whether every service would accept its settings; names each fault."""
    _settings()
    typer.echo("The settings of all services are fine.")


@config_app.command()
def example() -> None:
    """The text of .env.example."""
    whole = _told({"KITE_ENV_FILE": os.devnull})
    typer.echo(config.example(whole), nl=False)


@app.command()
def version() -> None:
    """The version of Kite."""
    typer.echo(kite.__version__)


def _settings() -> config.Whole:
    whole = _told({})
    if faults := whole.faults():
        for fault in faults:
            typer.echo(fault, err=True)
        raise typer.Exit(2)
    return whole


def _told(environ: dict[str, str]) -> config.Whole:
    try:
        return asyncio.run(config.ask(environ))
    except config.NotDescribed as failed:
        typer.echo(str(failed), err=True)
        raise typer.Exit(1) from None


if __name__ == "__main__":
    app()
