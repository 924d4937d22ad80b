"""The differential oracle: a run with one fault must end in the same world as the undisturbed run, by the same means.

The story makes an instance, changes its plan, rotates its key and deletes it. Every call that changes something
outside is, in turn, refused, carried out with its answer lost, and carried out with the operator's death right after.
Compared are the whole world and how often each kind of thing was made and deleted: a right end can hide a wrong way,
and every thing that is made twice costs money.
"""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import pytest

from claw_crds import naming
from tests.eventually import eventually
from tests.integration.operator.conftest import Operator, condition
from tests.integration.operator.world import Fault, Picture, World

CHANGES = 11
"""Changing calls in the undisturbed story: five to make it, three for the plan, one for the key, two to delete."""

API_WRITES = 14
"""Writes to the API server in the story, at least: finalizer, Secret, statuses, Events, and the finalizer's removal."""

MADE = ("create database", "create compute", "delete database", "delete compute")


@dataclass
class Ended:
    """What is compared."""

    pictures: list[Picture] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


async def _tell(operator: Operator) -> Ended:
    """The story. An operator that died is started again, as Kubernetes would."""
    ended = Ended()
    async with AsyncExitStack() as stack:
        keeper = await stack.enter_async_context(_Keeper(operator))
        await operator.apply("ada")
        await _settled(operator)
        ended.pictures.append(_nameless(operator.world))
        await operator.patch("ada", {"planRef": {"name": "team"}})
        await operator.until("ada", lambda o: o["status"].get("usage", {}).get("messagesLimit") == 100_000, 40)
        await _settled(operator)
        ended.pictures.append(_nameless(operator.world))
        await operator.patch("ada", {"credentialsRevision": 2})
        await operator.until("ada", lambda o: o["status"].get("credentials", {}).get("revision") == 2, 40)
        await _settled(operator)
        ended.pictures.append(_nameless(operator.world))
        await operator.delete("ada")
        await operator.gone("ada", 40)
        ended.pictures.append(_nameless(operator.world))
        assert keeper.deaths == operator.world.crashes
    ended.counts = Counter({what: operator.world.counts()[what] for what in MADE})
    assert not await operator.exists("secret", "ada-credentials")
    return ended


async def _settled(operator: Operator) -> None:
    await operator.until(
        "ada",
        lambda o: (
            condition(o, "Ready").get("status") == "True"
            and condition(o, "Synced").get("status") == "True"
            and o["status"]["observedGeneration"] == o["metadata"]["generation"]
        ),
        40,
    )


class _Keeper:
    """Runs an operator, and another one when it dies."""

    def __init__(self, operator: Operator) -> None:
        self._operator = operator
        self._task: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self.deaths = 0

    async def __aenter__(self) -> "_Keeper":
        self._task = asyncio.create_task(self._keep())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        assert self._task is not None
        await asyncio.wait_for(self._task, 60)

    async def _keep(self) -> None:
        while not self._stop.is_set():
            async with self._operator.running(resync_seconds=1.0):
                died = asyncio.create_task(self._operator.world.crashed.wait())
                stopped = asyncio.create_task(self._stop.wait())
                await asyncio.wait([died, stopped], return_when=asyncio.FIRST_COMPLETED)
                stopped.cancel()
                died.cancel()
            if self._operator.world.crashed.is_set():
                self._operator.world.crashed.clear()
                self.deaths += 1


def _nameless(world: World) -> Picture:
    """The picture without the instance's own name, which every run has another one of."""
    return {
        kind: [tuple(fact for fact in row if naming.uid_of(str(fact)) is None) for row in rows]
        for kind, rows in world.picture().items()
    }


@pytest.fixture(scope="module")
def undisturbed() -> dict[str, Ended]:
    """The undisturbed run, told once."""
    return {}


@pytest.fixture
async def expected(undisturbed: dict[str, Ended], operator: Operator) -> Ended:
    """How the story ends when nothing goes wrong."""
    if "ended" not in undisturbed:
        undisturbed["ended"] = await _tell(operator)
        assert operator.world.changing_calls == CHANGES, operator.world.log
        operator.world.__init__()  # type: ignore[misc]  # the same test goes on in an empty world
    return undisturbed["ended"]


@pytest.mark.parametrize("number", range(CHANGES))
@pytest.mark.parametrize("fault", list(Fault))
async def test_one_fault_changes_neither_the_world_nor_what_was_made(
    operator: Operator, expected: Ended, fault: Fault, number: int
) -> None:
    operator.world.faults[number] = fault
    ended = await _tell(operator)
    assert operator.world.faults == {}, "the fault did not happen"
    assert ended == expected


@pytest.mark.parametrize("number", range(API_WRITES))
@pytest.mark.parametrize("fault", [Fault.LOST_ANSWER, Fault.CRASH])
async def test_a_fault_at_a_write_to_the_api_server_makes_nothing_twice(
    operator: Operator, expected: Ended, fault: Fault, number: int
) -> None:
    operator.write_faults[number] = fault
    ended = await _tell(operator)
    assert operator.write_faults == {}, "the fault did not happen"
    assert ended == expected


async def test_the_api_server_away_in_the_middle_of_provisioning_loses_and_doubles_nothing(operator: Operator) -> None:
    async with operator.running():
        await operator.apply("ada")
        await operator.until("ada", lambda o: condition(o, "Ready"))
        await operator.restart_api_server()
        instance = await operator.until_reason("ada", "Available", 60)
    assert set(operator.world.counts().values()) == {1}, operator.world.log
    assert set(operator.world.databases) == {naming.external_name(instance["metadata"]["uid"])}


async def test_two_operators_at_once_make_nothing_twice(operator: Operator) -> None:
    """As processes of their own, since two Kopf operators in one loop end each other: see test_stack.py.

    Here the second one is a second loop over the same world, fed with the same objects.
    """
    async with operator.running() as first, operator.loop() as second:
        for number in range(10):
            instance = await operator.apply(f"ada-{number}")
            second.store.saw(instance)
            second.queue.add(instance["metadata"]["uid"])
            first.queue.add(instance["metadata"]["uid"])
        for number in range(10):
            await operator.until_reason(f"ada-{number}", "Available", 40)
        await eventually(lambda: all(operator.world.accepts(row) for row in operator.world.computes.values()), 40)
        for number in range(10):
            url = (await operator.secret(f"ada-{number}"))[naming.SECRET_DATABASE_URL]
            assert any(f":{row.password}@" in url for row in operator.world.databases.values()), "the losing password"
    counts = operator.world.counts()
    assert counts["create database"] == counts["create compute"] == 10
