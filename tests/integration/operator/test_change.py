"""What changes by itself or by somebody's hand, and what a suspension stops, as a Kubernetes user sees it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from claw_crds import naming
from claw_operator.external import ComputeState, Drift, Owner
from tests.eventually import eventually
from tests.integration.operator.conftest import FLEET, Object, Operator, condition
from tests.integration.operator.world import Compute, Database


def things(operator: Operator) -> tuple[Compute, Database]:
    """The only instance's compute and database."""
    (compute,), (database,) = operator.world.computes.values(), operator.world.databases.values()
    return compute, database


async def look(operator: Operator) -> None:
    """Ask for a look now."""
    await operator.annotate("ada", {naming.RECONCILE_REQUESTED_AT: datetime.now(UTC).isoformat()})


def available(instance: Object) -> bool:
    """Whether it is."""
    return bool(condition(instance, "Ready")["reason"] == "Available")


async def test_marks_name_the_fleet(operator: Operator) -> None:
    async with operator.running():
        instance = await operator.apply("ada")
        await operator.until_reason("ada", "Available")
    compute, database = things(operator)
    owner = Owner(operator.namespace, "ada", instance["metadata"]["uid"], FLEET)
    assert Owner.of_mark(compute.mark) == Owner.of_mark(database.mark) == owner


async def test_what_was_changed_by_hand_is_put_right_and_told(operator: Operator) -> None:
    async with operator.running(resync_seconds=0.3):
        await operator.apply("ada")
        await operator.until_reason("ada", "Available")
        compute, _ = things(operator)
        compute.drift = Drift("variable DATABASE_URL, replicas", needs_deployment=True)
        await operator.told("ada", ("Warning", "Drifted"))
        compute.drift = Drift("name", needs_deployment=False)
        await eventually(lambda: operator.world.counts()["adjust"] == 1)
        await operator.until_reason("ada", "Available")
    assert compute.deployments == 2
    assert compute.drift is None


async def test_hands_that_will_not_rest_are_not_answered_with_a_deployment_a_minute(operator: Operator) -> None:
    async with operator.running(resync_seconds=0.2):
        await operator.apply("ada")
        await operator.until_reason("ada", "Available")
        compute, _ = things(operator)
        compute.drift = Drift("replicas", needs_deployment=True)
        await eventually(lambda: compute.deployments == 2)
        compute.drift = Drift("replicas", needs_deployment=True)
        found = await operator.until("ada", lambda o: condition(o, "ComputeReady")["reason"] == "Drifted")
        assert condition(found, "ComputeReady")["status"] == "True"
        assert "replicas" in condition(found, "ComputeReady")["message"]
        assert compute.deployments == 2
        start = datetime.now(UTC)
        operator.now = lambda: start + timedelta(minutes=1, seconds=1)
        await eventually(lambda: compute.deployments == 3)


async def test_a_password_that_was_changed_by_hand_is_replaced(operator: Operator) -> None:
    async with operator.running(resync_seconds=0.3):
        await operator.apply("ada")
        await operator.until_reason("ada", "Available")
        key = await operator.api_key("ada")
        compute, database = things(operator)
        database.password = "changed-by-hand"
        await eventually(lambda: operator.world.accepts(compute))
        await operator.until("ada", available)
        secret = await operator.secret("ada")
    assert secret[naming.SECRET_DATABASE_URL] == compute.variables["DATABASE_URL"]
    assert secret[naming.SECRET_DATABASE_POOLED_URL].startswith("postgresql://")
    assert secret[naming.SECRET_API_KEY] == key
    assert operator.world.counts()["issue credentials"] == compute.deployments == 2


async def test_a_deployment_that_failed_is_tried_again_after_a_minute(operator: Operator) -> None:
    operator.world.failing_deployments = 1
    async with operator.running():
        await operator.apply("ada")
        found = await operator.until("ada", lambda o: condition(o, "ComputeReady").get("reason") == "Crashed")
        assert "npm: command not found" in condition(found, "ComputeReady")["message"]
        await look(operator)
        await operator.until("ada", lambda o: condition(o, "Synced")["status"] == "True")
        compute, _ = things(operator)
        assert compute.deployments == 1
        start = datetime.now(UTC)
        operator.now = lambda: start + timedelta(minutes=1, seconds=1)
        await look(operator)
        await operator.until_reason("ada", "Available")
        assert compute.deployments == 2


async def test_a_new_runtime_serves_before_its_platform_knows(operator: Operator) -> None:
    operator.world.platform_is_slow = True
    async with operator.running():
        await operator.apply("ada")
        await operator.until("ada", lambda o: condition(o, "ComputeReady").get("reason") == "Deploying")
        compute, _ = things(operator)
        compute.process = compute.fingerprint
        await operator.until_reason("ada", "Available")
        assert compute.state == ComputeState.DEPLOYING


async def test_a_domain_of_ones_own_says_what_is_still_to_be_set(operator: Operator) -> None:
    operator.world.dns_records = ("CNAME chat -> abc.example",)
    async with operator.running(resync_seconds=0.3):
        await operator.apply("ada", domain="chat.example.com")
        instance = await operator.until("ada", lambda o: "CNAME" in condition(o, "ComputeReady").get("message", ""))
        assert instance["status"]["compute"]["domain"] == {
            "name": "chat.example.com",
            "records": ["CNAME chat -> abc.example"],
        }
        await operator.until_reason("ada", "Available")
        operator.world.dns_records = ()
        await operator.until("ada", lambda o: condition(o, "ComputeReady")["message"] == "")
        await operator.patch("ada", {"domain": None})
        await operator.until("ada", lambda o: "domain" not in o["status"]["compute"])
    compute, _ = things(operator)
    assert compute.deployments == 1


async def test_a_database_that_outgrew_its_plan_says_so_and_goes_on(operator: Operator) -> None:
    async with operator.running(resync_seconds=0.3):
        await operator.apply("ada")
        await operator.until_reason("ada", "Available")
        _, database = things(operator)
        database.size_bytes = 650 * 2**20
        found = await operator.until("ada", lambda o: condition(o, "WithinPlan")["status"] == "False")
        assert "storage: 650 MiB of 500 MiB" in condition(found, "WithinPlan")["message"]
        assert available(found)
        await operator.patch("ada", {"planRef": {"name": "team"}})
        await operator.until("ada", lambda o: condition(o, "WithinPlan")["status"] == "True")


class TestSuspension:
    """Of a plan that stops what is suspended."""

    @pytest.fixture(autouse=True)
    async def plan(self, operator: Operator) -> AsyncIterator[str]:
        """Such a plan."""
        name = f"stops-{operator.namespace}"[:63]
        await operator.copy_plan("pro", name, stopWhenSuspended=True)
        yield name
        await operator.kubectl.run("delete", "clawplan", name)

    async def test_everything_stops_and_starts_again_with_its_data(self, operator: Operator, plan: str) -> None:
        async with operator.running():
            await operator.apply("ada", planRef={"name": plan})
            before = await operator.until_reason("ada", "Available")
            key = await operator.api_key("ada")
            compute, database = things(operator)
            await operator.patch("ada", {"state": "Suspended"})
            stopped = await operator.until("ada", lambda o: condition(o, "DatabaseReady")["reason"] == "Stopped")
            assert [condition(stopped, kind)["reason"] for kind in ("Ready", "ComputeReady", "RuntimeReady")] == [
                "Suspended",
                "Stopped",
                "Stopped",
            ]
            assert compute.state == ComputeState.STOPPED
            assert compute.configuration is not None
            assert compute.configuration.state == "Suspended", "it was told first"
            assert database.suspended
            await operator.patch("ada", {"state": "Running"})
            after = await operator.until_reason("ada", "Available")
        assert after["status"]["url"] == before["status"]["url"]
        assert await operator.api_key("ada") == key
        assert not database.suspended
        order = [what for what, _ in operator.world.log][5:]
        assert order == [
            "configure",
            "suspend compute",
            "suspend database",
            "resume database",
            "deploy",
            "configure",
        ]

    async def test_it_rests_and_a_restart_of_the_operator_changes_nothing(self, operator: Operator, plan: str) -> None:
        async with operator.running():
            await operator.apply("ada", planRef={"name": plan}, state="Suspended")
            before = await operator.until("ada", lambda o: condition(o, "DatabaseReady").get("reason") == "Stopped")
        log = list(operator.world.log)
        assert "deploy" not in operator.world.counts(), "what nobody may use is not started"
        async with operator.running(resync_seconds=0.2) as loop:
            passes = loop.metrics.passes.labels("ok")._value.get
            await eventually(lambda: passes() > 5)
        after = await operator.get("ada")
        assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
        assert operator.world.log == log
        assert after["status"]["provisioning"]["readyAt"], "it is never rolled back"

    async def test_before_its_data_is_deleted_its_database_is_opened_and_nothing_else(
        self, operator: Operator, plan: str
    ) -> None:
        async with operator.running():
            await operator.apply("ada", planRef={"name": plan})
            await operator.until_reason("ada", "Available")
            compute, database = things(operator)
            await operator.patch("ada", {"state": "Suspended"})
            await operator.until("ada", lambda o: condition(o, "DatabaseReady")["reason"] == "Stopped")
            await operator.patch("ada", {"deleteAfter": "2027-01-15T12:00:00Z"})
            ended = await operator.until("ada", lambda o: condition(o, "DatabaseReady")["reason"] == "Available")
            assert [condition(ended, kind)["reason"] for kind in ("Ready", "ComputeReady", "RuntimeReady")] == [
                "Suspended",
                "Stopped",
                "Stopped",
            ]
            assert (database.suspended, compute.state) == (False, ComputeState.STOPPED)

    async def test_a_stopped_instance_can_be_deleted(self, operator: Operator, plan: str) -> None:
        async with operator.running():
            await operator.apply("ada", planRef={"name": plan})
            await operator.until_reason("ada", "Available")
            await operator.patch("ada", {"state": "Suspended"})
            await operator.until("ada", lambda o: condition(o, "DatabaseReady")["reason"] == "Stopped")
            await operator.delete("ada")
            await operator.gone("ada")
        assert operator.world.picture() == {"databases": [], "computes": []}
