"""What the person in front of the demo sees: live steps, then a table of steps and seconds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic

from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.table import Table


class StepFailed(Exception):
    """A step of the story did not end as it should; the text says which and why."""


@dataclass
class Step:
    """One line of the story."""

    title: str
    seconds: float = 0.0
    note: str = ""
    ok: bool = False
    _status: Status | None = field(default=None, repr=False)

    def tell(self, note: str) -> None:
        """Progress within the step; the last word stays in the table."""
        self.note = note
        if self._status is not None:
            self._status.update(f"{escape(self.title)} [dim]{escape(note)}")


class Screen:
    """Prints each step as it goes; on a terminal the step in progress moves."""

    def __init__(self) -> None:
        self.console = Console(highlight=False)
        self.steps: list[Step] = []
        self._began = monotonic()

    def say(self, text: str, style: str = "") -> None:
        """One line or more, as they are: also words of others, which may look like markup."""
        self.console.print(text, style=style, markup=False, soft_wrap=True)

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Time one step. Anything raised inside becomes StepFailed, naming the step."""
        step = Step(title)
        self.steps.append(step)
        start = monotonic()
        try:
            with self.console.status(escape(title)) as status:
                step._status = status if self.console.is_terminal else None  # noqa: SLF001
                yield step
            step.ok = True
        except Exception as error:
            step.note = str(error)
            raise StepFailed(f"{title}: {error}") from error
        finally:
            step.seconds = monotonic() - start
            mark, note = "[green]✓" if step.ok else "[red]✗", escape(step.note)
            self.console.print(f"{mark}[/] {escape(title)} [dim]{note}[/] {step.seconds:.1f} s")

    def table(self) -> None:
        """The whole story in figures."""
        table = Table(title="The story in figures", title_justify="left")
        for name in ("#", "step", "seconds", ""):
            table.add_column(name, justify="right" if name in {"#", "seconds"} else "left")
        for number, step in enumerate(self.steps, 1):
            end = escape(step.note) if step.ok else "[red]failed"
            table.add_row(str(number), escape(step.title), f"{step.seconds:.1f}", end)
        table.add_section()
        table.add_row("", "from the first step to the last", f"{monotonic() - self._began:.1f}", "")
        self.console.print(table)
