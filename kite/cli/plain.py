"""Words from elsewhere on a terminal: shown as they are, never obeyed (tags can be anybody's)."""

from collections.abc import Iterable, Sequence

from rich.table import Table
from rich.text import Text


def plain(words: str) -> str:
    """Without control characters: no colours, no moved cursor, no second line."""
    return "".join(one if one.isprintable() else "?" for one in words)


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Columns without lines; long cells go on below, cells are no markup."""
    made = Table(box=None, pad_edge=False)
    for heading in headings:
        made.add_column(heading, overflow="fold")
    for row in rows:
        made.add_row(*(Text(plain(cell)) for cell in row))
    return made
