"""The life of an instance, as a Kubernetes user sees it."""

from datetime import UTC, datetime, timedelta

from claw_crds import naming
from claw_crds.keys import is_well_formed, sha256
from claw_operator.assembly import Loop
from claw_operator.external import ExternalError, Transient
from tests.eventually import eventually
from tests.integration.operator.conftest import FLEET, Operator, condition
from tests.integration.operator.world import Compute, Database


async def test_an_applied_instance_becomes_available(operator: Operator) -> None:
    async with operator.running():
        await operator.apply("ada")
        instance = await operator.until_reason("ada", "Available")
        await operator.told("ada", ("Normal", "Provisioning"), ("Normal", "Available"))

    name = naming.external_name(instance["metadata"]["uid"])
    assert set(operator.world.databases) == set(operator.world.computes) == {name}
    assert operator.world.counts() == {
        "create database": 1,
        "create compute": 1,
        "issue credentials": 1,
        "deploy": 1,
        "configure": 1,
    }
    status = instance["status"]
    assert status["url"] == f"http://{name}.example"
    assert status["credentialsSecretRef"] == {"name": "ada-credentials"}
    assert all(c["status"] == "True" for c in status["conditions"])
    assert status["provisioning"]["seconds"] < 5
    assert {step["name"] for step in status["provisioning"]["steps"]} >= {"CreateDatabase", "Deploy", "Configure"}
    secret = await operator.secret("ada")
    assert is_well_formed(secret[naming.SECRET_API_KEY])
    assert operator.world.computes[name].variables["DATABASE_URL"] == secret[naming.SECRET_DATABASE_URL]


async def test_a_settled_instance_is_not_written_again(operator: Operator) -> None:
    async with operator.running(resync_seconds=0.2) as loop:
        await operator.apply("ada")
        before = await operator.until_reason("ada", "Available")
        passes = _passes(loop)
        await operator.until("ada", lambda _: _passes(loop) > passes + 5)
        after = await operator.get("ada")
        await operator.told("ada", ("Normal", "Provisioning"), ("Normal", "Available"))
        assert len(await operator.events("ada")) == 2
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


async def test_a_restart_of_the_operator_changes_nothing(operator: Operator) -> None:
    async with operator.running():
        await operator.apply("ada")
        before = await operator.until_reason("ada", "Available")
    log = list(operator.world.log)
    async with operator.running() as loop:
        await operator.until("ada", lambda _: _passes(loop) >= 1)
        after = await operator.get("ada")
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    assert operator.world.log == log


async def test_a_deleted_instance_leaves_nothing(operator: Operator) -> None:
    async with operator.running():
        await operator.apply("ada")
        await operator.until_reason("ada", "Available")
        await operator.delete("ada")
        await operator.gone("ada")
        assert not await operator.exists("secret", "ada-credentials")
    assert operator.world.picture() == {"databases": [], "computes": []}


async def test_an_instance_deleted_while_the_operator_is_away_leaves_nothing(operator: Operator) -> None:
    async with operator.running():
        await operator.apply("ada")
        await operator.until_reason("ada", "Available")
    await operator.delete("ada")
    async with operator.running():
        await operator.gone("ada")
    assert operator.world.picture() == {"databases": [], "computes": []}


async def test_a_deletion_needs_neither_status_nor_plan(operator: Operator) -> None:
    async with operator.running():
        await operator.apply("ada")
        await operator.until_reason("ada", "Available")
    await operator.clear_status("ada")
    await operator.patch("ada", {"planRef": {"name": "no-such-plan"}})
    await operator.delete("ada")
    async with operator.running():
        await operator.gone("ada")
    assert operator.world.picture() == {"databases": [], "computes": []}


async def test_a_deletion_also_removes_what_a_broken_creation_left(operator: Operator) -> None:
    instance = await operator.apply("ada")
    meta = instance["metadata"]
    name = naming.external_name(meta["uid"])
    mark = naming.owner_mark(operator.namespace, "ada", meta["uid"], FLEET)
    operator.world.failing["create database"] = _away()
    operator.world.databases[name] = Database(id="db-half", mark=mark, unfinished=True)
    async with operator.running():
        await operator.until("ada", lambda o: condition(o, "Ready"))
        await operator.delete("ada")
        await operator.gone("ada")
    assert operator.world.databases == {}


async def test_archive_keeps_the_database_and_retain_leaves_it_as_it_is(operator: Operator) -> None:
    async with operator.running():
        await operator.apply("archived", deletionPolicy="Archive")
        await operator.apply("retained", deletionPolicy="Retain")
        await operator.until_reason("archived", "Available")
        await operator.until_reason("retained", "Available")
        await operator.delete("archived")
        await operator.delete("retained")
        await operator.gone("archived")
        await operator.gone("retained")
    assert operator.world.computes == {}
    days = (await operator.kubectl.get("clawplan", "pro"))["spec"]["retentionDays"]
    retained, archived = sorted(operator.world.databases.values(), key=lambda row: row.archived_until is not None)
    assert retained.archived_until is None
    assert archived.archived_until is not None
    assert timedelta(days=days - 1) < archived.archived_until - datetime.now(UTC) <= timedelta(days=days)


async def test_another_plan_takes_effect_without_a_restart(operator: Operator) -> None:
    async with operator.running():
        await operator.apply("ada")
        await operator.until_reason("ada", "Available")
        await operator.patch("ada", {"planRef": {"name": "team"}})
        await operator.until("ada", lambda o: o["status"]["usage"].get("messagesLimit") == 100_000)
        await operator.until_reason("ada", "Available")
    (compute,) = operator.world.computes.values()
    assert compute.deployments == 1
    assert compute.size.memory_bytes == 2 * 2**30
    assert compute.configuration is not None
    assert compute.configuration.plan.name == "team"


async def test_a_suspended_instance_keeps_its_data_and_resumes(operator: Operator) -> None:
    async with operator.running():
        await operator.apply("ada")
        await operator.until_reason("ada", "Available")
        await operator.patch("ada", {"state": "Suspended"})
        await operator.until_reason("ada", "Suspended")
        (compute,) = operator.world.computes.values()
        assert compute.configuration is not None
        assert compute.configuration.state == "Suspended"
        await operator.patch("ada", {"state": "Running"})
        await operator.until_reason("ada", "Available")
        await operator.told("ada", ("Normal", "Suspended"), ("Normal", "Available"))
    assert len(operator.world.databases) == 1


async def test_a_rotated_key_overlaps_with_the_new_one_for_an_hour(operator: Operator) -> None:
    start = datetime.now(UTC)
    async with operator.running(resync_seconds=1):
        await operator.apply("ada")
        await operator.until_reason("ada", "Available")
        old = await operator.api_key("ada")
        await operator.patch("ada", {"credentialsRevision": 2})
        await operator.until("ada", lambda o: o["status"]["credentials"]["revision"] == 2)
        await operator.until_reason("ada", "Available")
        new = await operator.api_key("ada")
        assert new != old
        assert _accepted(operator) == {sha256(new), sha256(old)}
        operator.now = lambda: start + timedelta(hours=1, minutes=1)
        await operator.until("ada", lambda o: "previousExpiresAt" not in o["status"]["credentials"])
        await operator.until_reason("ada", "Available")
        assert _accepted(operator) == {sha256(new)}
        assert naming.SECRET_PREVIOUS_API_KEY not in await operator.secret("ada")
    (compute,) = operator.world.computes.values()
    assert compute.deployments == 1


async def test_an_unknown_plan_is_waited_for(operator: Operator) -> None:
    async with operator.running():
        await operator.apply("ada", planRef={"name": "not-yet"})
        instance = await operator.until("ada", lambda o: condition(o, "Synced"))
        assert condition(instance, "Synced")["reason"] == "PlanNotFound"
        assert "not-yet" in condition(instance, "Synced")["message"]
        assert operator.world.log == []
        await operator.copy_plan("pro", "not-yet")
        await operator.until_reason("ada", "Available")
    await operator.kubectl.run("delete", "clawplan", "not-yet")


async def test_a_paused_instance_is_left_alone(operator: Operator) -> None:
    async with operator.running():
        await operator.apply("ada")
        await operator.until_reason("ada", "Available")
        await operator.annotate("ada", {naming.PAUSED: "true"})
        await operator.until("ada", lambda o: condition(o, "Synced")["reason"] == "Paused")
        await operator.patch("ada", {"planRef": {"name": "team"}})
        log = list(operator.world.log)
        await operator.until("ada", lambda o: condition(o, "Synced")["observedGeneration"] == 2)
        assert operator.world.log == log
        await operator.annotate("ada", {naming.PAUSED: "false"})
        await operator.until("ada", lambda o: o["status"]["usage"].get("messagesLimit") == 100_000)


async def test_a_crashed_compute_is_started_again_as_soon_as_it_is_noticed(operator: Operator) -> None:
    async with operator.running():
        instance = await operator.apply("ada")
        await operator.until_reason("ada", "Available")
        uid = instance["metadata"]["uid"]
        operator.world.crash(naming.external_name(uid))
        operator.world.notice(uid)
        (compute,) = operator.world.computes.values()
        await operator.told("ada", ("Warning", "Restarted"))
        await operator.until_reason("ada", "Available")
        assert compute.deployments == 2


async def test_a_vanished_compute_is_made_again(operator: Operator) -> None:
    async with operator.running(resync_seconds=0.3):
        await operator.apply("ada")
        await operator.until_reason("ada", "Available")
        operator.world.computes.clear()
        await operator.until("ada", lambda o: operator.world.computes and condition(o, "Ready")["status"] == "True")
    assert operator.world.counts()["create database"] == 1


async def test_a_vanished_database_is_never_replaced_silently(operator: Operator) -> None:
    async with operator.running(resync_seconds=0.3):
        await operator.apply("ada")
        before = await operator.until_reason("ada", "Available")
        lost = before["status"]["database"]["id"]
        operator.world.databases.clear()
        instance = await operator.until_reason("ada", "Degraded")
        assert condition(instance, "DatabaseReady")["reason"] == "Vanished"
        assert lost in condition(instance, "DatabaseReady")["message"]
        assert operator.world.databases == {}
        await operator.annotate("ada", {naming.ACCEPT_DATABASE_LOSS: lost})
        after = await operator.until_reason("ada", "Available")
    assert after["status"]["database"]["id"] != lost
    (compute,), (database,) = operator.world.computes.values(), operator.world.databases.values()
    assert database.password is not None
    assert database.password in compute.variables["DATABASE_URL"]


async def test_a_deleted_secret_is_issued_anew(operator: Operator) -> None:
    async with operator.running(resync_seconds=0.3):
        await operator.apply("ada")
        await operator.until_reason("ada", "Available")
        await operator.kubectl.run("-n", operator.namespace, "delete", "secret", "ada-credentials")
        (compute,) = operator.world.computes.values()

        async def renewed() -> bool:
            return compute.deployments == 2 and _accepted(operator) == {sha256(await operator.api_key("ada"))}

        await eventually(renewed, 15)
        await operator.until_reason("ada", "Available")


async def test_a_deleted_status_is_rebuilt_and_makes_nothing_twice(operator: Operator) -> None:
    async with operator.running():
        await operator.apply("ada")
        before = (await operator.until_reason("ada", "Available"))["status"]
    log = list(operator.world.log)
    await operator.clear_status("ada")
    async with operator.running():
        after = (await operator.until_reason("ada", "Available"))["status"]
    assert operator.world.log == log
    assert after["provisioning"]["recovered"] is True
    for rebuilt in ("url", "database", "compute", "credentialsSecretRef", "credentials"):
        assert after[rebuilt] == before[rebuilt]


async def test_strangers_of_our_name_are_neither_adopted_nor_deleted(operator: Operator) -> None:
    instance = await operator.apply("ada")
    name = naming.external_name(instance["metadata"]["uid"])
    operator.world.databases[name] = Database(id="db-strange", mark="somebody else")
    async with operator.running():
        found = await operator.until("ada", lambda o: condition(o, "Synced").get("reason") == "NameTaken")
        assert condition(found, "Ready")["reason"] == "Provisioning"
        await operator.delete("ada")
        await operator.gone("ada")
    assert operator.world.databases[name].id == "db-strange"
    assert operator.world.computes == {}


async def test_what_is_not_ready_in_time_is_rolled_back_and_can_be_tried_again(operator: Operator) -> None:
    operator.world.failing["runtime"] = _away()
    async with operator.running():
        await operator.apply("ada", provisioningDeadlineSeconds=10)
        await operator.until("ada", lambda o: "does not answer" in condition(o, "RuntimeReady").get("message", ""))
        start = datetime.now(UTC)
        operator.now = lambda: start + timedelta(seconds=11)
        await operator.annotate("ada", {naming.RECONCILE_REQUESTED_AT: "now"})
        instance = await operator.until_reason("ada", "Failed")
        await operator.until("ada", lambda o: "database" not in o["status"] and "compute" not in o["status"])
        assert operator.world.picture() == {"databases": [], "computes": []}
        assert not await operator.exists("secret", "ada-credentials")
        assert "does not answer" in condition(instance, "Ready")["message"]
        await operator.told("ada", ("Warning", "Failed"))
        operator.world.failing.clear()
        await operator.annotate("ada", {naming.RETRY_REQUESTED_AT: "1"})
        await operator.until_reason("ada", "Available")
    assert operator.world.counts()["create database"] == 2


async def test_an_instance_that_was_available_is_never_rolled_back(operator: Operator) -> None:
    async with operator.running(resync_seconds=0.3):
        await operator.apply("ada", provisioningDeadlineSeconds=10)
        await operator.until_reason("ada", "Available")
        operator.world.failing["runtime"] = _away()
        start = datetime.now(UTC)
        operator.now = lambda: start + timedelta(hours=1)
        await operator.until_reason("ada", "Degraded")
        operator.world.failing.clear()
        await operator.until_reason("ada", "Available")
    assert len(operator.world.databases) == 1


async def test_what_cannot_be_looked_at_is_not_gone(operator: Operator) -> None:
    async with operator.running(resync_seconds=0.3):
        await operator.apply("ada")
        await operator.until_reason("ada", "Available")
        log = list(operator.world.log)
        operator.world.failing |= {"observe database": _away(), "observe compute": _away()}
        instance = await operator.until("ada", lambda o: condition(o, "DatabaseReady")["status"] == "Unknown")
        assert condition(instance, "Synced")["reason"] == "Unreachable"
        assert operator.world.log == log
        operator.world.failing.clear()
        await operator.until("ada", lambda o: condition(o, "Synced")["status"] == "True")
    assert operator.world.log == log


async def test_an_edited_plan_changes_the_fleet(operator: Operator) -> None:
    await operator.copy_plan("starter", "edited")
    async with operator.running():
        await operator.apply("ada", planRef={"name": "edited"})
        await operator.until_reason("ada", "Available")
        await operator.kubectl.run(
            "patch", "clawplan", "edited", "--type=merge", "-p", '{"spec":{"limits":{"messagesPerMonth":7}}}'
        )
        await operator.until("ada", lambda o: o["status"]["usage"].get("messagesLimit") == 7)
    await operator.kubectl.run("delete", "clawplan", "edited")


def _accepted(operator: Operator) -> set[str]:
    (compute,) = operator.world.computes.values()
    assert isinstance(compute, Compute)
    assert compute.configuration is not None
    return {key.sha256 for key in compute.configuration.keys}


def _passes(loop: Loop) -> float:
    return sum(s.value for m in loop.metrics.passes.collect() for s in m.samples if s.name.endswith("_total"))


def _away() -> ExternalError:
    return Transient("it does not answer")
