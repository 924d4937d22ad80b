"""What a driver notices by itself wakes the loop, also after the driver has stumbled."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from random import Random

import pytest

from claw_operator.assembly import listen
from claw_operator.external import DesiredCompute, Marked, ObservedCompute, Owner
from claw_operator.store import Store
from claw_operator.workqueue import Result, WorkQueue
from tests.unit.operator.examples import UID, body
from tests.unit.operator.virtual_time import in_virtual_time, now

Word = str | Exception


class Telling:
    """A compute driver that tells these words, each after a second; an exception ends the telling."""

    name = "telling"
    poll_seconds = 1.0

    def __init__(self, *words: Word) -> None:
        self._words = list(words)
        self.asked: list[float] = []

    async def changes(self) -> AsyncIterator[str]:
        """Another part of the words each time."""
        self.asked.append(round(now(), 3))
        while self._words:
            await asyncio.sleep(1)
            word = self._words.pop(0)
            if isinstance(word, Exception):
                raise word
            yield word

    async def observe(self, owner: Owner, *, max_age: float = 0.0) -> ObservedCompute | None:
        """Never asked here."""
        raise NotImplementedError

    async def create(self, desired: DesiredCompute) -> ObservedCompute:
        """Never asked here."""
        raise NotImplementedError

    deploy = adjust = create

    async def suspend(self, owner: Owner) -> ObservedCompute:
        """Never asked here."""
        raise NotImplementedError

    async def inventory(self) -> Sequence[Marked]:
        """Never asked here."""
        raise NotImplementedError

    async def delete(self, owner: Owner) -> None:
        """Never asked here."""
        raise NotImplementedError

    async def aclose(self) -> None:
        """Nothing to let go of."""


async def listened(driver: Telling) -> list[tuple[float, str]]:
    """The passes that the driver caused, until it told no more."""
    passes: list[tuple[float, str]] = []

    async def process(uid: str) -> Result:
        passes.append((now(), uid))
        return Result()

    store, queue = Store(), WorkQueue(process, random=lambda: 1.0)
    store.saw(body())
    queue.start()
    await listen(driver, store, queue, Random(1))
    await queue.stop(1.0)
    return passes


def test_an_instance_that_is_known_is_looked_at_at_once() -> None:
    assert in_virtual_time(listened(Telling(UID, "unknown", UID, "unknown"))) == [(1.0, UID), (3.0, UID)]


def test_a_driver_that_stumbles_is_asked_again_and_the_stumbling_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    driver = Telling(OSError("a"), OSError("b"), OSError("c"), UID, "unknown")
    ((moment, uid),) = in_virtual_time(listened(driver))
    assert uid == UID
    first, second, third, fourth = driver.asked
    assert first == 0.0
    assert second - first < third - second < fourth - third < moment
    assert [record.levelname for record in caplog.records] == ["ERROR"]
