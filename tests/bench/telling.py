"""How a run is told: the machine first, then a table for each benchmark."""

import os
import platform

import psutil
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tests.bench.figures import Aim, Row


def machine(console: Console) -> None:
    """What it runs on, and whether it has anything else to do: then the absolute figures mean little."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    load, _, _ = os.getloadavg()
    busy = psutil.cpu_percent(interval=1)
    python = f"{platform.system()}, Python {platform.python_version()}"
    told = f"{cores} cores, load average {load:.1f}, {busy:.0f} % busy just now; {python}"
    console.print(told, highlight=False)
    if load > cores:
        warning = "The machine is busy with something else: look at the ratios, and not at what they are made of."
        console.print(Text(warning, "bold yellow"))


def table(name: str, seconds: float, rows: list[Row]) -> Table:
    """The rows of one benchmark."""
    shown = Table(title=f"{name}, {seconds:.0f} s", title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column in ("id", "what", "value", "against", "ratio", "aim"):
        shown.add_column(column, overflow="fold", header_style="dim", no_wrap=column == "id")
    for row in rows:
        shown.add_row(row.id, row.what, str(row.value), row.against, str(row.ratio or ""), _aim(row.aim))
    return shown


def _aim(aim: Aim | None) -> Text:
    if aim is None:
        return Text("")
    return Text(f"{aim.text} ✓", "green") if aim.held else Text(f"{aim.text} ✗", "yellow")
