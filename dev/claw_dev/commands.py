"""`claw up`, `claw down` and `claw kubectl`."""

import asyncio
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import psutil
import typer
from rich.console import Console

from claw_dev import notes
from claw_dev.agreement import agreed_environment
from claw_dev.errors import StackError
from claw_dev.lock import holder
from claw_dev.parts import Part, Providers
from claw_dev.picture import picture_for
from claw_dev.record import read_record

Directory = Annotated[
    Path, typer.Option("--directory", "-d", envvar="CLAW_DIRECTORY", help="Where the stack keeps everything.")
]
DEFAULT_DIRECTORY = Path(".claw")
Agreed = Annotated[bool, typer.Option("--yes", help="Agree to what the real providers will make and charge.")]
ProvidersChoice = Annotated[
    Providers, typer.Option("--providers", envvar="PROVIDERS", help="Who makes computes and databases.")
]

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_DOWN_TIMEOUT = 40.0
_INTERRUPTED = 130


def up(
    directory: Directory = DEFAULT_DIRECTORY,
    only: Annotated[
        list[Part] | None, typer.Option("--only", help="Start this part and what it needs; may be repeated.")
    ] = None,
    providers: ProvidersChoice = Providers.LOCAL,
    yes: Agreed = False,
) -> None:
    """Start the local stack, and keep it running until Ctrl-C."""
    environment = agreed_environment(providers, Console(), yes=yes)
    raise typer.Exit(asyncio.run(_up(directory, only, providers, environment)))


def down(directory: Directory = DEFAULT_DIRECTORY) -> None:
    """End the stack that runs in this folder, and whatever a killed one has left."""
    console = Console()
    pid = holder(directory)
    if pid is not None:
        console.print(f"ending the stack of process {pid}")
        _end_stack(directory, pid)
    left = notes.sweep(directory.absolute())
    if left:
        console.print(f"ended what was left: {', '.join(left)}")
    console.print("nothing runs here" if pid is None and not left else "ended: no process is left")


def kubectl(
    arguments: Annotated[list[str] | None, typer.Argument(help="After --, as kubectl takes them.")] = None,
    directory: Directory = DEFAULT_DIRECTORY,
) -> None:
    """Run kubectl against the stack; without arguments, print what a shell needs to do so itself."""
    from claw_dev.kubectl import Kubectl

    record = read_record(directory.absolute())
    if record.kubeconfig is None:
        raise StackError("this stack was started without Kubernetes")
    if not arguments:
        typer.echo(f"export KUBECONFIG={record.kubeconfig}")
        return
    program = Kubectl(record.kubeconfig, cache=record.directory / "kubectl-cache")
    # In our place, so that `kubectl edit` and `--watch` have the terminal to themselves.
    os.execve(program.program, ["kubectl", *arguments], {**os.environ, **program.variables})  # noqa: S606 -- no shell wanted


async def _up(directory: Path, parts: list[Part] | None, providers: Providers, environment: Mapping[str, str]) -> int:
    # Not at the top: `claw down` needs none of what a stack consists of.
    from claw_dev.stack import Stack

    console = Console()
    picture = picture_for(console)
    stack = Stack(directory, parts=parts, providers=providers, environment=environment, listener=picture.changed)
    cancel_once_on_signal()
    started = time.monotonic()
    try:
        with picture.showing(stack.progress):
            await stack.start()
    except asyncio.CancelledError:
        console.print("ended before everything was ready: no process is left")
        return _INTERRUPTED
    try:
        console.print(f"\nready after {time.monotonic() - started:.1f} s. Ctrl-C ends it.")
        console.print(f"  export KUBECONFIG={stack.kubeconfig}", soft_wrap=True, highlight=False)
        console.print(f"  logs: {stack.logs}", soft_wrap=True, highlight=False)
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        console.print("\nending everything ...")
    finally:
        await stack.stop()
    console.print("ended: no process is left")
    return 0


def cancel_once_on_signal() -> None:
    """The first signal ends the running task in good order; further ones must not cut that short."""
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()

    def stop() -> None:
        for number in _STOP_SIGNALS:
            loop.add_signal_handler(number, lambda: None)
        if task is not None:
            task.cancel()

    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, stop)


def _end_stack(directory: Path, pid: int) -> None:
    try:
        stack = psutil.Process(pid)
        stack.terminate()
        stack.wait(timeout=_DOWN_TIMEOUT)
    except psutil.NoSuchProcess:
        return
    except psutil.AccessDenied:
        raise StackError(f"process {pid}, whose stack this is, belongs to somebody else") from None
    except psutil.TimeoutExpired:
        if holder(directory) == pid:
            stack.kill()
            stack.wait(timeout=_DOWN_TIMEOUT)
