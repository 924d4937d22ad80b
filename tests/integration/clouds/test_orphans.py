"""What was left behind at both providers is found, reported and deleted; what only looks like it stays.

Instances are torn out of the API server here as people do it who know kubectl and not the product: their finalizer is
removed by force, so that nobody takes their things down.
"""

import json
import uuid
from dataclasses import replace

from claw_dev.errors import StackError
from claw_operator.external import Owner
from claw_operator.external.neon.database import MARK
from claw_operator.external.railway.settings import OWNER
from claw_operator.sweep import Schedule
from tests.eventually import eventually
from tests.integration.clouds.clouds import PATIENCE, Clouds, external_name

QUICK = Schedule(every=0.4, first=0.1, between_deletions=0.1)
PROVIDERS = ("railway", "neon")


async def test_what_a_torn_out_instance_leaves_behind_is_reported_and_then_deleted(clouds: Clouds) -> None:
    clouds.set_up(schedule=QUICK, grace=2.0)
    async with clouds.running():
        eve, bob = await clouds.available("eve"), await clouds.available("bob")
    await tear_out(clouds, "eve")
    async with clouds.running():
        await eventually(lambda: orphans(clouds) == {"railway": 1, "neon": 1}, PATIENCE)
        assert clouds.services() == clouds.branches() == {external_name(eve), external_name(bob)}, "only reported yet"
        await clouds.told("eve", ("Warning", "Orphaned"), seconds=PATIENCE)

        await eventually(lambda: clouds.services() == clouds.branches() == {external_name(bob)}, PATIENCE)
        await eventually(lambda: orphans(clouds) == {"railway": 0, "neon": 0}, PATIENCE)
        await clouds.told("eve", ("Normal", "OrphanDeleted"), ("Normal", "OrphanDeleted"), seconds=PATIENCE)
        assert deleted(clouds) == {"railway": 1, "neon": 1}
        await clouds.until_reason("bob", "Available", PATIENCE)
    assert clouds.made() | {"domains deleted": 1, "endpoints deleted": 1} == {
        "services created": 2,
        "services deleted": 1,
        "domains created": 2,
        "domains deleted": 1,
        "branches created": 2,
        "branches deleted": 1,
        "endpoints created": 2,
        "endpoints deleted": 1,
    }


async def test_an_instance_torn_out_under_a_running_operator_leaves_nothing_either(clouds: Clouds) -> None:
    clouds.set_up(schedule=QUICK, grace=1.0)
    async with clouds.running():
        await clouds.available("eve")
        await tear_out(clouds, "eve")
        # Whoever was quicker: the loop, which saw the deletion, or the sweep, which saw what was left.
        await eventually(lambda: clouds.services() == clouds.branches() == set(), PATIENCE)


async def test_an_instance_of_the_same_name_has_nothing_to_fear(clouds: Clouds) -> None:
    clouds.set_up(schedule=QUICK, grace=1.0)
    async with clouds.running():
        first = await clouds.available("eve")
    await tear_out(clouds, "eve")
    async with clouds.running():
        second = await clouds.available("eve")
        assert external_name(second) != external_name(first)
        await eventually(lambda: clouds.services() == clouds.branches() == {external_name(second)}, PATIENCE)
        await clouds.several_looks()
        await clouds.until_reason("eve", "Available", PATIENCE)
    assert clouds.made()["services created"] == clouds.made()["branches created"] == 2


async def test_strangers_and_other_fleets_are_none_of_our_business(clouds: Clouds) -> None:
    clouds.set_up(schedule=QUICK, grace=0.0)
    ours = Owner(clouds.namespace, "nobody", str(uuid.uuid4()), await fleet_of(clouds))
    marks = {
        "no mark, and a name as only ours have": None,
        "another fleet": replace(ours, uid=str(uuid.uuid4()), fleet=str(uuid.uuid4())),
        "another namespace": replace(ours, uid=str(uuid.uuid4()), namespace="elsewhere"),
        "no fleet": replace(ours, uid=str(uuid.uuid4()), fleet=""),
    }
    for owner in marks.values():
        await put(clouds, (owner or replace(ours, uid=str(uuid.uuid4()))).external_name, owner)
    there = clouds.services()
    assert len(there) == len(marks)
    await put(clouds, ours.external_name, ours)
    async with clouds.running():
        await eventually(lambda: deleted(clouds) == {"railway": 1, "neon": 1}, PATIENCE)
        await several_sweeps(clouds)
        assert orphans(clouds) == {"railway": 0, "neon": 0}
    assert clouds.services() == clouds.branches() == there


async def test_while_deletion_is_switched_off_orphans_are_only_reported(clouds: Clouds) -> None:
    clouds.set_up(schedule=QUICK, grace=0.0, deletion=False)
    async with clouds.running():
        eve = await clouds.available("eve")
    await tear_out(clouds, "eve")
    async with clouds.running():
        await eventually(lambda: orphans(clouds) == {"railway": 1, "neon": 1}, PATIENCE)
        await clouds.told("eve", ("Warning", "Orphaned"), ("Warning", "Orphaned"), seconds=PATIENCE)
        await several_sweeps(clouds)
    assert clouds.services() == clouds.branches() == {external_name(eve)}


async def test_an_outage_of_a_provider_makes_no_orphans(clouds: Clouds) -> None:
    clouds.set_up(schedule=QUICK, grace=0.0)
    async with clouds.running():
        ada = await clouds.available("ada")
    clouds.railway.token.revoked = True
    async with clouds.running():
        await several_sweeps(clouds)
        assert orphans(clouds) == {"railway": 0, "neon": 0}
        clouds.railway.token.revoked = False
        await several_sweeps(clouds)
    assert clouds.services() == clouds.branches() == {external_name(ada)}


async def tear_out(clouds: Clouds, name: str) -> None:
    """Delete an instance past its finalizer."""
    await clouds.delete(name)
    no_finalizers = json.dumps([{"op": "remove", "path": "/metadata/finalizers"}])
    try:
        await clouds.kubectl.run(
            "-n", clouds.namespace, "patch", "clawinstance", name, "--type=json", "-p", no_finalizers
        )
    except StackError as error:
        assert "not found" in str(error), "an operator that runs may have been quicker"  # noqa: PT017
    await clouds.gone(name)


async def fleet_of(clouds: Clouds) -> str:
    """What tells the test's cluster from others that share the account."""
    uid: str = (await clouds.kubectl.get("namespace", clouds.namespace))["metadata"]["uid"]
    return uid


async def put(clouds: Clouds, name: str, owner: Owner | None) -> None:
    """A service and a branch with that name, and the owner's mark or none."""
    railway = clouds.railway
    variables = {} if owner is None else {OWNER: owner.mark}
    railway.hand.make(railway.environment.id, railway.project.id, name, **variables)
    async with clouds.person_at_neon() as person:
        await person.new_branch(name, None if owner is None else {MARK: owner.mark})


async def several_sweeps(clouds: Clouds) -> None:
    """Wait until both providers were asked several times more for all that there is."""
    before = {provider: _inventories(clouds, provider) for provider in PROVIDERS}
    await eventually(lambda: all(_inventories(clouds, p) >= before[p] + 5 for p in PROVIDERS), PATIENCE)


def orphans(clouds: Clouds) -> dict[str, float | None]:
    """What the metric says."""
    value = clouds.metrics.registry.get_sample_value
    return {provider: value("claw_orphans", {"driver": provider}) for provider in PROVIDERS}


def deleted(clouds: Clouds) -> dict[str, float | None]:
    """How many orphans the operator says it has deleted."""
    value = clouds.metrics.registry.get_sample_value
    return {provider: value("claw_orphans_deleted_total", {"driver": provider}) for provider in PROVIDERS}


def _inventories(clouds: Clouds, provider: str) -> float:
    samples = (sample for metric in clouds.metrics.driver_calls.collect() for sample in metric.samples)
    wanted = {"driver": provider, "call": "inventory"}
    return sum(s.value for s in samples if s.name.endswith("_total") and wanted.items() <= s.labels.items())
