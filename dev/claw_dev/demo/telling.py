"""How the demo is told: each step while it goes on, what came of it, and a timeline at the end."""

import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from claw_dev.demo.critical_path import CriticalPath
from claw_dev.demo.stage import DoesNotHold, Marks, Stage
from claw_dev.errors import StackError


@dataclass(frozen=True)
class Act:
    """One step of the demo. What `play` returns is told to the person; it raises DoesNotHold."""

    title: str
    play: Callable[[Stage], Awaitable[str]]
    on_this_machine: bool = False
    """Only where the runtimes are processes of this machine."""


@dataclass(frozen=True)
class _Row:
    title: str
    seconds: float
    held: bool


class Teller:
    """Plays acts and tells of them."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._rows: list[_Row] = []
        self.complete = False
        """Whether every act was played and every check held."""

    @contextmanager
    def timing(self, title: str) -> Iterator[None]:
        """Something that takes time and is shown elsewhere."""
        started = time.monotonic()
        yield
        self._rows.append(_Row(title, time.monotonic() - started, held=True))

    async def tell(self, acts: Sequence[Act], stage: Stage) -> bool:
        """Play the acts in order, up to the first check that does not hold. Whether all held."""
        acts = [act for act in acts if stage.outside.has_processes or not act.on_this_machine]
        for number, act in enumerate(acts, start=1):
            if not await self._play(f"{number:2d}/{len(acts)} {act.title}", act, stage):
                return False
        self.complete = True
        return True

    def timeline(self, marks: Marks, path: CriticalPath | None) -> None:
        """Step and seconds, and the figures that the product promises."""
        table = Table(title="Timeline", title_justify="left", box=None, padding=(0, 2, 0, 0))
        table.add_column("step")
        table.add_column("seconds", justify="right")
        table.add_column("")
        for row in self._rows:
            table.add_row(row.title, f"{row.seconds:.2f}", Text("✓", "green") if row.held else Text("✗", "bold red"))
        self._console.print()
        self._console.print(table)
        self._console.print()
        if marks.answered is not None and marks.delivered is not None:
            promised = "promised: under 60 s" if path else "promised: under 5 s"
            self._figure("event received → chat answered", marks.answered - marks.delivered, promised)
        if path is not None:
            path.draw(self._console)
        elif marks.provisioning is not None:
            self._figure("wish → Available", marks.provisioning, "status.provisioning")
            self._figure("  the runtime's own start", marks.starting, "")
            self._figure("  the operator's share", marks.provisioning - marks.starting, "promised: under 0.5 s")

    def _figure(self, what: str, seconds: float, note: str) -> None:
        self._console.print(f"{what:33} {seconds:6.2f} s   {note}".rstrip())

    async def _play(self, title: str, act: Act, stage: Stage) -> bool:
        started = time.monotonic()
        problem = ""
        told = ""
        with self._console.status(Text(title)):
            try:
                told = await act.play(stage)
            except (DoesNotHold, StackError) as error:
                problem = str(error)
        seconds = time.monotonic() - started
        self._rows.append(_Row(act.title, seconds, held=not problem))
        mark = Text("✗ ", "bold red") if problem else Text("✓ ", "green")
        self._console.print(mark + Text(title, "bold") + Text(f"  {seconds:.2f} s", "dim"))
        self._console.print(Padding(Text((problem or told).rstrip(), "red" if problem else ""), (0, 0, 0, 8)))
        return not problem
