"""`python -m tests.overload.show_streams --streams 10000`: a table; exit 1 when a bar is missed."""

import asyncio
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from bff.settings import Settings
from tests.overload.stream_judge import faults
from tests.overload.streams import Figures, streams


def main(
    *, many: Annotated[int, typer.Option("--streams", min=100, help="Open at once.")] = 10_000
) -> None:
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{many} event streams, twice; nine of ten are never read")
    patience = Settings.model_fields["bff_send_seconds"].default
    seen = asyncio.run(streams(many, patience=patience))
    console.print(_table(seen))
    found = faults(seen)
    for one in found:
        console.print(f"[red]{one}[/]")
    sys.exit(1 if found else 0)


def _table(seen: Figures) -> Table:
    table = Table("what", "figure")
    for what, answer in seen.refused.items():
        table.add_row(f"{what} too many", " ".join(map(str, answer)).strip())
    ends = ", ".join(f"{number} {word}" for word, number in seen.ends.items())
    table.add_row("streams that nobody read", ends)
    table.add_row("readers who were told all", f"{seen.whole} of {seen.readers}")
    asked = ", ".join(f"{number} times {status}" for status, number in seen.asked.items())
    table.add_row("requests meanwhile", f"{asked}; the slowest took {seen.slowest} s")
    for when, mib in seen.mib.items():
        table.add_row(f"memory, {when}", f"{mib} MiB")
    for when, files in seen.files.items():
        table.add_row(f"open files, {when}", str(files))
    return table


if __name__ == "__main__":
    typer.run(main)
