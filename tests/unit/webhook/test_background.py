"""Work that is repeated, and followers that never end."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator

import pytest

from claw_webhook.background import Background
from claw_webhook.backoff import Backoff
from tests.eventually import eventually


@pytest.fixture
async def background() -> AsyncIterator[Background]:
    made = Background(poll_seconds=60, random=lambda: 0.0, retry=Backoff(first=0.01, longest=0.01))
    yield made
    await made.stop()


def test_pauses_double_up_to_the_longest_and_are_spread() -> None:
    backoff = Backoff(first=1, longest=60)
    assert [backoff.delay(failures, lambda: 1.0) for failures in (1, 2, 3, 7, 1000)] == [1, 2, 4, 60, 60]
    assert backoff.delay(3, lambda: 0.0) == 2


async def test_work_goes_on_while_there_is_some_and_then_waits_for_a_signal(background: Background) -> None:
    jobs, arrived = ["a", "b", "c"], asyncio.Event()
    done: list[str] = []

    async def once() -> bool:
        if jobs:
            done.append(jobs.pop(0))
        return bool(jobs)

    background.work("jobs", once, arrived)
    await eventually(lambda: done == ["a", "b", "c"])
    jobs.append("d")
    arrived.set()
    await eventually(lambda: done[-1] == "d")


async def test_what_nobody_signals_is_found_by_looking() -> None:
    looked = 0

    async def once() -> bool:
        nonlocal looked
        looked += 1
        return False

    background = Background(poll_seconds=0.01, random=lambda: 0.0)
    background.work("jobs", once, asyncio.Event())
    await eventually(lambda: looked > 3)
    await background.stop()


async def test_a_failure_is_told_when_it_begins_and_when_it_ends(
    background: Background, caplog: pytest.LogCaptureFixture
) -> None:
    failures, arrived = 2, asyncio.Event()

    async def once() -> bool:
        nonlocal failures
        if failures:
            failures -= 1
            raise ConnectionError("away")
        return False

    with caplog.at_level(logging.INFO, "claw_webhook.background"):
        background.work("jobs", once, arrived)
        await eventually(lambda: len(caplog.records) == 2)
    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"]
    assert "after 2 failures" in caplog.text
    assert background.dead() == []


async def test_a_follower_that_fails_begins_anew(background: Background) -> None:
    begun = 0

    async def steps() -> AsyncGenerator[None, None]:
        nonlocal begun
        begun += 1
        yield
        if begun < 2:
            raise ConnectionError("away")
        await asyncio.Event().wait()

    background.follow("steps", steps)
    await eventually(lambda: begun == 2)
    assert background.dead() == []


async def test_work_that_comes_seldom_is_looked_for_seldom_and_does_not_hold_up_the_end() -> None:
    often, seldom = 0, 0

    async def count_often() -> bool:
        nonlocal often
        often += 1
        return False

    async def count_seldom() -> bool:
        nonlocal seldom
        seldom += 1
        return False

    background = Background(poll_seconds=0.01, random=lambda: 0.0)
    background.work("often", count_often)
    background.work("seldom", count_seldom, poll_seconds=3600)
    await eventually(lambda: often >= 3)
    assert seldom == 1
    async with asyncio.timeout(5):
        await background.stop()


async def test_stopping_lets_the_work_in_hand_be_finished() -> None:
    started, finish, finished = asyncio.Event(), asyncio.Event(), []

    async def once() -> bool:
        started.set()
        await finish.wait()
        finished.append(True)
        return True

    background = Background(poll_seconds=60, random=lambda: 0.0)
    background.work("jobs", once, asyncio.Event())
    await started.wait()
    stopping = asyncio.create_task(background.stop())
    finish.set()
    await stopping
    assert finished == [True]


async def test_stopping_ends_a_task_that_loses_a_cancellation() -> None:
    """What asyncio.wait_for does before Python 3.12, and with it the connection pool's libraries."""
    begun = asyncio.Event()

    async def steps() -> AsyncGenerator[None, None]:
        begun.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()
        yield

    background = Background(poll_seconds=60, random=lambda: 0.0)
    background.follow("steps", steps)
    await begun.wait()
    async with asyncio.timeout(5):
        await background.stop()
