"""`claw demo`: from a signed Stripe event to an answered chat, and back to nothing.

A Kubernetes API server, PostgreSQL, the operator, the webhook service and the runtime are real. Stripe and, without a
key, Claude are simulators. Computes and databases are processes and databases of this machine, or made by simulators of
Railway and Neon, or by the real ones. Each step checks the state of the world, not what was said; the first check that
does not hold ends the demo with exit code 1.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from claw_dev.agreement import agreed_environment
from claw_dev.commands import DEFAULT_DIRECTORY, Agreed, Directory, ProvidersChoice, cancel_once_on_signal
from claw_dev.parts import Providers
from claw_dev.picture import picture_for


def demo(
    directory: Directory = DEFAULT_DIRECTORY,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the stack running afterwards, until Ctrl-C.")] = False,
    providers: ProvidersChoice = Providers.LOCAL,
    yes: Agreed = False,
) -> None:
    """Watch a paid checkout become a working assistant, and a cancellation leave nothing behind."""
    console = Console(highlight=False)
    environment = agreed_environment(providers, console, yes=yes)
    raise typer.Exit(asyncio.run(_demo(directory, console, providers, environment, keep=keep)))


async def _demo(
    directory: Path, console: Console, providers: Providers, environment: Mapping[str, str], *, keep: bool
) -> int:
    # Not at the top: `claw --help` needs none of it.
    from claw_dev.demo.acts import ACTS, by_hand
    from claw_dev.demo.stage import open_stage
    from claw_dev.demo.telling import Teller
    from claw_dev.stack import Stack

    cancel_once_on_signal()
    picture = picture_for(console)
    stack = Stack(directory, providers=providers, environment=environment, listener=picture.changed)
    teller = Teller(console)
    try:
        with picture.showing(stack.progress), teller.timing("the stack starts"):
            await stack.start()
        async with open_stage(stack) as stage:
            held = await teller.tell(ACTS, stage)
            teller.timeline(stage.marks, stage.path)
            if keep and held:
                await by_hand(stage, console)
                await asyncio.Event().wait()
    except asyncio.CancelledError:
        console.print("\nending everything ...")
        held = teller.complete
    finally:
        await stack.stop()
    console.print("ended: no process is left")
    return 0 if held else 1
