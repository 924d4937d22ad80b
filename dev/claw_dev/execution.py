"""Programs that are run to their end: with a deadline, and ended when nobody waits for them any more."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from claw_dev.errors import StackError


@dataclass(frozen=True)
class Completed:
    """A program that has ended."""

    exit_code: int
    output: str
    errors: str


async def execute(
    *argv: str, deadline: float, environment: Mapping[str, str] | None = None, stdin: str = ""
) -> Completed:
    """Run a program and return what it said. Raises StackError when there is none, or it takes too many seconds."""
    try:
        child = await asyncio.create_subprocess_exec(
            *argv,
            env=environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        raise StackError(f"cannot run {argv[0]}: {error.strerror}") from error
    try:
        async with asyncio.timeout(deadline):
            output, errors = await child.communicate(stdin.encode())
    except TimeoutError:
        raise StackError(f"{argv[0]} did not end within {deadline:.0f} s") from None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    return Completed(await child.wait(), output.decode(errors="replace"), errors.decode(errors="replace"))
