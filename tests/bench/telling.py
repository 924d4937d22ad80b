"""How a run is told: the machine first, then a table for each benchmark."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tests.bench.figures import Aim, Row
from tests.bench.machine import Machine


def machine(console: Console, found: Machine) -> None:
    """The first line, and a warning when the machine has other things to do."""
    console.print(f"{found.cores} cores, load average {found.load:.1f}; {found.system}", highlight=False)
    if found.busy:
        warning = "The machine is busy with something else: look at the ratios, and not at what they are made of."
        console.print(Text(warning, "bold yellow"))


def table(name: str, seconds: float, others: float, rows: list[Row]) -> Table:
    """The rows of one benchmark. `others`: how many cores somebody else used meanwhile."""
    title = f"{name}: {seconds:.0f} s, while others used {others:.1f} cores"
    shown = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column in ("id", "what", "value", "against", "ratio", "aim"):
        shown.add_column(column, overflow="fold", header_style="dim", no_wrap=column == "id")
    for row in rows:
        shown.add_row(row.id, row.what, str(row.value), row.against, str(row.ratio or ""), _aim(row.aim))
    return shown


def _aim(aim: Aim | None) -> Text:
    if aim is None:
        return Text("")
    return Text(f"{aim.text} ✓", "green") if aim.held else Text(f"{aim.text} ✗", "yellow")
