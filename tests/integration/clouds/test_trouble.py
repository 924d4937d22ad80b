"""Providers that are away, that do not let us in, or that have strangers' things of our names.

What cannot be known is not acted on: nothing is made, nothing is deleted, and assistants answer all the while.
"""

from collections.abc import Callable

import httpx
import pytest

from claw_crds import naming
from claw_crds.conditions import ConditionType
from claw_crds.configuration import HEALTH_PATH
from claw_dev.simulators.faults import Fault, FaultKind
from tests.contract.neon_world import branch_named, fault
from tests.eventually import eventually
from tests.integration.clouds.clouds import PATIENCE, Clouds, external_name
from tests.integration.operator.conftest import Object, condition

ONE_OF_EVERYTHING = {
    "services created": 1,
    "services deleted": 0,
    "domains created": 1,
    "domains deleted": 0,
    "branches created": 1,
    "branches deleted": 0,
    "endpoints created": 1,
    "endpoints deleted": 0,
}
PART = {"railway": "ComputeReady", "neon": "DatabaseReady"}
Trouble = Callable[[Clouds], None]


def railway_is_away(clouds: Clouds) -> None:
    clouds.railway.go_wrong(Fault(kind=FaultKind.HTML, status=503, times=None))


def neon_is_away(clouds: Clouds) -> None:
    clouds.neon.faults.add(fault(FaultKind.ERROR, status=503, times=None))


def railway_knows_no_token(clouds: Clouds) -> None:
    clouds.railway.token.revoked = True


def neon_knows_no_key(clouds: Clouds) -> None:
    clouds.neon.faults.add(fault(FaultKind.ERROR, status=401, times=None))


def neon_allows_nothing(clouds: Clouds) -> None:
    clouds.neon.faults.add(fault(FaultKind.ERROR, status=403, times=None))


def all_is_well(clouds: Clouds) -> None:
    clouds.railway.faults.clear()
    clouds.neon.faults.clear()
    clouds.railway.token.revoked = False


@pytest.mark.parametrize(
    ("trouble", "provider", "reason"),
    [
        (railway_is_away, "railway", "Unreachable"),
        (neon_is_away, "neon", "Unreachable"),
        (railway_knows_no_token, "railway", "Unauthorized"),
        (neon_knows_no_key, "neon", "Unauthorized"),
        (neon_allows_nothing, "neon", "Unauthorized"),
    ],
)
async def test_a_settled_instance_outlives_the_trouble_untouched(
    clouds: Clouds, trouble: Trouble, provider: str, reason: str
) -> None:
    async with clouds.running():
        before = await clouds.available("ada")
        trouble(clouds)
        unknown = await clouds.until("ada", lambda o: condition(o, PART[provider])["status"] == "Unknown", PATIENCE)
        assert condition(unknown, PART[provider])["reason"] == reason
        assert condition(unknown, "Synced")["reason"] == reason
        await clouds.several_looks()
        for instance in (unknown, await clouds.get("ada")):
            assert condition(instance, "Ready")["reason"] == "Available"
            assert instance["status"]["url"] == before["status"]["url"]
        assert await answers(before), "the assistant answers all the while"
        assert clouds.made() == ONE_OF_EVERYTHING

        all_is_well(clouds)
        await clouds.until("ada", in_order, PATIENCE)
    assert clouds.made() == ONE_OF_EVERYTHING


@pytest.mark.parametrize("trouble", [railway_is_away, neon_is_away])
async def test_an_instance_that_comes_during_an_outage_is_made_after_it(clouds: Clouds, trouble: Trouble) -> None:
    trouble(clouds)
    async with clouds.running():
        await clouds.apply("ada")
        await clouds.until("ada", lambda o: condition(o, "Synced").get("reason") == "Unreachable", PATIENCE)
        all_is_well(clouds)
        await clouds.until("ada", in_order, PATIENCE)
    assert clouds.made() == ONE_OF_EVERYTHING


@pytest.mark.parametrize("trouble", [railway_knows_no_token, neon_knows_no_key])
async def test_a_deletion_waits_for_a_provider_that_does_not_let_us_in(clouds: Clouds, trouble: Trouble) -> None:
    async with clouds.running():
        await clouds.available("ada")
        trouble(clouds)
        await clouds.delete("ada")
        waiting = await clouds.until(
            "ada",
            lambda o: condition(o, "Ready")["reason"] == "Deleting" and condition(o, "Synced")["status"] == "False",
            PATIENCE,
        )
        assert condition(waiting, "Synced")["reason"] == "Unauthorized"
        all_is_well(clouds)
        await clouds.gone("ada", PATIENCE)
    assert clouds.services() == clouds.branches() == set()


async def test_a_strangers_service_of_our_name_is_left_alone(clouds: Clouds) -> None:
    name = external_name(await clouds.apply("ada"))
    railway = clouds.railway
    stranger = railway.hand.make(railway.environment.id, railway.project.id, name, PORT="80")
    before = stranger.changed_at, dict(stranger.variables), dict(stranger.settings)
    async with clouds.running():
        taken = await clouds.until("ada", lambda o: condition(o, "Synced").get("reason") == "NameTaken", PATIENCE)
        assert name in condition(taken, "Synced")["message"]
        assert condition(taken, "Ready")["reason"] == "Provisioning"
        await clouds.several_looks()
        await clouds.delete("ada")
        await clouds.gone("ada", PATIENCE)
    assert railway.services == {name: stranger}
    assert (stranger.changed_at, dict(stranger.variables), dict(stranger.settings)) == before
    assert clouds.branches() == set(), "what was made for her is gone with her"
    assert not [call for call in railway.calls if call.writes and call.operation == "DeleteService"]


async def test_a_strangers_branch_of_our_name_is_left_alone(clouds: Clouds) -> None:
    name = external_name(await clouds.apply("ada"))
    async with clouds.person_at_neon() as person:
        await person.new_branch(name, {"whose": "mine"})
    before = branch_named(clouds.neon, name)
    async with clouds.running():
        taken = await clouds.until("ada", lambda o: condition(o, "Synced").get("reason") == "NameTaken", PATIENCE)
        assert name in condition(taken, "Synced")["message"]
        await clouds.several_looks()
        await clouds.delete("ada")
        await clouds.gone("ada", PATIENCE)
    assert clouds.branches() == {name}
    assert branch_named(clouds.neon, name) == before, "not even its password was touched"
    assert clouds.services() == set()


async def test_an_instance_is_made_as_soon_as_the_stranger_is_gone(clouds: Clouds) -> None:
    name = external_name(await clouds.apply("ada"))
    clouds.railway.hand.make(clouds.railway.environment.id, clouds.railway.project.id, name)
    async with clouds.running():
        await clouds.until("ada", lambda o: condition(o, "Synced").get("reason") == "NameTaken", PATIENCE)
        await clouds.railway.hand.delete(name)
        await clouds.annotate("ada", {naming.RETRY_REQUESTED_AT: "2026-11-22T12:00:00Z"})
        await clouds.until_reason("ada", "Available", PATIENCE)
    await eventually(lambda: clouds.services() == clouds.branches() == {name})


async def answers(instance: Object) -> bool:
    """Whether the customer's runtime is there."""
    async with httpx.AsyncClient() as http:
        return (await http.get(instance["status"]["url"] + HEALTH_PATH)).status_code == 200


def in_order(instance: Object) -> bool:
    """Whether every condition is true."""
    conditions: list[Object] = instance.get("status", {}).get("conditions", [])
    return len(conditions) == len(ConditionType) and all(found["status"] == "True" for found in conditions)
