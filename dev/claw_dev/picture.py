"""The picture of a stack that is starting: a live table on a terminal, one line per change anywhere else."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from claw_dev.progress import PartProgress, Progress, State

_STYLES = {
    State.WAITING: "dim",
    State.STARTING: "yellow",
    State.READY: "green",
    State.FAILED: "bold red",
    State.STOPPED: "dim",
}
_FRAMES_PER_SECOND = 8


class PlainPicture:
    """One line for each change: what a pipe or a log file can use."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def changed(self, part: PartProgress) -> None:
        """Print the change. That a part was ended on purpose is no news."""
        if part.state is State.STOPPED:
            return
        took = f" ({part.seconds:.1f} s)" if part.seconds is not None else ""
        note = f": {part.note}" if part.note else ""
        self._console.print(Text(f"{part.part.value} {part.state.value}{took}{note}"), soft_wrap=True)

    @contextmanager
    def showing(self, _progress: Progress) -> Iterator[None]:
        """The block in which the stack starts."""
        yield


class LivePicture(PlainPicture):
    """A table that is drawn anew a few times a second while the stack starts; lines afterwards."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._live = False

    def changed(self, part: PartProgress) -> None:
        """Print the change, unless the next frame shows it anyway."""
        if not self._live:
            super().changed(part)

    @contextmanager
    def showing(self, progress: Progress) -> Iterator[None]:
        """Draw during the block, and leave the last picture where it is."""
        self._live = True
        try:
            with Live(
                console=self._console,
                get_renderable=lambda: progress_table(progress),
                refresh_per_second=_FRAMES_PER_SECOND,
            ):
                yield
        finally:
            self._live = False


def picture_for(console: Console) -> PlainPicture:
    """The one that suits where the output goes."""
    return LivePicture(console) if console.is_terminal else PlainPicture(console)


def progress_table(progress: Progress) -> Table:
    """Part, state, seconds and note of every part."""
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    for part in progress.all():
        seconds = progress.elapsed(part)
        style = _STYLES[part.state]
        table.add_row(
            part.part.value,
            Text(part.state.value, style=style),
            f"{seconds:.1f} s" if seconds is not None else "",
            Text(part.note, style="" if part.state is State.READY else style),
        )
    return table
