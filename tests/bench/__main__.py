"""`make bench`: measures our own parts against the least that could do the same, side by side in one run.

    python -m tests.bench [names]

Nothing is asserted here: a figure that misses its aim is told, and fails nothing. What fails is a benchmark that could
not be carried out.
"""

import asyncio
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from claw_dev.commands import cancel_once_on_signal
from tests.bench.machine import Machine, Moment
from tests.bench.run import Benchmark, Run
from tests.bench.telling import machine, table

BENCHMARKS = ("loop", "provision", "clouds", "webhook", "runtime", "memory", "stack")
"""Each is a module beside this one, with a function `measure`."""

_LONGEST = 480.0
"""Seconds for one benchmark, even on a machine that has much else to do."""
_INTERRUPTED = 130
_WIDE = 150


def main(
    names: Annotated[list[str] | None, typer.Argument(help=f"Of {', '.join(BENCHMARKS)}; by default all.")] = None,
    scale: Annotated[float, typer.Option(min=0.01, max=10, help="Below 1 to try something out.")] = 1.0,
) -> None:
    """Measure, and print a table for each benchmark."""
    if unknown := sorted(set(names or ()) - set(BENCHMARKS)):
        raise typer.BadParameter(f"there is no {', '.join(unknown)}, but there are {', '.join(BENCHMARKS)}")
    try:
        complete = asyncio.run(_measure(names or BENCHMARKS, scale))
    except asyncio.CancelledError:
        raise typer.Exit(_INTERRUPTED) from None
    raise typer.Exit(0 if complete else 1)


async def _measure(names: Sequence[str], scale: float) -> bool:
    """All of them, one after the other. Whether every one could be carried out."""
    # A file has no width; what is printed there is to be read as a table all the same.
    console = Console() if sys.stdout.isatty() else Console(width=_WIDE)
    cancel_once_on_signal()
    machine(console, Machine.present())
    return all([await _carried_out(console, name, scale) for name in names])


async def _carried_out(console: Console, name: str, scale: float) -> bool:
    begun = Moment.now()
    console.print()
    try:
        with console.status(name) as status:

            def tell(what: str) -> None:
                status.update(f"{name}: {what}")

            async with asyncio.timeout(_LONGEST):
                rows = await _benchmark(name)(Run(tell, scale))
    except Exception as error:
        cause = _first(error)
        console.print(Text(f"{name} could not be carried out: {str(cause) or type(cause).__name__}", "bold red"))
        return False
    ended = Moment.now()
    console.print(table(name, ended.at - begun.at, ended.others_since(begun), rows))
    return True


def _first(error: BaseException) -> BaseException:
    """The first failure of those that happened side by side."""
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


def _benchmark(name: str) -> Benchmark:
    # Only those that were asked for: each imports half of what it measures.
    measure: Benchmark = import_module(f"tests.bench.{name}").measure
    return measure


if __name__ == "__main__":
    typer.run(main)
