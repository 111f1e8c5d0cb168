"""A measured row: what, figure, bars; the table and the file that hold them."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

OUT = Path(".run/bench.json")


@dataclass(frozen=True)
class Row:
    """`figure`, `must` and `stretch` are one kind of number, smaller is better; None = no bar."""

    id: str
    what: str
    figure: float | None
    must: float | None
    stretch: float | None

    @property
    def ok(self):
        """What was not measured is not ok; a row without a bar cannot miss it."""
        return self.figure is not None and (self.must is None or self.figure <= self.must)

    def as_json(self):
        return asdict(self) | {"ok": self.ok}


def not_measured(id_, what, why, must=None, stretch=None):
    return Row(id_, f"{what} (not measured: {why})", None, must, stretch)


def show(rows):
    """One table; red where the bar is missed, bright where the stretch is met."""
    table = Table(title="Kite against its bars and its peers, one run, side by side")
    for name in ("row", "what", "figure", "must", "stretch", ""):
        table.add_column(name, justify="left" if name in {"row", "what", ""} else "right")
    for row in rows:
        figures = map(_short, (row.figure, row.must, row.stretch))
        table.add_row(row.id, escape(row.what), *figures, _verdict(row))
    Console(width=150).print(table)


def _verdict(row):
    if row.figure is None:
        return "[red]not run"
    if row.must is None:
        return ""
    if not row.ok:
        return "[red]missed"
    reached = row.stretch is not None and row.figure <= row.stretch
    return "[bold green]stretch" if reached else "[green]ok"


def _short(number):
    return "-" if number is None else f"{number:.3g}"


def write(rows):
    """Rows of this run over those of earlier ones; a row is replaced by its id."""
    OUT.parent.mkdir(exist_ok=True)
    old = json.loads(OUT.read_text()) if OUT.exists() else []
    new = {row.id: row.as_json() for row in rows}
    kept = [one for one in old if one["id"] not in new]
    every = sorted([*kept, *new.values()], key=lambda one: _order(one["id"]))
    OUT.write_text(json.dumps(every, indent=1) + "\n")


def _order(id_):
    digits = "".join(c for c in id_ if c.isdigit())
    return (int(digits or 0), id_)
