"""The one way in which tests wait."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import TypeVar, overload

Value = TypeVar("Value")

_FIRST_PAUSE = 0.01
_LONGEST_PAUSE = 0.25


@overload
def eventually(
    predicate: Callable[[], Awaitable[Value]], timeout: float = ..., describe: Callable[[], object] | None = ...
) -> Coroutine[None, None, Value]: ...


@overload
def eventually(
    predicate: Callable[[], Value], timeout: float = ..., describe: Callable[[], object] | None = ...
) -> Coroutine[None, None, Value]: ...


async def eventually(
    predicate: Callable[[], Value | Awaitable[Value]],
    timeout: float = 10,  # noqa: ASYNC109 -- it bounds the repetition, and must not cut an answer in two
    describe: Callable[[], object] | None = None,
) -> Value:
    """Ask until the answer is truthy, and return it.

    After `timeout` seconds it fails, with what `describe()` returned: the state of the world, for the person who has
    to find out why. `describe` may be asynchronous. What the predicate raises is raised at once, but an AssertionError
    means "not yet".
    """
    deadline = time.monotonic() + timeout
    pause = _FIRST_PAUSE
    while True:
        complaint: AssertionError | None = None
        try:
            answer = predicate()
            value = await answer if inspect.isawaitable(answer) else answer
            if value:
                return value
        except AssertionError as error:
            complaint = error
        if time.monotonic() >= deadline:
            raise AssertionError(await _story(timeout, predicate, describe)) from complaint
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)


async def _story(seconds: float, predicate: object, describe: Callable[[], object] | None) -> str:
    story = f"not within {seconds} s: {getattr(predicate, '__qualname__', predicate)}"
    if describe is None:
        return story
    description = describe()
    if inspect.isawaitable(description):
        description = await description
    return f"{story}\n{description}"
