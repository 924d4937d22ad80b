"""Waiting for work that may not end, not even when it is told to.

`asyncio.timeout` cancels the work and then waits for it, for ever if the work does not listen. A tool that hangs in its
own clean-up would hang the turn with it. Here it is left behind instead.
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

log = logging.getLogger(__name__)

GRACE_SECONDS = 1.0
"""For work that is cancelled, to let go of what it holds."""

Result = TypeVar("Result")


class NeverEnded(Exception):
    """The work cancelled itself, and has no result."""


async def within(seconds: float, work: Coroutine[Any, Any, Result], *, grace: float = GRACE_SECONDS) -> Result:
    """The result of the work. Raises TimeoutError, NeverEnded, and what the work raises.

    When this is cancelled, so is the work.
    """
    task = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
    except asyncio.CancelledError:
        await _let_go(task, grace)
        raise
    if not done:
        await _let_go(task, grace)
        raise TimeoutError
    if task.cancelled():
        raise NeverEnded
    return task.result()


async def _let_go(task: "asyncio.Future[Any]", grace: float) -> None:
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=grace)
    if not done:
        log.error("work did not end when it was cancelled, and is left behind")
        task.add_done_callback(_look_at)
        return
    _look_at(task)


def _look_at(task: "asyncio.Future[Any]") -> None:
    """Nobody waits for its error any more; unread, it would be logged with whatever words are in it."""
    if not task.cancelled():
        task.exception()
