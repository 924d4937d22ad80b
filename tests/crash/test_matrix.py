"""The operator killed around every write, deaf to every answer, and twice at once: the world ends the same.

Undisturbed, killed or deaf, each phase of an instance's life (create, change of plan, suspend, resume, delete) has to
lead to an equal world by an equal number of creates and deletes. See `matrix` for what is compared.
"""

import asyncio
from pathlib import Path

import pytest
from rich.console import Console

from claw_dev.cluster import ControlPlane
from claw_dev.processes import Processes
from tests.crash.gate import Moment
from tests.crash.lane import lane
from tests.crash.matrix import Expected, Row, crowd_lives, struck_lives, struck_starts, undisturbed_life
from tests.crash.telling import Teller

pytestmark = pytest.mark.timeout(1800)

_CROWD = 6


@pytest.fixture(scope="session")
async def expected(
    control_plane: ControlPlane, processes: Processes, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Expected]:
    """The undisturbed life, lived once."""
    async with lane("calm", control_plane, processes, tmp_path_factory.mktemp("calm")) as calm:
        life = await undisturbed_life(calm)
        assert not calm.went_round_the_gate()
    return life


async def test_a_kill_around_any_write_or_any_lost_answer_changes_nothing(
    control_plane: ControlPlane,
    processes: Processes,
    tmp_path: Path,
    expected: dict[str, Expected],
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def all_of(moment: Moment) -> list[Row]:
        async with lane(moment.name.lower(), control_plane, processes, tmp_path) as world:
            return await struck_lives(world, moment, expected, teller)

    with capsys.disabled(), Teller(Console()) as teller:
        rows = [row for rows in await asyncio.gather(*map(all_of, Moment)) for row in rows]
        teller.tell("One strike in the life of an instance", rows)
    _assert_well(rows)


async def test_any_answer_may_be_lost_while_the_operator_starts(
    control_plane: ControlPlane,
    processes: Processes,
    tmp_path: Path,
    expected: dict[str, Expected],
    capsys: pytest.CaptureFixture[str],
) -> None:
    with capsys.disabled(), Teller(Console()) as teller:
        async with lane("start", control_plane, processes, tmp_path) as world:
            rows = await struck_starts(world, expected, teller)
        teller.tell("One answer lost while the operator starts", rows)
    _assert_well(rows)


async def test_two_operators_at_once_make_nothing_twice(
    control_plane: ControlPlane,
    processes: Processes,
    tmp_path: Path,
    expected: dict[str, Expected],
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with lane("two", control_plane, processes, tmp_path, operators=2) as world:
        rows = await crowd_lives(world, "two operators", [f"i-{number}" for number in range(_CROWD)], expected)
        assert await world.strangers() == []
    with capsys.disabled(), Teller(Console()) as teller:
        teller.tell(f"Two operators, {_CROWD} instances at once", rows)
    _assert_well(rows)


def _assert_well(rows: list[Row]) -> None:
    stories = [story for row in rows for story in row.stories]
    missed = [f"{row.what}, {row.phase}: never at {point}" for row in rows for point in row.missed]
    assert all(row.well for row in rows), "\n\n".join(stories + missed)
