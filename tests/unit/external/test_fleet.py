"""One reading for all who ask at about the same time."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from claw_operator.external import Transient
from claw_operator.external.fleet import Shared


class Fleet:
    """A world that is read slowly: each reading ends when it is told to."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.readings: list[asyncio.Future[str]] = []
        self.shared = Shared(self._read, monotonic=lambda: self.seconds)

    async def _read(self) -> str:
        reading: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.readings.append(reading)
        return await reading

    async def asked(self, max_age: float = 5.0) -> "asyncio.Task[str]":
        """Somebody who asks and waits."""
        asking = asyncio.create_task(self.shared.get(max_age))
        await asyncio.sleep(0)  # it asks
        await asyncio.sleep(0)  # and the reading, if it is a new one, begins
        return asking


async def test_all_who_ask_while_a_reading_is_under_way_share_it() -> None:
    fleet = Fleet()
    asking = [await fleet.asked() for _ in range(100)]
    fleet.readings[0].set_result("as it is")
    assert set(await asyncio.gather(*asking)) == {"as it is"}
    assert len(fleet.readings) == 1


async def test_a_reading_is_good_until_it_is_too_old_counted_from_its_beginning() -> None:
    fleet = Fleet()
    first = await fleet.asked()
    fleet.seconds = 4.0
    fleet.readings[0].set_result("old")
    assert await first == "old"
    fleet.seconds = 5.0
    assert await fleet.shared.get(5.0) == "old"
    fleet.seconds = 5.1
    second = await fleet.asked(5.0)
    fleet.readings[1].set_result("new")
    assert await second == "new"


async def test_a_reading_under_way_that_began_too_early_is_not_waited_for() -> None:
    fleet = Fleet()
    early = await fleet.asked()
    fleet.seconds = 1.0
    late = await fleet.asked(max_age=0.0)
    fleet.readings[1].set_result("after the change")
    assert await late == "after the change"
    fleet.readings[0].set_result("before the change")
    assert await early == "before the change"
    assert await fleet.shared.get(5.0) == "after the change", "the older one ended later and is still the older one"


async def test_an_error_goes_to_all_who_waited_and_the_next_one_reads_anew() -> None:
    fleet = Fleet()
    asking = [await fleet.asked() for _ in range(3)]
    fleet.readings[0].set_exception(Transient("away"))
    errors = await asyncio.gather(*asking, return_exceptions=True)
    assert [str(error) for error in errors] == ["away"] * 3
    again = await fleet.asked()
    fleet.readings[1].set_result("back")
    assert await again == "back"


async def test_who_gives_up_waiting_does_not_take_the_reading_from_the_others() -> None:
    fleet = Fleet()
    first, second = await fleet.asked(), await fleet.asked()
    first.cancel()
    await asyncio.sleep(0)
    fleet.readings[0].set_result("as it is")
    assert await second == "as it is"
    assert first.cancelled()


async def test_a_reading_that_fails_when_nobody_waits_any_more_is_no_unheard_error() -> None:
    fleet = Fleet()
    only = await fleet.asked()
    only.cancel()
    fleet.readings[0].set_exception(Transient("away"))
    with pytest.raises(asyncio.CancelledError):
        await only
    again = await fleet.asked()
    assert len(fleet.readings) == 2
    fleet.readings[1].set_result("back")
    assert await again == "back"


async def test_after_a_write_nothing_that_began_before_it_is_used() -> None:
    fleet = Fleet()
    before = await fleet.asked()
    fleet.shared.forget()
    after = await fleet.asked()
    fleet.readings[0].set_result("without it")
    fleet.readings[1].set_result("with it")
    assert (await before, await after) == ("without it", "with it")


async def test_closing_ends_what_is_under_way() -> None:
    fleet = Fleet()
    asking = await fleet.asked()
    await fleet.shared.aclose()
    assert fleet.readings[0].cancelled()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_a_reading_that_raises_at_once_is_told_like_any_other() -> None:
    def broken() -> Awaitable[str]:
        raise Transient("away")

    read: Callable[[], Awaitable[str]] = broken
    with pytest.raises(Transient, match="away"):
        await Shared(read).get(5.0)
