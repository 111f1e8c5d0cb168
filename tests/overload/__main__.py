"""`python -m tests.overload --users 20 --clusters 200`: a table; exit 1 when a bar is missed."""

import shutil
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tests.overload.judge import faults
from tests.overload.run import overload
from tests.worlds import runs


def main(
    *,
    users: Annotated[int, typer.Option(min=1, help="Who create at once.")] = 20,
    clusters: Annotated[int, typer.Option(min=1, help="Clusters of all of them.")] = 200,
) -> None:
    console = Console(highlight=False, soft_wrap=True)
    folder = runs.begin("overload")
    console.print(f"overload: {clusters} clusters by {users} users; logs in {folder}")
    outcome = overload(folder, users=users, clusters=clusters)
    table = Table("what", "figure")
    for what, seconds in outcome.seconds.items():
        table.add_row(f"{what} after", f"{seconds} s")
    table.add_row("operations", ", ".join(f"{n} {word}" for word, n in outcome.ended.items()))
    table.add_row("EC2 calls, throttled", f"{outcome.calls}, {outcome.refused}")
    for name, most in outcome.most.items():
        table.add_row(f"memory of {name}", f"{outcome.before[name]} → {most} MiB")
    console.print(table)
    found = faults(outcome)
    for one in found:
        console.print(f"[red]{one}[/]")
    if not found:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    typer.run(main)
