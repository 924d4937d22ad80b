"""How a run is told: bars on a terminal, a line for each phase elsewhere, and a table at the end."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from tests.crash.matrix import Row

_LINES_OF_TROUBLE = 8


class Teller:
    """Says how far everything is. Use as a context manager."""

    def __init__(self, console: Console) -> None:
        self.console = console
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)

    def __enter__(self) -> "Teller":
        self.console.print()  # pytest's line of dots goes on otherwise
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    @contextmanager
    def phase(self, what: str, phase: str, total: int) -> Iterator[Callable[[], None]]:
        """A bar for this phase; the block calls what it is given after each run."""
        began = time.monotonic()
        task = self._progress.add_task(f"{what}: {phase}", total=total)
        yield lambda: self._progress.advance(task)
        self._progress.remove_task(task)
        if not self.console.is_terminal:
            line = f"{what}: {phase}: {total} points in {time.monotonic() - began:.0f} s"
            self.console.print(line, highlight=False)

    def trouble(self, story: str) -> None:
        """What has just gone wrong, in short; all of it is told in the end."""
        self.console.print(
            "\n".join(story.splitlines()[:_LINES_OF_TROUBLE]), style="red", highlight=False, markup=False
        )

    def tell(self, title: str, rows: Sequence["Row"]) -> None:
        """The table of all rows, and their sum."""
        self.console.print(_table(title, rows))
        if redeployed := sum(row.redeployed for row in rows):
            line = f"{redeployed} deployments by both operators at once; the second replaces the first."
            self.console.print(line, highlight=False)


def _table(title: str, rows: Sequence["Row"]) -> Table:
    shown = Table(
        title=f"{title}: {sum(row.runs for row in rows)} runs",
        caption="unmet: a read or a status that the undisturbed run made and this one did not",
        title_justify="left",
        title_style="bold",
        caption_justify="left",
        box=None,
        pad_edge=False,
        collapse_padding=True,
        show_footer=True,
    )
    shown.add_column("strike", "all", no_wrap=True)
    shown.add_column("phase", no_wrap=True)
    for name in ("points", "runs", "unmet", "orphans", "duplicates", "stuck", "different"):
        numbers = [_number(row, name) for row in rows]
        shown.add_column(name, str(sum(numbers)), justify="right", header_style="dim", no_wrap=True)
    for row in rows:
        figures = [_number(row, name) for name in ("points", "runs", "unmet")]
        faults = [_number(row, name) for name in ("orphans", "duplicates", "stuck", "different")]
        shown.add_row(row.what, row.phase, *map(str, figures), *(_fault(number) for number in faults))
    return shown


def _number(row: "Row", name: str) -> int:
    return len(row.unmet) if name == "unmet" else int(getattr(row, name))


def _fault(number: int) -> Text:
    return Text(str(number), "green" if number == 0 else "bold red")
