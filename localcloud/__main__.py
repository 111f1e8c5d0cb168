"""`python -m localcloud`: the commands of the local cloud."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from localcloud import (
    artifact,
    cleaning,
    clients,
    leftovers,
    preflight,
    root,
    survey,
    tenancy,
    tree,
)
from localcloud.faults import Fault, Faults, Waiting
from localcloud.ground import Ground
from localcloud.serve import PORT, NotClean, Stopped, Unfit, Wanted, say, serve
from localcloud.tool import ToolFailed

app = typer.Typer(no_args_is_help=True, help="EC2 on this machine: instances you can log in to.")
client_app = typer.Typer(no_args_is_help=True, help="Client machines with their own address.")
fault_app = typer.Typer(no_args_is_help=True, help="What shall go wrong with the next instances.")
app.add_typer(client_app, name="client")
app.add_typer(fault_app, name="fault")

GROUND = Ground.named(os.environ.get("KITE_LOCALCLOUD_GROUND", "kl:88"))
STATE = Path("/var/tmp/kite-local")  # noqa: S108 - the default; its folders are made 0700

State = Annotated[Path, typer.Option(help="Folder for disks and status.")]
Port = Annotated[int, typer.Option(help="TCP port of the EC2 API.")]
Include = Annotated[list[str] | None, typer.Option(help="Another Debian package in every root.")]


@contextmanager
def told() -> Iterator[None]:
    """A failure is one sentence per trouble and exit code 1, never a traceback."""
    try:
        yield
    except Unfit as error:
        _fail(*error.sentences)
    except Stopped:
        raise typer.Exit(130) from None
    except (
        tenancy.Occupied,
        artifact.NoArtifact,
        clients.ClientRefused,
        root.NoRoot,
        NotClean,
        ToolFailed,
        OSError,
    ) as error:
        _fail(str(error))


@app.command("serve")
def serve_command(
    state: State = STATE, port: Port = PORT, include: Include = None, region: str = "us-east-1"
) -> None:
    """Run the cloud until Ctrl-C; prints one line of JSON when it is ready."""
    with told():
        serve(Wanted(state.absolute(), GROUND, port, region, tuple(sorted(include or ()))))


@app.command()
def check(state: State = STATE, port: Port = PORT) -> None:
    """Say what this machine lacks, all at once, changing nothing."""
    with told():
        if sentences := preflight.problems(survey.look(GROUND, state.absolute(), port)):
            raise Unfit(sentences)
    typer.echo("This machine can run the local cloud.")


@app.command()
def stop() -> None:
    """End the local cloud that runs on this machine, and wait until it is gone."""
    with told():
        typer.echo("Stopped." if cleaning.stop(GROUND) else "No local cloud runs on this machine.")


@app.command()
def clean() -> None:
    """Remove what a killed local cloud left; ends one that still runs."""
    with told():
        cleaning.stop(GROUND)
        former = tenancy.tenant(GROUND)
        state = Path(former.state) if former else STATE
        with tenancy.hold(GROUND, state):
            if left := cleaning.sweep(GROUND):
                raise NotClean(f"Could not be removed: {'; '.join(left.lines())}")
            cleaning.forget(GROUND, state)
    typer.echo("Nothing of the local cloud is on this machine.")


@app.command()
def audit() -> None:
    """List what this machine has of a local cloud; exit code 1 when there is anything."""
    with told():
        if found := leftovers.find(GROUND):
            _fail(*found.lines())
    typer.echo("Nothing of the local cloud is on this machine.")


@app.command()
def status() -> None:
    """The running cloud, its hosts and clients, as JSON."""
    with told():
        folder = _state()
        path = folder / "status.json"
        hosts = json.loads(path.read_text()) if path.exists() else {}
        some = [client.as_json() for client in clients.listed(GROUND)]
        typer.echo(json.dumps({"state": str(folder), "hosts": hosts, "clients": some}, indent=2))


@app.command("root")
def root_command(include: Include = None) -> None:
    """Build the shared root and fetch the Milvus files, so that `serve` starts at once."""
    with told():
        folder = root.cache()
        typer.echo(root.ensure(root.recipe(tuple(sorted(include or ()))), folder, say))
        typer.echo(tree.ensure(artifact.ensure(folder, say), say).path)


@client_app.command("add")
def client_add(name: str, address: Annotated[str, typer.Option()]) -> None:
    """A client with its own source address; prints its namespace as JSON."""
    with told():
        _state()
        try:
            source = IPv4Address(address)
        except ValueError:
            raise clients.ClientRefused(f"{address!r} is no IPv4 address.") from None
        typer.echo(json.dumps(clients.add(GROUND, name, source).as_json()))


@client_app.command("remove")
def client_remove(name: str) -> None:
    with told():
        clients.remove(GROUND, name)


@client_app.command("list")
def client_list() -> None:
    with told():
        typer.echo(json.dumps([client.as_json() for client in clients.listed(GROUND)]))


@fault_app.command("set")
def fault_set(
    next: Annotated[Fault, typer.Option(help="What goes wrong.")],  # noqa: A002 - the option's name
    count: Annotated[int, typer.Option(min=1, help="With how many launches.")] = 1,
    tag: Annotated[str, typer.Option(help="Only instances with this tag, as KEY=VALUE.")] = "",
) -> None:
    """Let the next launches go wrong."""
    with told():
        key, _, value = tag.partition("=")
        Faults(_state()).add(Waiting(next, count, key, value))


@fault_app.command("list")
def fault_list() -> None:
    with told():
        for one in Faults(_state()).listed():
            typer.echo(f"{one.fault} x{one.count} {one.key}={one.value}".rstrip(" ="))


@fault_app.command("clear")
def fault_clear() -> None:
    with told():
        Faults(_state()).clear()


def _state() -> Path:
    holder = tenancy.tenant(GROUND)
    if holder is None or not holder.lives():
        _fail("No local cloud runs on this machine; start one with `python -m localcloud serve`.")
    return Path(holder.state)


def _fail(*sentences: str) -> NoReturn:
    for sentence in sentences:
        typer.echo(sentence, err=True)
    raise typer.Exit(1)


if __name__ == "__main__":
    app()
