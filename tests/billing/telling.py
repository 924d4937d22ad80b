"""How the two years are told: a bar on a terminal, a line for each month elsewhere, and a table at the end."""

import time
from collections.abc import Mapping

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text


class Teller:
    """Says how far everything is. Use as a context manager."""

    def __init__(self, console: Console, days: int) -> None:
        self._console = console
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task: TaskID = self._progress.add_task("days", total=days)
        self._began = time.monotonic()

    def __enter__(self) -> "Teller":
        self._console.print()  # pytest's line of dots goes on otherwise
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def day(self) -> None:
        """A day is over."""
        self._progress.advance(self._task)

    def checkpoint(self, line: str) -> None:
        """What there is at the end of a month."""
        if not self._console.is_terminal:
            self._console.print(f"{line}, {time.monotonic() - self._began:.0f} s", highlight=False)

    def table(self, title: str, figures: Mapping[str, object], faults: Mapping[str, int]) -> None:
        """The end: what there was, and what went wrong, which is nothing."""
        shown = Table(
            title=title, title_justify="left", title_style="bold", box=None, show_header=False, pad_edge=False
        )
        shown.add_column(no_wrap=True)
        shown.add_column(overflow="fold")
        for name, figure in figures.items():
            shown.add_row(name, str(figure))
        for name, number in faults.items():
            shown.add_row(name, Text(str(number), "green" if number == 0 else "bold red"))
        self._console.print(shown)
