"""Passes in worlds that a real API server and a real provider show once a year."""

import logging
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from claw_crds import naming
from claw_crds.conditions import ConditionStatus, ConditionType, Reason
from claw_crds.v1alpha1 import ClawInstanceStatus, DatabaseStatus, ProvisioningStatus
from claw_operator.external import ComputeState, ExternalError, RateLimited, Rejected, Transient, Unauthorized
from tests.integration.operator.world import Compute, Database
from tests.unit.operator.api_server import PLANS, SECRETS, TEST_FAILED, after, answer, before, secret_of, status
from tests.unit.operator.conftest import Object, Stage
from tests.unit.operator.examples import CREDENTIALS, NOW, UID, condition, plan

READY, SYNCED, DATABASE_READY = ConditionType.READY, ConditionType.SYNCED, ConditionType.DATABASE_READY
NAME = naming.external_name(UID)
AWAY = Transient("it does not answer")
LONG_AGO = {"creationTimestamp": (NOW - timedelta(days=90)).isoformat()}
SECRET = f"{SECRETS}/ada-credentials"


async def available(stage: Stage, **spec: Any) -> None:
    """An instance that works."""
    stage.apply(**spec)
    await stage.passes(2)
    assert condition(stage.status, READY).reason == Reason.AVAILABLE


def rotate(stage: Stage) -> None:
    """Ask for another key."""

    def raise_revision(instance: Object) -> None:
        instance["spec"]["credentialsRevision"] = 2
        instance["metadata"]["generation"] += 1

    stage.change(raise_revision)


def delete(stage: Stage) -> None:
    """Ask for the deletion."""
    stage.change(lambda instance: instance["metadata"].update(deletionTimestamp=NOW.isoformat()))


def ask_again(stage: Stage, value: str = "1") -> None:
    """Ask for another try."""
    stage.change(
        lambda instance: instance["metadata"].setdefault("annotations", {}).update({naming.RETRY_REQUESTED_AT: value})
    )


async def test_two_passes_make_an_instance_available(stage: Stage) -> None:
    await available(stage)
    assert stage.events() == ["Provisioning", "Available"]
    assert len(stage.world.log) == 5


async def test_a_database_too_new_to_be_seen_by_another_operator_is_looked_for_and_not_given_up(stage: Stage) -> None:
    stage.apply()
    stage.world.failing["deploy"] = Transient("away")
    await stage.passes()
    stage.restart()
    databases, stage.world.databases = stage.world.databases, {}  # its reads lag behind what the last one wrote
    await stage.passes()
    assert condition(stage.status, DATABASE_READY).status == ConditionStatus.UNKNOWN
    stage.world.databases = databases
    del stage.world.failing["deploy"]
    await stage.passes(3)
    assert condition(stage.status, READY).reason == Reason.AVAILABLE
    assert stage.world.counts()["create database"] == 1


async def test_a_database_that_stays_away_is_lost_even_if_it_is_new(stage: Stage) -> None:
    stage.apply()
    stage.world.failing["deploy"] = Transient("away")
    await stage.passes()
    stage.world.databases = {}
    stage.now += timedelta(seconds=30)
    await stage.passes()
    assert condition(stage.status, DATABASE_READY).reason == Reason.VANISHED


class TestTheApiServer:
    """What it may do between our reading and our writing."""

    async def test_a_secret_that_vanishes_while_it_is_written_does_not_lose_the_instance(self, stage: Stage) -> None:
        await available(stage)
        rotate(stage)
        stage.api.at("PATCH", SECRETS, answer(status(404, "NotFound", "gone")))
        assert (await stage.passes()).done is False
        await stage.passes(2)
        assert stage.status.credentials is not None
        assert stage.status.credentials.revision == 2

    async def test_an_object_that_is_gone_is_forgotten(self, stage: Stage) -> None:
        await available(stage)
        del stage.api.objects[stage.path]
        rotated = len(stage.world.log)
        stage.world.messages_used = 1  # so that there is a status to write
        assert (await stage.passes()).requeue_after == 0.0
        assert (await stage.passes()).done is True
        assert len(stage.world.log) == rotated

    async def test_a_change_during_a_pass_wins_and_is_acted_on_in_the_next(self, stage: Stage) -> None:
        stage.apply()
        stage.api.at("PATCH", stage.path + "/status", before(lambda: stage.change(_to_archive)))
        assert (await stage.passes()).requeue_after == 0.0
        await stage.passes(2)
        assert condition(stage.status, READY).reason == Reason.AVAILABLE
        assert stage.instance.spec.deletion_policy == "Archive"
        assert stage.world.counts()["create database"] == 1

    async def test_a_conflict_that_no_change_explains_is_backed_off_from(self, stage: Stage) -> None:
        stage.apply(metadata={"finalizers": [naming.FINALIZER]})
        stage.api.at("PATCH", stage.path + "/status", answer(status(422, "Invalid", TEST_FAILED)))
        assert (await stage.passes()).failed is True

    async def test_what_it_refuses_is_said_in_the_status(self, stage: Stage) -> None:
        stage.apply()
        for _ in range(2):
            stage.api.at("POST", SECRETS, answer(status(403, "Forbidden", "exceeded quota: secrets")))
            await stage.passes()
        synced = condition(stage.status, SYNCED)
        assert (synced.status, synced.reason) == (ConditionStatus.FALSE, Reason.REJECTED)
        assert "exceeded quota" in synced.message
        await stage.passes(2)
        assert condition(stage.status, READY).reason == Reason.AVAILABLE

    async def test_a_secret_of_somebody_else_is_neither_read_nor_written(self, stage: Stage) -> None:
        written = stage.apply()
        strange = stage.api.put(SECRET, secret_of(written, {naming.SECRET_API_KEY: b"strange"}, owner="somebody"))
        for _ in range(3):
            assert (await stage.passes()).requeue_after is not None
        synced = condition(stage.status, SYNCED)
        assert synced.reason == Reason.NAME_TAKEN
        assert "ada-credentials" in synced.message
        assert stage.api.objects[SECRET] == strange
        assert stage.world.counts()["issue credentials"] == 0
        del stage.api.objects[SECRET]
        await stage.passes(2)
        assert condition(stage.status, READY).reason == Reason.AVAILABLE

    async def test_a_secret_that_a_person_garbled_is_issued_anew(self, stage: Stage) -> None:
        await available(stage)
        stage.api.objects[SECRET]["data"][naming.SECRET_API_KEY] = "//79"  # no UTF-8
        await stage.passes(3)
        assert condition(stage.status, READY).reason == Reason.AVAILABLE
        assert stage.world.counts()["issue credentials"] == 2

    async def test_a_status_that_a_newer_operator_wrote_is_as_good_as_none(self, stage: Stage) -> None:
        await available(stage)
        log = list(stage.world.log)
        stage.change(lambda instance: instance["status"]["conditions"][0].update(reason="OfTheFuture"))
        await stage.passes()
        assert condition(stage.status, READY).reason == Reason.AVAILABLE
        assert condition(stage.status, SYNCED).status == ConditionStatus.TRUE
        assert stage.world.log == log

    async def test_a_plan_that_does_not_parse_is_named_and_waited_for(self, stage: Stage) -> None:
        path = "/apis/claw.dev/v1alpha1/clawplans/odd"
        stage.api.put(path, {"metadata": {"name": "odd"}, "spec": {"displayName": "Odd"}})
        stage.apply(planRef={"name": "odd"})
        await stage.passes()
        synced = condition(stage.status, SYNCED)
        assert synced.reason == Reason.PLAN_NOT_FOUND
        assert "odd" in synced.message
        assert "price" in synced.message

    async def test_a_runtime_that_says_too_much_does_not_stop_the_loop(self, stage: Stage) -> None:
        stage.world.version = "v" * 10_000
        await available(stage)
        assert stage.status.runtime is not None
        assert stage.status.runtime.version == "v" * 255


def _to_archive(instance: Object) -> None:
    instance["spec"]["deletionPolicy"] = "Archive"
    instance["metadata"]["generation"] += 1


class TestTwoOperators:
    """Both work on one instance, and one is faster than the other."""

    @pytest.mark.parametrize("last", ["ours", "theirs"])
    async def test_the_secret_holds_the_password_that_was_set_last(self, stage: Stage, last: str) -> None:
        """Whoever writes the Secret second does not know which of the two passwords works."""
        written = stage.apply()
        theirs = CREDENTIALS.to_secret() | {
            naming.SECRET_DATABASE_ID: "db-1",
            naming.SECRET_DATABASE_URL: "postgresql://their-password",
        }

        def they_are_faster() -> None:
            (database,) = stage.world.databases.values()
            database.password = "their-password" if last == "theirs" else database.password
            database.id = "db-1"
            values = {key: value.encode() for key, value in theirs.items()}
            stage.api.put(SECRET, secret_of(written, values))

        stage.api.at("POST", SECRETS, before(they_are_faster))
        await stage.passes()
        (database,), (compute,) = stage.world.databases.values(), stage.world.computes.values()
        secret = stage.secret()
        assert database.password is not None
        assert database.password in secret[naming.SECRET_DATABASE_URL]
        await stage.passes(2)
        assert database.password in compute.variables["DATABASE_URL"]
        assert compute.deployments == 1, "a password that does not work was deployed"
        assert secret[naming.SECRET_API_KEY] == CREDENTIALS.api_key, "it may have been mailed already"
        assert condition(stage.status, READY).reason == Reason.AVAILABLE

    async def test_a_key_is_rotated_once(self, stage: Stage) -> None:
        await available(stage)
        first = stage.secret()[naming.SECRET_API_KEY]
        rotate(stage)

        def they_are_faster() -> None:
            data = {key: value.encode() for key, value in stage.secret().items()}
            data[naming.SECRET_CREDENTIALS_REVISION] = b"2"
            stage.api.put(SECRET, secret_of(stage.api.objects[stage.path], data))

        stage.api.at("PATCH", SECRETS, before(they_are_faster))
        await stage.passes(3)
        assert stage.secret()[naming.SECRET_API_KEY] == first, "ours would have replaced the one that they rotated"
        assert condition(stage.status, READY).reason == Reason.AVAILABLE


class TestTheFleet:
    """What rests is seen with all others; what is to be changed, by itself."""

    async def test_an_instance_that_rests_is_never_looked_at_by_itself(self, stage: Stage) -> None:
        await available(stage)
        looks = stage.world.looks.copy()
        await stage.passes(5)
        stage.restart()
        await stage.passes(5)
        assert stage.world.looks - looks == {"runtime": 10}, "which costs its provider nothing"

    async def test_what_seems_to_be_missing_is_looked_at_again_before_it_is_made(self, stage: Stage) -> None:
        await available(stage)
        stage.world.stale = True  # the fleet's reading is from before it was made
        await stage.passes()
        assert condition(stage.status, READY).reason == Reason.AVAILABLE
        assert stage.world.counts()["create compute"] == 1

    async def test_somebody_who_asks_for_a_look_gets_one(self, stage: Stage) -> None:
        await available(stage)
        looks = stage.world.looks.copy()
        stage.change(lambda o: o["metadata"].update(annotations={naming.RECONCILE_REQUESTED_AT: "now"}))
        await stage.passes(3)
        assert stage.world.looks - looks == {"database": 1, "compute": 1, "runtime": 3}

    async def test_while_a_deployment_is_under_way_only_the_compute_is_looked_at(self, stage: Stage) -> None:
        stage.apply()
        stage.world.platform_is_slow = True
        await stage.passes(2)
        looks = stage.world.looks.copy()
        await stage.passes(3)
        assert stage.world.looks - looks == {"compute": 3}


class TestTheRuntimesOwnWord:
    """It says which deployment it is, and so nobody has to wait for the platform."""

    async def test_a_new_runtime_that_answers_is_available_although_the_platform_says_deploying(
        self, stage: Stage
    ) -> None:
        stage.apply()
        stage.world.platform_is_slow = True
        result = await stage.passes(2)
        assert condition(stage.status, ConditionType.COMPUTE_READY).reason == Reason.DEPLOYING
        assert result.requeue_after == pytest.approx(0.01), "as often as the driver can be asked"
        (compute,) = stage.world.computes.values()
        compute.process = compute.fingerprint
        await stage.passes()
        assert condition(stage.status, READY).reason == Reason.AVAILABLE
        assert compute.state == ComputeState.DEPLOYING

    async def test_the_old_runtime_is_not_taken_for_the_new_one(self, stage: Stage) -> None:
        await available(stage)
        stage.world.platform_is_slow = True
        (compute,) = stage.world.computes.values()
        configured = stage.world.counts()["configure"]

        def change(instance: Object) -> None:
            instance["spec"] |= {"region": "eu-west", "assistant": {"name": "Byron"}}
            instance["metadata"]["generation"] += 1

        stage.change(change)
        await stage.passes(3)
        runtime = condition(stage.status, ConditionType.RUNTIME_READY)
        assert (runtime.status, runtime.message) == (ConditionStatus.FALSE, "The new runtime is starting.")
        before_new = stage.world.counts()["configure"]
        compute.process = compute.fingerprint
        await stage.passes()
        assert condition(stage.status, READY).reason == Reason.AVAILABLE
        assert compute.deployments == 2
        assert before_new - configured <= 1, "the old one is told what changed, and not asked again and again"


class TestSleep:
    """A compute that may sleep is not kept awake by the operator's own questions."""

    async def sleepy(self, stage: Stage) -> Compute:
        """An instance whose plan lets it sleep."""
        stage.store.saw_plan(plan(sleepWhenIdle=True).wire() | {"kind": "ClawPlan"})
        await available(stage)
        (compute,) = stage.world.computes.values()
        return compute

    async def test_it_is_asked_when_it_is_awake_and_then_not_for_a_while(self, stage: Stage) -> None:
        compute = await self.sleepy(stage)
        looks = stage.world.looks["runtime"]
        await stage.passes(5)
        assert stage.world.looks["runtime"] == looks
        stage.now = NOW + timedelta(minutes=16)
        stage.world.messages_used = 7
        await stage.passes(5)
        assert stage.world.looks["runtime"] == looks + 1
        assert stage.status.usage is not None
        assert stage.status.usage.messages_used == 7
        compute.asleep = True
        stage.now = NOW + timedelta(days=1)
        await stage.passes(5)
        assert compute.asleep
        assert condition(stage.status, READY).reason == Reason.AVAILABLE

    async def test_one_that_never_sleeps_is_asked_each_time_whatever_its_plan_says(self, stage: Stage) -> None:
        compute = await self.sleepy(stage)
        compute.asleep = None
        looks = stage.world.looks["runtime"]
        await stage.passes(3)
        assert stage.world.looks["runtime"] == looks + 3

    async def test_it_is_woken_for_what_it_has_to_know(self, stage: Stage) -> None:
        compute = await self.sleepy(stage)
        compute.asleep = True
        rotate(stage)
        await stage.passes(2)
        assert not compute.asleep
        assert compute.configuration is not None
        assert len(compute.configuration.keys) == 2

    async def test_somebody_who_asks_for_a_look_wakes_it(self, stage: Stage) -> None:
        compute = await self.sleepy(stage)
        compute.asleep = True
        stage.change(lambda o: o["metadata"].update(annotations={naming.RECONCILE_REQUESTED_AT: "now"}))
        await stage.passes()
        assert not compute.asleep

    async def test_a_crash_is_noticed_without_asking_the_runtime(self, stage: Stage) -> None:
        compute = await self.sleepy(stage)
        stage.world.crash(NAME)
        await stage.passes(2)
        assert compute.deployments == 2
        assert condition(stage.status, READY).reason == Reason.AVAILABLE


class TestWhatIsTold:
    """Messages that rest, and Events that are true."""

    async def test_two_steps_that_fail_in_another_order_change_nothing(self, stage: Stage) -> None:
        stage.apply()
        stage.world.failing |= {"create database": AWAY, "create compute": AWAY}
        await stage.passes()
        stage.world.slow = "create database"
        written = stage.api.objects[stage.path]["metadata"]["resourceVersion"]
        await stage.passes()
        assert stage.api.objects[stage.path]["metadata"]["resourceVersion"] == written

    async def test_a_restart_that_failed_is_not_told_as_one(self, stage: Stage) -> None:
        await available(stage)
        stage.world.crash(NAME)
        stage.world.failing["deploy"] = AWAY
        await stage.passes(3)
        assert "Restarted" not in stage.events()
        stage.world.failing.clear()
        await stage.passes(2)
        assert stage.events().count("Restarted") == 1

    async def test_new_ids_are_in_the_status_before_there_is_a_secret(self, stage: Stage) -> None:
        """Otherwise a death in between would look like a status that was lost."""
        written = stage.apply()
        mark = naming.owner_mark("claw", "ada", UID)
        stage.world.databases[NAME] = Database(id="db-9", mark=mark)  # made by an operator that died
        assert written["status"] == {}
        await stage.passes()
        writes = [where for method, where in stage.api.requests if method != "GET"]
        assert writes.index(f"{stage.path}/status") < writes.index(SECRETS)

    async def test_a_restart_of_the_operator_soon_after_changes_nothing(self, stage: Stage) -> None:
        await available(stage, metadata={"creationTimestamp": NOW.isoformat()})
        written = stage.api.objects[stage.path]
        stage.now = NOW + timedelta(seconds=1, milliseconds=500)
        stage.restart()
        await stage.passes()
        assert stage.api.objects[stage.path] == written

    async def test_a_recovered_instance_has_no_provisioning_time(self, stage: Stage) -> None:
        await available(stage, metadata=LONG_AGO)
        stage.change(lambda instance: instance.update(status={}))
        await stage.passes(2)
        record = stage.status.provisioning
        assert record is not None
        assert record.recovered is True
        assert record.seconds is None

    async def test_a_restart_counts_although_the_status_could_not_be_written(self, stage: Stage) -> None:
        await available(stage)
        stage.world.crash(NAME)
        stage.api.at("PATCH", stage.path + "/status", answer(status(503, "ServiceUnavailable", "later")))
        assert (await stage.passes()).failed is True
        stage.world.crash(NAME)
        await stage.passes()
        assert stage.world.computes[NAME].deployments == 2

    async def test_a_pass_that_a_bug_ended_is_counted_as_broken(self, stage: Stage) -> None:
        stage.apply()
        stage.world.failing["observe database"] = ZeroDivisionError("a bug")  # type: ignore[assignment]
        with pytest.raises(ZeroDivisionError):
            await stage.passes()
        sample = ("claw_passes_total", {"result": "broken"})
        assert stage.metrics.registry.get_sample_value(*sample) == 1


class TestTheDeadline:
    """Who is rolled back, and who never is."""

    async def miss(self, stage: Stage) -> None:
        """An instance whose runtime never answered in time."""
        stage.apply(provisioningDeadlineSeconds=60)
        stage.world.failing["runtime"] = AWAY
        await stage.passes(2)
        stage.now = NOW + timedelta(seconds=61)

    async def test_everything_is_removed_and_the_instance_rests(self, stage: Stage) -> None:
        await self.miss(stage)
        result = await stage.passes(2)
        assert result.requeue_after is None
        assert condition(stage.status, READY).reason == Reason.FAILED
        assert stage.world.picture() == {"databases": [], "computes": []}
        assert SECRET not in stage.api.objects

    async def test_an_instance_that_nobody_looked_at_in_time_gets_its_try(self, stage: Stage) -> None:
        """The operator was away, the plan was missing, or the instance was paused."""
        stage.apply(metadata=LONG_AGO)
        await stage.passes(2)
        assert condition(stage.status, READY).reason == Reason.AVAILABLE

    @pytest.mark.parametrize("obstacle", ["pause", "plan"])
    async def test_the_time_of_a_pause_or_without_a_plan_is_not_the_instances(
        self, stage: Stage, obstacle: str
    ) -> None:
        def pause(instance: Object, value: str) -> None:
            instance["metadata"]["annotations"] = {naming.PAUSED: value}

        def buy(instance: Object, plan: str) -> None:
            instance["spec"]["planRef"] = {"name": plan}
            instance["metadata"]["generation"] += 1

        stage.apply()
        stage.world.failing["runtime"] = AWAY
        await stage.passes(2)
        stage.change(lambda o: pause(o, "true") if obstacle == "pause" else buy(o, "missing"))
        await stage.passes()
        stage.now = NOW + timedelta(hours=1)
        stage.world.failing.clear()
        stage.change(lambda o: pause(o, "false") if obstacle == "pause" else buy(o, "pro"))
        await stage.passes(2)
        assert condition(stage.status, READY).reason == Reason.AVAILABLE
        assert stage.world.counts()["delete database"] == 0

    async def test_an_old_instance_that_lost_status_and_secret_is_never_rolled_back(self, stage: Stage) -> None:
        await available(stage, metadata=LONG_AGO)
        stage.change(lambda instance: instance.update(status={}))
        del stage.api.objects[SECRET]
        stage.world.failing["runtime"] = AWAY
        await stage.passes(2)
        stage.now = NOW + timedelta(days=1)
        await stage.passes(2)
        assert condition(stage.status, READY).reason == Reason.DEGRADED
        assert len(stage.world.databases) == 1

    async def test_an_instance_that_answers_its_customer_is_available_whatever_else_is_unknown(
        self, stage: Stage
    ) -> None:
        stage.apply()
        stage.world.failing["runtime"] = AWAY
        await stage.passes(2)
        stage.world.failing = {"observe database": AWAY}
        await stage.passes(2)
        assert condition(stage.status, READY).reason == Reason.AVAILABLE
        stage.now = NOW + timedelta(days=1)
        await stage.passes(2)
        assert len(stage.world.databases) == 1

    async def test_one_that_was_suspended_before_it_was_ready_is_complete_too(self, stage: Stage) -> None:
        stage.apply(state="Suspended")
        await stage.passes(2)
        stage.now = NOW + timedelta(days=1)
        await stage.passes(2)
        assert condition(stage.status, READY).reason == Reason.SUSPENDED
        assert len(stage.world.databases) == 1

    async def test_one_that_is_suspended_and_never_answered_is_rolled_back_and_says_so(self, stage: Stage) -> None:
        stage.apply(state="Suspended")
        stage.world.failing["runtime"] = AWAY
        await stage.passes(2)
        stage.now = NOW + timedelta(days=1)
        await stage.passes(2)
        assert condition(stage.status, READY).reason == Reason.FAILED

    async def test_another_try_waits_until_the_removal_is_complete(self, stage: Stage) -> None:
        """An instance whose database is half removed would take that for a loss of data."""
        failed = ProvisioningStatus(requested_at=NOW - timedelta(hours=1), failed_generation=1)
        stage.apply(
            metadata={"finalizers": [naming.FINALIZER], "annotations": {naming.RETRY_REQUESTED_AT: "1"}},
            status=ClawInstanceStatus(provisioning=failed, database=DatabaseStatus(driver="simulated", id="db-1")),
        )
        assert (await stage.passes()).requeue_after == 0.0
        await stage.passes(2)
        assert condition(stage.status, READY).reason == Reason.AVAILABLE

    async def test_another_try_has_all_its_time_although_the_removal_failed_for_hours(self, stage: Stage) -> None:
        await self.miss(stage)
        stage.world.failing["delete database"] = AWAY
        await stage.passes(2)
        stage.now = NOW + timedelta(hours=5)
        ask_again(stage)
        stage.world.failing = {"runtime": AWAY}
        for _ in range(3):
            await stage.passes()
        stage.world.failing.clear()
        await stage.passes(2)
        assert condition(stage.status, READY).reason == Reason.AVAILABLE

    async def test_a_failure_is_counted_once(self, stage: Stage) -> None:
        await self.miss(stage)
        stage.api.at("PATCH", stage.path + "/status", before(lambda: stage.change(_to_archive)))
        await stage.passes(3)
        assert stage.metrics.registry.get_sample_value("claw_provisioning_failures_total") == 1

    async def test_the_trouble_of_a_removal_is_logged_at_its_begin_and_its_end(
        self, stage: Stage, caplog: pytest.LogCaptureFixture
    ) -> None:
        await self.miss(stage)
        stage.world.failing["delete compute"] = AWAY
        caplog.set_level(logging.INFO, "claw_operator.memory")
        caplog.clear()
        await stage.passes(3)
        stage.world.failing.clear()
        await stage.passes()
        troubles = [record.getMessage() for record in caplog.records if record.name == "claw_operator.memory"]
        assert troubles == ["rollback: it does not answer", "recovered from: rollback: it does not answer"]


class TestDeletion:
    """Whatever happens, it ends, and nothing of it stays in memory."""

    def forgotten(self, stage: Stage) -> bool:
        """Whether this process knows nothing of the instance any more."""
        gauges = stage.metrics.registry.collect()
        instances = [s.value for m in gauges if m.name == "claw_instances" for s in m.samples]
        return len(stage.store) == 0 and sum(instances) == 0

    async def test_the_end_is_noticed_without_a_watch_event(self, stage: Stage) -> None:
        await available(stage)
        delete(stage)
        await stage.passes()
        assert stage.path not in stage.api.objects
        assert (await stage.passes()).done is True
        assert self.forgotten(stage)

    async def test_a_watch_that_is_faster_than_the_answer_leaves_nothing_behind(self, stage: Stage) -> None:
        await available(stage)
        delete(stage)
        stage.api.at("PATCH", stage.path, lambda carry_out, _: carry_out())  # the status
        stage.api.at("PATCH", stage.path, after(lambda: stage.store.forget(UID)))  # the finalizer
        await stage.passes()
        assert (await stage.passes()).done is True
        assert self.forgotten(stage)

    async def test_an_obstacle_is_told_once_and_keeps_its_words(self, stage: Stage) -> None:
        await available(stage)
        delete(stage)
        stage.world.failing["delete compute"] = AWAY
        assert (await stage.passes()).failed is True
        written = stage.api.objects[stage.path]
        assert "it does not answer" in condition(stage.status, READY).message
        for _ in range(3):
            assert (await stage.passes()).failed is True
        assert stage.api.objects[stage.path] == written
        stage.world.failing.clear()
        await stage.passes()
        assert stage.path not in stage.api.objects

    @pytest.mark.parametrize("deleted", [True, False], ids=["deletion", "rollback"])
    async def test_a_provider_that_asks_to_wait_is_not_asked_sooner(self, stage: Stage, deleted: bool) -> None:
        await available(stage)
        if deleted:
            delete(stage)
        else:
            failed = {"requestedAt": NOW.isoformat(), "failedGeneration": 1}
            stage.change(lambda instance: instance["status"].update(provisioning=failed))
        stage.world.failing["delete compute"] = RateLimited("too many requests", retry_after=77.0)
        result = await stage.passes()
        assert result.failed is True
        assert result.requeue_after == 77.0

    async def test_a_driver_that_is_not_there_is_named(self, stage: Stage) -> None:
        stage.apply(
            metadata={"finalizers": [naming.FINALIZER], "deletionTimestamp": NOW.isoformat()},
            compute={"driver": "railway"},
        )
        assert (await stage.passes()).failed is True
        assert condition(stage.status, SYNCED).reason == Reason.REJECTED
        assert "railway" in condition(stage.status, SYNCED).message

    async def test_what_is_seen_gone_is_not_waited_for_whatever_its_provider_says(self, stage: Stage) -> None:
        await available(stage)
        stage.world.computes.clear()
        stage.world.databases.clear()
        stage.world.failing["delete compute"] = Rejected("no such service")
        stage.world.failing["delete database"] = Rejected("no such branch")
        delete(stage)
        await stage.passes()
        assert stage.path not in stage.api.objects

    @pytest.mark.parametrize("error", [Rejected("it is protected"), AWAY, Unauthorized("who are you")])
    async def test_what_is_still_there_is_waited_for(self, stage: Stage, error: ExternalError) -> None:
        await available(stage)
        stage.world.failing["delete compute"] = error
        delete(stage)
        assert (await stage.passes()).failed is True
        assert str(error) in condition(stage.status, READY).message
        assert len(stage.world.computes) == len(stage.world.databases) == 1

    async def test_a_secret_that_may_not_be_deleted_is_left_to_the_garbage_collector(self, stage: Stage) -> None:
        await available(stage)
        stage.api.at("DELETE", SECRETS, answer(status(403, "Forbidden", "no right to delete secrets")))
        delete(stage)
        await stage.passes()
        assert stage.path not in stage.api.objects

    async def test_a_status_that_may_not_be_written_does_not_keep_what_is_gone(self, stage: Stage) -> None:
        """For example one whose older part a newer schema does not allow."""
        await available(stage)
        delete(stage)
        stage.api.at("PATCH", f"{stage.path}/status", answer(status(422, "Invalid", "status.url: too long")))
        await stage.passes()
        assert stage.path not in stage.api.objects
        assert stage.world.picture() == {"databases": [], "computes": []}

    @pytest.mark.parametrize("spec", [{"compute": {"driver": "nobody"}}, {"planRef": {"name": "nothing"}}])
    async def test_what_could_never_be_made_is_not_kept(self, stage: Stage, spec: Object) -> None:
        """It would have to wait for somebody to bring the driver or the plan, only to be deleted."""
        stage.apply(**spec)
        await stage.passes(2)
        assert condition(stage.status, SYNCED).reason in (Reason.INVALID_SPEC, Reason.PLAN_NOT_FOUND)
        assert stage.instance.metadata.finalizers == ()

    @pytest.mark.parametrize(
        ("plan", "days"),
        [({"retentionDays": 90}, 90), ({"retentionDays": -1}, 30), (None, 30)],
        ids=["as the plan says", "one that does not parse", "one that is gone"],
    )
    async def test_an_archive_is_kept_for_the_plans_retention_from_the_request_on(
        self, stage: Stage, plan: Object | None, days: int
    ) -> None:
        await available(stage, deletionPolicy="Archive")
        stage.store.forget_plan("pro")
        stored = stage.api.objects.pop(f"{PLANS}/pro")
        if plan is not None:
            stage.api.put(f"{PLANS}/pro", stored | {"spec": stored["spec"] | plan})
        delete(stage)
        stage.now = NOW + timedelta(hours=5)
        stage.api.at("PATCH", stage.path, lambda carry_out, _: carry_out())  # the status
        stage.api.at("PATCH", stage.path, answer(status(503, "ServiceUnavailable", "later")))  # the finalizer
        await stage.passes(2)
        (database,) = stage.world.databases.values()
        assert database.archived_until == NOW + timedelta(days=days)
        assert stage.world.counts()["archive database"] == 1
        assert stage.path not in stage.api.objects

    async def test_a_policy_that_this_operator_does_not_know_keeps_the_data(self, stage: Stage) -> None:
        await available(stage)
        stage.change(lambda instance: instance["spec"].update(deletionPolicy="Shred"))
        delete(stage)
        await stage.passes()
        assert stage.path not in stage.api.objects
        assert list(stage.world.databases) == [NAME]
        assert stage.world.computes == {}

    async def test_somebody_elses_finalizer_is_waited_for(self, stage: Stage) -> None:
        await available(stage)
        stage.change(lambda instance: instance["metadata"]["finalizers"].append("example.com/other"))
        delete(stage)
        await stage.passes(2)
        assert stage.instance.metadata.finalizers == ("example.com/other",)
        assert stage.world.picture() == {"databases": [], "computes": []}

    async def test_a_name_that_is_somebody_elses_does_not_keep_the_object(self, stage: Stage) -> None:
        await available(stage)
        stage.world.databases[NAME] = replace(stage.world.databases[NAME], mark="somebody else")
        delete(stage)
        await stage.passes()
        assert stage.path not in stage.api.objects
        assert stage.world.databases[NAME].mark == "somebody else"
