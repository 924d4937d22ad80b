"""The sweep over a tiny API server and two providers that only keep what bears marks."""

import asyncio
import itertools
import logging
import uuid
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any, cast

import pytest
from aiohttp import web

from claw_operator.drivers import Drivers
from claw_operator.external import (
    ComputeDriver,
    DatabaseDriver,
    ExternalError,
    Marked,
    ObservedDatabase,
    Owner,
    RuntimeClient,
    Transient,
)
from claw_operator.kube import Kube
from claw_operator.metrics import Metrics
from claw_operator.orphans import Policy
from claw_operator.store import Store
from claw_operator.sweep import Schedule, Sweeper
from claw_operator.workqueue import Result, WorkQueue
from tests.eventually import eventually
from tests.unit.operator.api_server import INSTANCES, CarryOut, answer, before, status
from tests.unit.operator.examples import NOW, body
from tests.unit.operator.listing import ListingApiServer

FLEET = "f1ee7000-0000-4000-8000-000000000000"
MINUTE, HOUR = 60.0, 3600.0


class Provider:
    """Keeps things by owner. Where deletions linger, they are accepted, and done when the next one is asked for."""

    def __init__(self, name: str) -> None:
        self.name, self.poll_seconds = name, 1.0
        self.things: dict[str, Marked] = {}
        self.deleted: list[tuple[float, str]] = []
        self.failing: ExternalError | None = None
        self.hanging = False
        self.lingering = False
        self.stage: Stage

    async def inventory(self) -> Sequence[Marked]:
        if self.hanging:
            await asyncio.Event().wait()
        if self.failing is not None:
            raise self.failing
        return tuple(self.things.values())

    async def observe(self, owner: Owner) -> ObservedDatabase | None:
        thing = self.things.get(owner.uid)
        return None if thing is None else ObservedDatabase(thing.id, "db.example", ready=True)

    async def delete(self, owner: Owner) -> None:
        if self.failing is not None:
            raise self.failing
        if self.lingering:
            self.lingering = False
            return
        self.things.pop(owner.uid)
        self.deleted.append((self.stage.seconds, owner.name))


class Stage:
    """A sweeper, and everything that it looks at."""

    def __init__(self, api: ListingApiServer, kube: Kube) -> None:
        self.api, self.kube = api, kube
        self.seconds = 0.0
        self.railway, self.neon = Provider("railway"), Provider("neon")
        self.railway.stage = self.neon.stage = self
        self.store, self.metrics = Store(), Metrics()
        self.queue = WorkQueue(self._never, random=lambda: 0.5)
        self.sweeper = self.restart()

    def restart(self, *, deletion: bool = True, deadline: float = 300.0) -> Sweeper:
        drivers = Drivers(
            {"railway": cast(ComputeDriver, self.railway)},
            {"neon": cast(DatabaseDriver, self.neon)},
            cast(RuntimeClient, None),
        )
        self.sweeper = Sweeper(
            kube=self.kube,
            drivers=drivers,
            store=self.store,
            queue=self.queue,
            metrics=self.metrics,
            policy=Policy(fleet=FLEET, namespace="claw", deletion=deletion),
            clock=lambda: NOW + timedelta(seconds=self.seconds),
            schedule=Schedule(deadline=deadline),
            monotonic=lambda: self.seconds,
            sleep=self._sleep,
        )
        return self.sweeper

    async def _never(self, _: str) -> Result:
        raise AssertionError("no pass runs here")

    async def _sleep(self, seconds: float) -> None:
        self.seconds += seconds
        await asyncio.sleep(0)

    def instance(self, number: int) -> dict[str, Any]:
        """An instance that exists."""
        uid, name = owner(number).uid, owner(number).name
        return self.api.put(f"{INSTANCES}/{name}", body(metadata={"uid": uid, "name": name}))

    def make(self, number: int, *, instance: bool = False, kept: timedelta | None = None, fleet: str = FLEET) -> None:
        """Both things of an owner, with or without the instance; of an archive, only the database."""
        if instance:
            self.instance(number)
        whose = owner(number, fleet)
        until = None if kept is None else NOW + kept
        if until is None:
            self.railway.things[whose.uid] = Marked(whose, f"svc-{number}")
        self.neon.things[whose.uid] = Marked(whose, f"br-{number}", until)

    async def sweep(self, hours: float = 0.0) -> None:
        """One sweep and its deletions; with `hours`, as many as run in that time."""
        end = self.seconds + hours * HOUR
        while True:
            began = self.seconds
            await self.sweeper.delete(await self.sweeper.sweep(), until=began + 10 * MINUTE)
            self.seconds = max(began + 10 * MINUTE, self.seconds)
            if self.seconds >= end:
                return

    def events(self) -> list[tuple[str, str]]:
        """What was told, and about whom, oldest first."""
        told = [o for path, o in self.api.objects.items() if "/events/" in path]
        return [(o["reason"], o["regarding"]["name"]) for o in told]

    def metric(self, name: str, driver: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, {"driver": driver})


def owner(number: int, fleet: str = FLEET) -> Owner:
    return Owner("claw", f"ada-{number}", str(uuid.UUID(int=number + 1)), fleet)


@pytest.fixture
async def world() -> AsyncIterator[Stage]:
    api = ListingApiServer()
    async with api.serving(), api.client() as client:
        yield Stage(api, Kube(client))


async def test_an_orphan_is_reported_at_once_and_only_once(world: Stage, caplog: pytest.LogCaptureFixture) -> None:
    world.make(1)
    with caplog.at_level(logging.INFO, "claw_operator"):
        await world.sweep()
        await world.sweep()
    assert world.events() == [("Orphaned", "ada-1")] * 2, "its compute and its database"
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 2
    assert "svc-1" in caplog.text
    assert (world.metric("claw_orphans", "railway"), world.metric("claw_orphans", "neon")) == (1, 1)
    assert world.railway.things


async def test_it_is_deleted_after_an_hour_compute_first_and_its_end_is_told(world: Stage) -> None:
    world.make(1)
    world.make(2, instance=True)
    await world.sweep(hours=1)
    assert owner(1).uid in world.railway.things
    await world.sweep(hours=0.5)
    assert list(world.railway.things) == list(world.neon.things) == [owner(2).uid]
    assert world.railway.deleted[0] < world.neon.deleted[0]
    assert world.events() == [("Orphaned", "ada-1")] * 2 + [("OrphanDeleted", "ada-1")] * 2
    assert world.metric("claw_orphans_deleted_total", "railway") == 1
    assert world.metric("claw_orphans", "railway") == 0


async def test_of_fifty_orphans_and_fifty_look_alikes_all_fifty_are_reported_and_no_other_is_touched(
    world: Stage,
) -> None:
    world.api.page = 50
    for number in range(50):
        world.make(number, instance=True)
    for number in range(50, 60):
        world.make(number)
    for number in range(100, 150):
        world.make(number, fleet="" if number % 2 else "0ther000-0000-4000-8000-000000000000")
    await world.sweep(hours=3)
    assert world.metric("claw_orphans_deleted_total", "neon") == 10
    assert {*world.railway.things} == {owner(n).uid for n in (*range(50), *range(100, 150))}
    assert {name for _, name in world.events()} == {f"ada-{n}" for n in range(50, 60)}


async def test_never_more_than_two_are_deleted_in_a_minute(world: Stage) -> None:
    world.api.page = 50
    for number in range(100):
        world.make(number, instance=number >= 20)
    await world.sweep(hours=2)
    times = sorted(at for at, _ in world.railway.deleted + world.neon.deleted)
    assert len(times) == 40
    assert all(later - earlier >= 30 for earlier, later in itertools.pairwise(times))


async def test_deletions_that_do_not_get_done_until_the_next_sweep_are_judged_anew_by_it(world: Stage) -> None:
    world.api.page = 50
    for number in range(100):
        world.make(number, instance=number >= 20)
    while not (due := await world.sweeper.sweep()):
        world.seconds += 10 * MINUTE
    assert len(due) == 40
    until = world.seconds + 10 * MINUTE
    await world.sweeper.delete(due, until=until)
    assert len(world.railway.deleted + world.neon.deleted) == 20
    assert world.seconds == until


async def test_when_most_things_look_like_orphans_none_is_deleted_and_it_is_said_once(
    world: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(6):
        world.make(number)
    with caplog.at_level(logging.ERROR, "claw_operator"):
        await world.sweep(hours=5)
    assert len(world.railway.things) == len(world.neon.things) == 6
    assert len([record for record in caplog.records if "than can be true" in record.message]) == 1
    assert world.metric("claw_orphans", "neon") == 6


async def test_with_deletion_switched_off_orphans_are_only_reported(world: Stage) -> None:
    world.restart(deletion=False)
    world.make(1)
    await world.sweep(hours=5)
    assert world.railway.things
    assert world.events() == [("Orphaned", "ada-1")] * 2


async def test_an_instance_that_is_being_deleted_is_alive(world: Stage) -> None:
    world.make(1)
    world.api.put(
        f"{INSTANCES}/ada-1",
        body(metadata={"uid": owner(1).uid, "name": "ada-1", "deletionTimestamp": NOW.isoformat()}),
    )
    await world.sweep(hours=3)
    assert world.events() == []
    assert world.railway.things


async def test_an_instance_that_goes_while_we_look_leaves_no_orphan_yet(world: Stage) -> None:
    world.make(1, instance=True)
    world.store.saw(world.api.objects[f"{INSTANCES}/ada-1"])
    world.api.at("GET", INSTANCES, before(lambda: world.api.objects.pop(f"{INSTANCES}/ada-1")))
    await world.sweep()
    assert world.events() == []


async def test_without_the_list_of_instances_nothing_is_an_orphan(
    world: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    world.make(1, instance=True)
    await world.sweep()
    with caplog.at_level(logging.INFO, "claw_operator.sweep"):
        for _ in range(9):
            world.api.at("GET", INSTANCES, answer(status(403, "Forbidden", "no")))
            await world.sweep()
        await world.sweep()
    assert world.railway.things
    assert world.events() == []
    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"], "its beginning and its end"


async def test_a_list_that_breaks_off_after_a_page_is_no_list(world: Stage) -> None:
    for number in range(5):
        world.make(number, instance=True)
        world.store.saw(world.api.objects[f"{INSTANCES}/ada-{number}"])
    gone = answer(status(410, "Expired", "The provided continue parameter is too old"))

    def second_page(carry_out: CarryOut, request: web.Request) -> web.Response:
        world.api.at("GET", INSTANCES, gone)
        return carry_out()

    world.api.at("GET", INSTANCES, second_page)
    await world.sweep()
    assert world.events() == []
    assert len(world.store) == 5


async def test_a_driver_that_fails_or_hangs_does_not_keep_the_other_s_orphans_from_being_found(world: Stage) -> None:
    world.restart(deadline=0.02)
    world.make(1)
    world.railway.failing = Transient("Railway does not answer.")
    world.neon.hanging = True
    await world.sweep()
    assert world.events() == []
    world.neon.hanging = False
    await world.sweep()
    assert world.events() == [("Orphaned", "ada-1")]
    world.railway.failing = None
    await world.sweep()
    assert world.events() == [("Orphaned", "ada-1")] * 2


async def test_right_before_a_deletion_the_api_server_is_asked_once_more(world: Stage) -> None:
    world.make(1)
    while not (due := await world.sweeper.sweep()):
        world.seconds += 10 * MINUTE
    world.instance(1)  # restored from a backup
    await world.sweeper.delete(due, until=world.seconds + 10 * MINUTE)
    assert world.railway.things
    assert world.neon.things
    await world.sweep()
    assert world.events()[-2:] == [("OrphanGone", "ada-1")] * 2


async def test_while_the_api_server_does_not_answer_nothing_is_deleted(world: Stage) -> None:
    world.make(1)
    while not (due := await world.sweeper.sweep()):
        world.seconds += 10 * MINUTE
    for _ in due:
        world.api.at("GET", f"{INSTANCES}/ada-1", answer(status(503, "ServiceUnavailable", "later")))
    await world.sweeper.delete(due, until=world.seconds + 10 * MINUTE)
    assert world.railway.things
    assert world.neon.things


async def test_another_instance_of_the_same_name_does_not_protect_an_orphan(world: Stage) -> None:
    world.make(1)
    world.api.put(f"{INSTANCES}/ada-1", body(metadata={"uid": owner(7).uid, "name": "ada-1"}))
    await world.sweep(hours=2)
    assert not world.railway.things


async def test_a_deletion_that_fails_is_tried_again_at_the_next_sweep_and_logged_once(
    world: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    world.make(1)
    while not (due := await world.sweeper.sweep()):
        world.seconds += 10 * MINUTE
    world.railway.failing = Transient("Railway does not answer.")
    caplog.clear()
    with caplog.at_level(logging.INFO, "claw_operator.sweep"):
        await world.sweeper.delete(due[:1], until=world.seconds + 10 * MINUTE)
        await world.sweeper.delete(due[:1], until=world.seconds + 10 * MINUTE)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    world.railway.failing = None
    await world.sweep()
    assert not world.railway.things


async def test_a_deletion_that_lingers_is_asked_for_until_it_is_done_and_counted_once(world: Stage) -> None:
    world.make(1)
    world.railway.lingering = True
    await world.sweep(hours=1.5)
    assert not world.railway.things
    assert world.metric("claw_orphans_deleted_total", "railway") == 1
    assert world.events() == [("Orphaned", "ada-1")] * 2 + [("OrphanDeleted", "ada-1")] * 2


async def test_one_that_goes_after_its_deletion_was_accepted_was_deleted_by_us(world: Stage) -> None:
    world.make(1)
    while not (due := await world.sweeper.sweep()):
        world.seconds += 10 * MINUTE
    world.railway.lingering = True
    await world.sweeper.delete(due[:1], until=world.seconds + MINUTE)
    assert world.events() == [("Orphaned", "ada-1")] * 2
    world.railway.things.clear()
    await world.sweeper.sweep()
    assert world.metric("claw_orphans_deleted_total", "railway") == 1
    assert world.events()[2:] == [("OrphanDeleted", "ada-1")]


async def test_an_archive_is_kept_until_its_time_is_over_and_is_no_orphan(world: Stage) -> None:
    world.make(1, kept=timedelta(hours=6))
    await world.sweep(hours=5.5)
    assert world.metric("claw_archived", "neon") == 1
    assert world.neon.things
    await world.sweep(hours=0.8)
    assert world.metric("claw_orphans", "neon") == 0, "its time is over, and it is no orphan"
    assert world.neon.things
    await world.sweep(hours=1)
    assert not world.neon.things
    assert world.events() == [("ArchiveDeleted", "ada-1")]
    assert world.metric("claw_archived", "neon") == 0
    assert world.metric("claw_orphans", "neon") == 0
    assert world.metric("claw_orphans_deleted_total", "neon") is None


async def test_what_the_watch_has_lost_is_put_right(world: Stage) -> None:
    for number in range(5):
        world.instance(number)
    known = world.instance(7)
    world.store.saw(known)
    del world.api.objects[f"{INSTANCES}/ada-7"]
    await world.sweep()
    assert set(world.store) == {owner(number).uid for number in range(5)}
    assert world.queue.depth == 6, "five to look at, and one to forget"
    await world.sweep()
    assert world.queue.depth == 6


async def test_an_instance_that_the_watch_brings_during_the_list_is_not_forgotten(world: Stage) -> None:
    late = body(metadata={"uid": owner(3).uid, "name": "ada-3"})

    def meanwhile(carry_out: CarryOut, _: web.Request) -> web.Response:
        response = carry_out()
        world.store.saw(world.api.put(f"{INSTANCES}/ada-3", late))
        return response

    world.api.at("GET", INSTANCES, meanwhile)
    await world.sweep()
    assert list(world.store) == [owner(3).uid]


async def test_it_runs_on_schedule_and_a_bug_does_not_end_it(world: Stage, caplog: pytest.LogCaptureFixture) -> None:
    world.make(1)
    broken = cast(ExternalError, ValueError("a bug in a driver"))
    world.railway.failing = broken
    running = asyncio.create_task(world.sweeper.run())
    await eventually(lambda: "a bug in a driver" in caplog.text)
    assert world.events() == []
    world.railway.failing = None
    await eventually(lambda: not world.railway.things and not world.neon.things)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (min(at for at, _ in world.railway.deleted) - MINUTE) % (10 * MINUTE) == 0
