"""Steps side by side: what waits for what, and what for nothing."""

import asyncio

import pytest

from claw_crds.conditions import ConditionType, Reason
from claw_operator.external import ComputeState, Transient
from tests.eventually import eventually
from tests.unit.operator.api_server import SECRETS, answer, before, status
from tests.unit.operator.conftest import Stage
from tests.unit.operator.examples import condition

READY, SYNCED = ConditionType.READY, ConditionType.SYNCED
AWAY = Transient("it does not answer")


def order(stage: Stage) -> list[str]:
    """What was changed outside, in its order."""
    return [what for what, _ in stage.world.log]


async def test_the_password_is_issued_while_the_compute_is_still_being_made(stage: Stage) -> None:
    stage.apply()
    stage.world.after = ("create compute", "issue credentials")
    await stage.passes()
    assert order(stage) == ["create database", "issue credentials", "create compute", "deploy"]


async def test_a_database_that_becomes_ready_meanwhile_is_not_noticed_late(stage: Stage) -> None:
    stage.apply()
    stage.world.seconds["database ready"] = 0.05
    stage.world.after = ("create compute", "issue credentials")
    await stage.passes()
    assert order(stage) == ["create database", "issue credentials", "create compute", "deploy"]


async def test_the_compute_is_made_while_the_database_is_still_being_made(stage: Stage) -> None:
    stage.apply()
    stage.world.after = ("create database", "create compute")
    await stage.passes()
    assert order(stage) == ["create compute", "create database", "issue credentials", "deploy"]


async def test_a_database_that_cannot_be_looked_at_again_is_left_to_the_next_pass(stage: Stage) -> None:
    stage.apply()
    stage.world.seconds |= {"database ready": 60.0, "create compute": 0.05}
    looked = stage.world.looks["database"]

    def fail_from_now_on() -> None:
        stage.world.failing["observe database"] = AWAY

    asyncio.get_running_loop().call_later(0.02, fail_from_now_on)
    await stage.passes()
    assert stage.world.looks["database"] > looked
    assert order(stage) == ["create database", "create compute"]
    assert condition(stage.status, SYNCED).reason == Reason.RECONCILE_SUCCESS


async def test_what_the_api_server_refuses_does_not_cut_a_creation_short(stage: Stage) -> None:
    """Nobody would know the id of what was made."""
    stage.apply()
    stage.world.seconds["create compute"] = 0.05
    stage.api.at("POST", SECRETS, answer(status(503, "ServiceUnavailable", "later")))
    assert (await stage.passes()).failed is True
    assert order(stage) == ["create database", "issue credentials", "create compute"]
    await stage.passes(2)
    assert condition(stage.status, READY).reason == Reason.AVAILABLE
    assert stage.world.counts()["create compute"] == 1


async def test_an_object_that_changes_meanwhile_does_not_cut_a_creation_short(stage: Stage) -> None:
    stage.apply()
    stage.world.seconds["create compute"] = 0.05
    raised = before(lambda: stage.change(lambda o: o["metadata"].update(labels={"new": "yes"})))
    stage.api.at("PATCH", f"{stage.path}/status", raised)
    assert (await stage.passes()).requeue_after == 0.0
    assert order(stage) == ["create database", "create compute"]
    await stage.passes(2)
    assert condition(stage.status, READY).reason == Reason.AVAILABLE


async def test_a_pass_that_is_ended_from_outside_ends_its_steps(stage: Stage) -> None:
    stage.apply()
    stage.world.after = ("create compute", "never")
    ended = asyncio.create_task(stage.passes())
    await eventually(lambda: "issue credentials" in order(stage))
    ended.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ended
    stage.world.after = ("", "")
    await stage.passes(2)
    assert stage.world.counts()["create compute"] == 1


async def test_a_step_that_has_not_helped_is_not_repeated_in_the_same_pass(stage: Stage) -> None:
    """Otherwise a driver that cannot do as asked would be asked for ever."""
    stage.apply()
    await stage.passes(2)
    (row,) = stage.world.computes.values()
    row.stubborn = True
    row.size = type(row.size)(1, 1)
    result = await stage.passes()
    assert stage.world.counts()["adjust"] == 1
    assert result.requeue_after is not None
    assert result.requeue_after < 1.0, "it may have needed a moment"
    assert row.state == ComputeState.RUNNING
