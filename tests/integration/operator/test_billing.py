"""What billing asks of an instance, as a Kubernetes user sees it: another plan, a suspension, a day of deletion."""

from datetime import UTC, datetime

from claw_crds import naming
from claw_crds.configuration import RuntimeHoldings
from claw_operator.external import Rejected
from tests.integration.operator.conftest import Object, Operator, condition
from tests.integration.operator.world import Compute, Database

FRIDAY, SUNDAY = "2027-01-15T12:00:00Z", "2027-01-17T00:00:00Z"


def things(operator: Operator) -> tuple[Compute, Database]:
    """The only instance's compute and database."""
    (compute,), (database,) = operator.world.computes.values(), operator.world.databases.values()
    return compute, database


def to_be_deleted(instance: Object) -> str | None:
    """When, as its status says."""
    found: str | None = instance["status"].get("deletionTime")
    return found


async def test_the_day_of_deletion_is_told_put_off_and_forgotten_when_the_customer_comes_back(
    operator: Operator,
) -> None:
    async with operator.running():
        await operator.apply("ada")
        before = await operator.until_reason("ada", "Available")
        assert to_be_deleted(before) is None
        key = await operator.api_key("ada")

        await operator.patch("ada", {"state": "Suspended", "deleteAfter": FRIDAY})
        suspended = await operator.until("ada", lambda o: to_be_deleted(o) == FRIDAY)
        assert condition(suspended, "Ready")["reason"] == "Suspended"
        compute, database = things(operator)
        assert compute.configuration is not None
        assert compute.configuration.state == "Suspended"
        assert not database.suspended

        await operator.annotate("ada", {naming.KEEP_UNTIL: "2027-01-17"})
        await operator.until("ada", lambda o: to_be_deleted(o) == SUNDAY)
        await operator.annotate("ada", {naming.KEEP_UNTIL: "2027-01-01"})
        await operator.until("ada", lambda o: to_be_deleted(o) == FRIDAY)

        await operator.annotate("ada", {naming.KEEP_UNTIL: "for ever"})
        kept = await operator.until("ada", lambda o: to_be_deleted(o) is None)
        assert condition(kept, "Synced")["reason"] == "UnreadableAnnotation"
        await operator.told("ada", ("Warning", "UnreadableAnnotation"))

        await operator.patch("ada", {"state": "Running", "deleteAfter": None})
        await operator.annotate("ada", {naming.KEEP_UNTIL: "2027-01-17"})
        await operator.until("ada", lambda o: condition(o, "Synced")["status"] == "True")
        after = await operator.until_reason("ada", "Available")
    assert to_be_deleted(after) is None
    assert await operator.api_key("ada") == key
    assert compute.deployments == 1
    assert things(operator) == (compute, database)


async def test_the_operator_deletes_nothing_when_the_day_has_come(operator: Operator) -> None:
    async with operator.running(resync_seconds=0.2) as loop:
        await operator.apply("ada")
        await operator.until_reason("ada", "Available")
        await operator.patch("ada", {"state": "Suspended", "deleteAfter": FRIDAY})
        await operator.until("ada", to_be_deleted)
        passes = loop.metrics.passes.labels("ok")._value.get
        known = passes()
        operator.now = lambda: datetime(2030, 1, 1, tzinfo=UTC)
        await operator.until("ada", lambda _: passes() > known + 3)
    assert len(operator.world.databases) == len(operator.world.computes) == 1


async def test_a_larger_plan_takes_effect_at_once_without_a_restart(operator: Operator) -> None:
    async with operator.running():
        await operator.apply("ada", planRef={"name": "pro"})
        await operator.until_reason("ada", "Available")
        compute, database = things(operator)
        small, little = compute.size, database.size
        await operator.patch("ada", {"planRef": {"name": "team"}})
        await operator.until(
            "ada",
            lambda o: condition(o, "Synced")["status"] == "True" and compute.size != small and database.size != little,
        )
        team = (await operator.kubectl.get("clawplan", "team"))["spec"]
        found = await operator.until_reason("ada", "Available")
    assert found["status"]["usage"]["messagesLimit"] == team["limits"].get("messagesPerMonth")
    assert compute.deployments == 1
    counts = operator.world.counts()
    assert (counts["adjust"], counts["adjust database"]) == (1, 1)


async def test_what_a_smaller_plan_has_no_room_for_is_kept_and_told(operator: Operator) -> None:
    async with operator.running(resync_seconds=0.3):
        await operator.apply("ada", planRef={"name": "team"})
        await operator.until("ada", lambda o: condition(o, "WithinPlan").get("status") == "True")
        operator.world.holdings = RuntimeHoldings(memories=1_000_000, agents=1)
        await operator.patch("ada", {"planRef": {"name": "pro"}})
        found = await operator.until("ada", lambda o: condition(o, "WithinPlan")["status"] == "False")
        assert condition(found, "WithinPlan")["message"].startswith("memories: 1,000,000 of ")
        await operator.told("ada", ("Warning", "OverLimits"))
        await operator.until_reason("ada", "Available")

        operator.world.holdings = RuntimeHoldings(memories=1, agents=1)
        await operator.until("ada", lambda o: condition(o, "WithinPlan")["status"] == "True")


async def test_a_resize_that_its_provider_refuses_is_told_and_nobody_is_less_served(operator: Operator) -> None:
    async with operator.running(resync_seconds=0.3):
        await operator.apply("ada", planRef={"name": "pro"})
        await operator.until_reason("ada", "Available")
        operator.world.failing["adjust database"] = Rejected("the account's plan has no such size")
        await operator.patch("ada", {"planRef": {"name": "team"}})
        found = await operator.until("ada", lambda o: condition(o, "Synced")["reason"] == "Rejected")
        assert condition(found, "Ready")["status"] == condition(found, "DatabaseReady")["status"] == "True"
        del operator.world.failing["adjust database"]
        await operator.until("ada", lambda o: condition(o, "Synced")["status"] == "True")
    assert operator.world.counts()["adjust database"] == 1
