"""`python -m tests.chaos --seconds 300 --seed 7 --hosts 3`: exit 0 when all was as recorded."""

import secrets
import shutil
import signal
import sys
from typing import Annotated

import typer
from rich.console import Console

from tests.chaos.grounds import residue
from tests.chaos.orphans import adopt_orphans, orphans
from tests.chaos.run import Chaos, Wanted
from tests.worlds import runs

CLUSTERS = 30
"""Without hosts a cluster costs almost nothing."""


def main(
    *,
    seconds: Annotated[int, typer.Option(min=1, help="How long there is trouble.")] = 60,
    seed: Annotated[str, typer.Option(help="The same seed plans the same trouble.")] = "",
    hosts: Annotated[int, typer.Option(min=0, help="Pretend hosts at most; 0 = none.")] = 2,
    registries: Annotated[int, typer.Option(min=1, help="2 = two of them on a database.")] = 1,
    provisioners: Annotated[int, typer.Option(min=1, help="How many share the work.")] = 2,
) -> None:
    console = Console(highlight=False, soft_wrap=True)
    seed = seed or secrets.token_hex(3)
    users = hosts or 6
    folder = runs.begin("chaos")
    wanted = Wanted(
        seconds, seed, hosts, users, 1 if hosts else CLUSTERS // users, registries, provisioners,
        folder,
    )  # fmt: skip
    console.print(f"chaos: {seconds} s, seed {seed}, hosts {hosts}; logs in {folder}")
    adopt_orphans()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(143))  # like Ctrl-C: take everything down
    good = Chaos(wanted, console).run()
    left = [*(residue() if hosts else ()), *orphans()]
    if left:
        console.print(f"[red]left on this machine:[/] {'; '.join(left)}")
        good = False
    console.print("[green]all as recorded" if good else f"[red]differences; seed {seed}")
    if good:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(main)
    app()
