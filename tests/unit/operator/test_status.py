"""What is reported: every condition, from facts alone, in words that rest."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from claw_crds import naming
from claw_crds.conditions import ConditionStatus, ConditionType, Reason
from claw_crds.configuration import RuntimeUsage
from claw_crds.v1alpha1 import ClawInstanceStatus, DatabaseStatus, DomainStatus, ProvisioningStatus
from claw_operator import findings
from claw_operator.decide import Observed, Unknown, decide
from claw_operator.external import (
    ComputeState,
    Drift,
    ExternalError,
    NameTaken,
    ObservedDomain,
    RateLimited,
    Rejected,
    Transient,
    Unauthorized,
)
from claw_operator.findings import Failure, Finding, Outcome, alive, reason_of
from claw_operator.status import compute_status, earlier, same, with_findings
from claw_operator.tries import History, Tries
from tests.unit.operator.examples import (
    AWAY,
    CREDENTIALS,
    DATABASE,
    NOW,
    body,
    condition,
    desired,
    instance,
    plan,
    report,
    running,
    settled,
)

READY, SYNCED = ConditionType.READY, ConditionType.SYNCED
DATABASE_READY, COMPUTE_READY = ConditionType.DATABASE_READY, ConditionType.COMPUTE_READY
RUNTIME_READY = ConditionType.RUNTIME_READY
TRUE, FALSE, UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN

NEW = ProvisioningStatus(requested_at=NOW)
EVER_READY = ProvisioningStatus(requested_at=NOW, ready_at=NOW)
NOTHING = Observed(database=None, compute=None, runtime=None, secret=None)
CLOSED = replace(DATABASE, suspended=True)
EMPTY = running(state=ComputeState.EMPTY, fingerprint=None)

ERRORS: list[tuple[ExternalError, Reason]] = [
    (Transient("it does not answer"), Reason.UNREACHABLE),
    (RateLimited("slowly", 9.0), Reason.RATE_LIMITED),
    (Rejected("never"), Reason.REJECTED),
    (NameTaken("not ours"), Reason.NAME_TAKEN),
    (Unauthorized("who are you"), Reason.UNAUTHORIZED),
]

PARTS = [
    ("there is no database, and its creation is pending", DATABASE_READY, NOTHING, FALSE, Reason.CREATING),
    (
        "a database that is not ready",
        DATABASE_READY,
        replace(NOTHING, database=replace(DATABASE, ready=False)),
        FALSE,
        Reason.CREATING,
    ),
    ("a database", DATABASE_READY, settled(), TRUE, Reason.AVAILABLE),
    (
        "a database that cannot be looked at",
        DATABASE_READY,
        replace(settled(), database=AWAY),
        UNKNOWN,
        Reason.UNREACHABLE,
    ),
    ("a database that is gone", DATABASE_READY, replace(settled(), database=None), FALSE, Reason.VANISHED),
    (
        "one whose loss was accepted",
        DATABASE_READY,
        replace(settled(), database=None, accepted_loss="db-1"),
        FALSE,
        Reason.CREATING,
    ),
    ("there is no compute, and its creation is pending", COMPUTE_READY, NOTHING, FALSE, Reason.CREATING),
    ("an empty compute without credentials", COMPUTE_READY, replace(NOTHING, compute=EMPTY), FALSE, Reason.PENDING),
    (
        "an empty compute that can be deployed",
        COMPUTE_READY,
        replace(settled(), compute=EMPTY),
        FALSE,
        Reason.DEPLOYING,
    ),
    (
        "a deployment under way",
        COMPUTE_READY,
        replace(settled(), compute=running(state=ComputeState.DEPLOYING)),
        FALSE,
        Reason.DEPLOYING,
    ),
    (
        "a running compute with old settings",
        COMPUTE_READY,
        replace(settled(), compute=running(fingerprint="old")),
        FALSE,
        Reason.UPDATING,
    ),
    ("a running compute", COMPUTE_READY, settled(), TRUE, Reason.AVAILABLE),
    (
        "a crashed compute",
        COMPUTE_READY,
        replace(settled(), compute=running(state=ComputeState.CRASHED)),
        FALSE,
        Reason.CRASHED,
    ),
    (
        "a failed deployment",
        COMPUTE_READY,
        replace(settled(), compute=running(state=ComputeState.FAILED)),
        FALSE,
        Reason.CRASHED,
    ),
    (
        "a compute that cannot be looked at",
        COMPUTE_READY,
        replace(settled(), compute=AWAY),
        UNKNOWN,
        Reason.UNREACHABLE,
    ),
    (
        "a compute that somebody changes again and again",
        COMPUTE_READY,
        replace(
            settled(),
            compute=running(drift=Drift("replicas", needs_deployment=True)),
            history=History(repairs=Tries(1, NOW)),
        ),
        TRUE,
        Reason.DRIFTED,
    ),
    (
        "a compute that somebody has changed",
        COMPUTE_READY,
        replace(settled(), compute=running(drift=Drift("replicas", needs_deployment=True))),
        FALSE,
        Reason.DRIFTED,
    ),
    (
        "a compute that was stopped by hand",
        COMPUTE_READY,
        replace(settled(), compute=running(state=ComputeState.STOPPED), runtime=None),
        FALSE,
        Reason.DEPLOYING,
    ),
    (
        "a database that was closed by hand",
        DATABASE_READY,
        replace(settled(), database=CLOSED),
        FALSE,
        Reason.UPDATING,
    ),
    ("no runtime yet", RUNTIME_READY, NOTHING, FALSE, Reason.PENDING),
    ("a runtime without credentials for it", RUNTIME_READY, replace(settled(), secret=None), FALSE, Reason.PENDING),
    (
        "a runtime whose token is in somebody else's Secret",
        RUNTIME_READY,
        replace(settled(), secret=Unknown(NameTaken("x"))),
        UNKNOWN,
        Reason.NAME_TAKEN,
    ),
    (
        "a runtime that does not answer is not ready for its customer",
        RUNTIME_READY,
        replace(settled(), runtime=AWAY),
        FALSE,
        Reason.UNAVAILABLE,
    ),
    (
        "a blank runtime",
        RUNTIME_READY,
        replace(settled(), runtime=report(configuration_revision=None)),
        FALSE,
        Reason.CONFIGURING,
    ),
    (
        "a runtime that says it is not ready",
        RUNTIME_READY,
        replace(settled(), runtime=report(ready=False)),
        FALSE,
        Reason.UNAVAILABLE,
    ),
    ("a runtime", RUNTIME_READY, settled(), TRUE, Reason.AVAILABLE),
]


@pytest.mark.parametrize(
    ("kind", "observed", "status", "reason"), [case[1:] for case in PARTS], ids=[case[0] for case in PARTS]
)
def test_each_part_says_how_it_is(
    kind: ConditionType, observed: Observed, status: ConditionStatus, reason: Reason
) -> None:
    found = of(observed)[kind]
    assert (found.status, found.reason) == (status, reason)
    assert found.message or status == TRUE


def of(observed: Observed, provisioning: ProvisioningStatus = NEW, **spec: Any) -> findings.Findings:
    """The findings about that outside, with what is still to be done in it."""
    wished = desired(**spec)
    return alive(wished, observed, Outcome(pending=decide(wished, observed, NOW).steps), provisioning, NOW)


@pytest.mark.parametrize(("error", "reason"), ERRORS, ids=[reason for _, reason in ERRORS])
def test_a_failure_is_told_by_its_kind(error: ExternalError, reason: Reason) -> None:
    outcome = Outcome(failures=[Failure("Deploy", error), Failure("Resize", Transient("later"))])
    synced = alive(desired(), settled(), outcome, NEW, NOW)[SYNCED]
    assert (synced.status, synced.reason, synced.message) == (FALSE, reason, f"Deploy: {error}")
    assert of(replace(settled(), compute=Unknown(error)))[COMPUTE_READY].reason == reason


@pytest.mark.parametrize(
    ("observed", "provisioning", "status", "reason", "message"),
    [
        (NOTHING, NEW, FALSE, Reason.PROVISIONING, "The database is being created."),
        (settled(), NEW, TRUE, Reason.AVAILABLE, "The assistant answers."),
        (replace(settled(), database=AWAY), EVER_READY, TRUE, Reason.AVAILABLE, "The assistant answers."),
        (replace(settled(), compute=AWAY, runtime=AWAY), EVER_READY, FALSE, Reason.DEGRADED, "it does not answer"),
        (replace(settled(), runtime=AWAY), EVER_READY, FALSE, Reason.DEGRADED, "it does not answer"),
        (replace(settled(), runtime=AWAY), NEW, FALSE, Reason.PROVISIONING, "it does not answer"),
        (
            replace(settled(), runtime=AWAY),
            ProvisioningStatus(requested_at=NOW, recovered=True),
            FALSE,
            Reason.DEGRADED,
            "it does not answer",
        ),
        (
            replace(settled(), compute=running(state=ComputeState.CRASHED, message="exit code 1"), runtime=AWAY),
            EVER_READY,
            FALSE,
            Reason.DEGRADED,
            "exit code 1",
        ),
    ],
    ids=[
        "the first missing part is what is waited for",
        "all parts work",
        "a provider is away, the assistant answers",
        "nobody can look at the compute",
        "the runtime is away",
        "the runtime has never answered",
        "the status was lost and the runtime is away",
        "the cause is told, and not what follows from it",
    ],
)
def test_ready_summarises(
    observed: Observed, provisioning: ProvisioningStatus, status: ConditionStatus, reason: Reason, message: str
) -> None:
    ready = of(observed, provisioning)[READY]
    assert (ready.status, ready.reason, ready.message) == (status, reason, message)


@pytest.mark.parametrize("observed", [NOTHING, settled(), replace(settled(), runtime=AWAY)])
def test_a_suspended_instance_is_suspended_whatever_its_parts_do(observed: Observed) -> None:
    assert of(observed, state="Suspended")[READY].reason == Reason.SUSPENDED


STOPPABLE = plan(stopWhenSuspended=True)
STOPPED = replace(settled(), database=CLOSED, compute=running(state=ComputeState.STOPPED), runtime=None)


@pytest.mark.parametrize(
    ("observed", "database", "compute", "runtime"),
    [
        (settled(), Reason.AVAILABLE, Reason.STOPPED, Reason.CONFIGURING),
        (replace(STOPPED, database=DATABASE), Reason.AVAILABLE, Reason.STOPPED, Reason.STOPPED),
        (STOPPED, Reason.STOPPED, Reason.STOPPED, Reason.STOPPED),
        (replace(STOPPED, compute=EMPTY), Reason.STOPPED, Reason.STOPPED, Reason.STOPPED),
        (replace(STOPPED, database=None), Reason.VANISHED, Reason.STOPPED, Reason.STOPPED),
        (replace(STOPPED, compute=AWAY, runtime=AWAY), Reason.STOPPED, Reason.UNREACHABLE, Reason.UNAVAILABLE),
    ],
    ids=["on its way", "half", "wholly", "never started", "without a database", "nobody can look"],
)
def test_a_stopped_instance_says_what_has_stopped(
    observed: Observed, database: Reason, compute: Reason, runtime: Reason
) -> None:
    wished = desired(of_plan=STOPPABLE, state="Suspended")
    found = alive(wished, observed, Outcome(pending=decide(wished, observed, NOW).steps), EVER_READY, NOW)
    assert found[READY].reason == Reason.SUSPENDED
    assert [found[part].reason for part in (DATABASE_READY, COMPUTE_READY, RUNTIME_READY)] == [
        database,
        compute,
        runtime,
    ]


def test_a_domain_says_what_its_owner_has_still_to_set() -> None:
    waiting = ObservedDomain("chat.example.com", ("CNAME chat -> abc.example", "TXT _claw -> 123"))
    for domain, message in (
        (replace(waiting, records=()), ""),
        (
            waiting,
            "Domain chat.example.com waits for DNS records: CNAME chat -> abc.example; TXT _claw -> 123.",
        ),
    ):
        found = of(replace(settled(), compute=running(domain=domain)), domain="chat.example.com")[COMPUTE_READY]
        assert (found.status, found.reason, found.message) == (TRUE, Reason.AVAILABLE, message)


def test_a_failed_deployment_says_why_and_that_it_is_tried_again() -> None:
    for why, told in (("exit code 127", "exit code 127"), ("", "does not say why")):
        observed = replace(settled(), compute=running(state=ComputeState.FAILED, message=why), runtime=AWAY)
        message = of(observed)[COMPUTE_READY].message
        assert "tried again" in message
        assert told in message


def test_a_vanished_database_tells_how_to_go_on() -> None:
    message = of(replace(settled(), database=None, known_database_id="db-9"))[DATABASE_READY].message
    assert "claw.dev/accept-database-loss=db-9" in message


def test_what_the_plan_does_not_give_is_told_although_all_is_well() -> None:
    synced = of(settled(), assistant={"model": "gpt-9"})[SYNCED]
    assert (synced.status, synced.reason) == (TRUE, Reason.RECONCILE_SUCCESS)
    assert "gpt-9" in synced.message


KEPT = {"annotations": {naming.KEEP_UNTIL: "2027-02-01"}}
FOR_EVER = {"annotations": {naming.KEEP_UNTIL: "for ever"}}
DELETE_AFTER = "2027-01-15T12:00:00Z"


def test_an_annotation_that_is_no_moment_is_told() -> None:
    synced = of(settled(), metadata=FOR_EVER)[SYNCED]
    assert (synced.status, synced.reason) == (FALSE, Reason.UNREADABLE_ANNOTATION)
    assert "claw.dev/keep-until is no moment: for ever." in synced.message
    assert of(settled(), metadata=KEPT)[SYNCED].reason == Reason.RECONCILE_SUCCESS
    failure = Outcome(failures=[Failure("deploy", Rejected("never"))])
    assert alive(desired(metadata=FOR_EVER), settled(), failure, EVER_READY, NOW)[SYNCED].reason == Reason.REJECTED


@pytest.mark.parametrize(
    ("metadata", "spec", "told"),
    [
        ({}, {}, None),
        (KEPT, {}, None),
        ({}, {"state": "Suspended"}, None),
        (KEPT, {"state": "Suspended"}, None),
        ({}, {"state": "Suspended", "deleteAfter": DELETE_AFTER}, DELETE_AFTER),
        (KEPT, {"state": "Suspended", "deleteAfter": DELETE_AFTER}, "2027-02-01T00:00:00Z"),
        (FOR_EVER, {"state": "Suspended", "deleteAfter": DELETE_AFTER}, None),
        ({}, {"state": "Running", "deleteAfter": DELETE_AFTER}, None),  # stored before the rule against it
    ],
)
def test_the_moment_of_deletion_is_told_of_a_suspended_instance(
    metadata: dict[str, Any], spec: dict[str, Any], told: str | None
) -> None:
    wished = desired(metadata=metadata, **spec)
    status = compute_status(wished, settled(wished), Outcome(), EVER_READY, NOW)
    assert status.wire().get("deletionTime") == told


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (findings.paused(), {SYNCED: (FALSE, Reason.PAUSED)}),
        (findings.deleting("Going."), {READY: (FALSE, Reason.DELETING), SYNCED: (TRUE, Reason.DELETING)}),
        (
            findings.deleting("Waiting.", Unauthorized("no")),
            {READY: (FALSE, Reason.DELETING), SYNCED: (FALSE, Reason.UNAUTHORIZED)},
        ),
        (findings.invalid(Reason.INVALID_SPEC, "wrong", has_ready=True), {SYNCED: (FALSE, Reason.INVALID_SPEC)}),
        (
            findings.invalid(Reason.PLAN_NOT_FOUND, "no plan", has_ready=False),
            {READY: (FALSE, Reason.PROVISIONING), SYNCED: (FALSE, Reason.PLAN_NOT_FOUND)},
        ),
        (
            findings.failed("Too late."),
            {
                READY: (FALSE, Reason.FAILED),
                DATABASE_READY: (FALSE, Reason.ROLLED_BACK),
                COMPUTE_READY: (FALSE, Reason.ROLLED_BACK),
                RUNTIME_READY: (FALSE, Reason.ROLLED_BACK),
            },
        ),
    ],
    ids=[
        "paused",
        "deleting",
        "deleting with an obstacle",
        "invalid while it runs",
        "invalid from the start",
        "failed",
    ],
)
def test_the_other_findings(found: dict[ConditionType, Finding], expected: dict[ConditionType, object]) -> None:
    assert {kind: (finding.status, finding.reason) for kind, finding in found.items()} == expected


def test_every_reason_of_the_catalogue_is_said_by_somebody() -> None:
    said = {reason for _, reason in ERRORS} | {case[-1] for case in PARTS}
    said |= {Reason.PROVISIONING, Reason.DEGRADED, Reason.SUSPENDED}  # test_ready_summarises and the one after it
    said |= {Reason.RECONCILE_SUCCESS, Reason.PAUSED, Reason.INVALID_SPEC, Reason.PLAN_NOT_FOUND}
    said |= {Reason.STOPPED}  # test_a_stopped_instance_says_what_has_stopped
    said |= {Reason.UNREADABLE_ANNOTATION}  # test_an_annotation_that_is_no_moment_is_told
    said |= {Reason.WITHIN_LIMITS, Reason.OVER_LIMITS, Reason.NOT_KNOWN}  # test_fitting
    said |= {Reason.DELETING, Reason.FAILED, Reason.ROLLED_BACK}  # test_the_other_findings
    assert said == set(Reason)


class TestTheStatus:
    """The whole document."""

    def test_it_is_computed_from_what_is_there(self) -> None:
        status = compute_status(desired(), settled(), Outcome(), EVER_READY, NOW)
        assert [c.type for c in status.conditions] == list(ConditionType)
        assert status.wire() | {"conditions": []} == {
            "observedGeneration": 1,
            "conditions": [],
            "url": "http://ada.example",
            "credentialsSecretRef": {"name": "ada-credentials"},
            "credentials": {"revision": 1},
            "compute": {"driver": "local", "id": "svc-1", "deploymentId": "dep-1", "state": "Running"},
            "database": {"driver": "postgres", "id": "db-1", "host": "db.example"},
            "runtime": {
                "version": "1.0.0",
                "configurationRevision": report().configuration_revision,
                "lastProbeTime": "2026-11-22T12:00:00Z",
            },
            "usage": {
                "periodStart": "2026-11-01T00:00:00Z",
                "messagesUsed": 3,
                "messagesLimit": 20000,
                "inputTokens": 0,
                "outputTokens": 0,
                "apiCalls": 0,
            },
            "provisioning": {
                "requestedAt": "2026-11-22T12:00:00Z",
                "readyAt": "2026-11-22T12:00:00Z",
                "steps": [],
                "recovered": False,
            },
            "cost": {"monthly": 0, "margin": 100},
        }

    def test_an_equal_world_gives_an_equal_status(self) -> None:
        first = compute_status(desired(), settled(), Outcome(), EVER_READY, NOW)
        later = NOW + timedelta(minutes=5)
        wished = desired(instance(status=first))
        again = compute_status(wished, settled(wished, later), Outcome(), EVER_READY, later)
        assert again.runtime is not None
        assert again.runtime.last_probe_time == later
        assert same(first, again)
        assert same(again, first)

    def test_what_differs_in_anything_else_is_told(self) -> None:
        status = compute_status(desired(), settled(), Outcome(), EVER_READY, NOW)
        for other in (
            status.model_copy(update={"url": "http://elsewhere.example"}),
            status.model_copy(update={"runtime": None}),
            status.model_copy(update={"conditions": status.conditions[1:]}),
            status.model_copy(update={"observed_generation": 2}),
        ):
            assert not same(status, other)

    def test_parts_of_a_second_are_no_news(self) -> None:
        provisioning = ProvisioningStatus(requested_at=NOW)
        finer = ProvisioningStatus(requested_at=NOW + timedelta(milliseconds=999))
        assert same(ClawInstanceStatus(provisioning=provisioning), ClawInstanceStatus(provisioning=finer))

    def test_what_cannot_be_looked_at_keeps_what_was_known_of_it(self) -> None:
        before = compute_status(desired(), settled(), Outcome(), EVER_READY, NOW)
        wished = desired(instance(status=before))
        unknown = Observed(database=AWAY, compute=AWAY, runtime=AWAY, secret=CREDENTIALS)
        after = compute_status(wished, unknown, Outcome(), EVER_READY, NOW)
        for kept in ("url", "compute", "database", "runtime", "usage"):
            assert getattr(after, kept) == getattr(before, kept)

    def test_the_id_of_a_vanished_database_stays_until_its_loss_is_accepted(self) -> None:
        known = ClawInstanceStatus(database=DatabaseStatus(driver="postgres", id="db-1"))
        wished = desired(instance(status=known))
        gone = replace(settled(wished), database=None, known_database_id="db-1")
        assert compute_status(wished, gone, Outcome(), EVER_READY, NOW).database == known.database
        accepted = replace(gone, accepted_loss="db-1")
        assert compute_status(wished, accepted, Outcome(), EVER_READY, NOW).database is None

    def test_a_secret_of_somebody_else_is_not_pointed_at(self) -> None:
        strange = replace(settled(), secret=Unknown(NameTaken("x")))
        status = compute_status(desired(), strange, Outcome(), EVER_READY, NOW)
        assert (status.credentials_secret_ref, status.credentials) == (None, None)

    def test_the_customers_own_domain_is_in_it_at_its_length(self) -> None:
        endless = ObservedDomain("chat.example.com", tuple("x" * 9999 for _ in range(99)))
        wished = desired(domain="chat.example.com")
        observed = replace(settled(wished), compute=running(wished, domain=endless))
        compute = compute_status(wished, observed, Outcome(), EVER_READY, NOW).compute
        assert compute is not None
        assert compute.domain == DomainStatus(name="chat.example.com", records=("x" * 512,) * 16)

    @pytest.mark.parametrize(
        ("tokens", "monthly", "margin"), [(0, 1500, 81), (1_000_000, 3300, 58), (10_000_000, 19500, -147)]
    )
    def test_the_margin_is_what_remains_of_the_price(self, tokens: int, monthly: int, margin: int) -> None:
        cost = {"fixedMonthly": 1500, "perMillionInputTokens": 300, "perMillionOutputTokens": 1500}
        usage = RuntimeUsage(period_start=datetime(2026, 11, 1, tzinfo=UTC), input_tokens=tokens, output_tokens=tokens)
        wished = desired(of_plan=plan(cost=cost))
        observed = replace(settled(wished), runtime=report(wished, usage=usage))
        found = compute_status(wished, observed, Outcome(), EVER_READY, NOW).cost
        assert found is not None
        assert (found.monthly, found.margin) == (monthly, margin)

    def test_a_plan_that_is_free_has_no_margin_and_no_division_by_zero(self) -> None:
        free = desired(of_plan=plan(price={"currency": "usd", "amountMonthly": 0}))
        found = compute_status(free, settled(free), Outcome(), EVER_READY, NOW).cost
        assert found is not None
        assert found.margin == 0


class TestConditions:
    """Their times, their order, their length."""

    def test_the_transition_time_moves_with_the_status_and_not_with_the_reason(self) -> None:
        later, last = NOW + timedelta(minutes=1), NOW + timedelta(minutes=2)
        status = with_findings(ClawInstanceStatus(), {READY: Finding(FALSE, Reason.PROVISIONING)}, 1, NOW)
        status = with_findings(status, {READY: Finding(FALSE, Reason.DEGRADED)}, 1, later)
        assert condition(status, READY).last_transition_time == NOW
        status = with_findings(status, {READY: Finding(TRUE, Reason.AVAILABLE)}, 1, last)
        assert condition(status, READY).last_transition_time == last

    def test_they_stand_in_one_order_and_those_not_looked_at_stay(self) -> None:
        status = with_findings(ClawInstanceStatus(), of(settled()), 1, NOW)
        paused = with_findings(status, findings.paused(), 2, NOW)
        assert [c.type for c in paused.conditions] == [READY, SYNCED, DATABASE_READY, COMPUTE_READY, RUNTIME_READY]
        assert condition(paused, READY) == condition(status, READY)
        assert condition(paused, SYNCED).observed_generation == 2

    def test_a_message_of_any_length_fits(self) -> None:
        status = with_findings(ClawInstanceStatus(), {READY: Finding(FALSE, Reason.DEGRADED, "x" * 9999)}, 1, NOW)
        assert len(condition(status, READY).message) == 1024

    @pytest.mark.parametrize("garbage", [None, {}, {"conditions": "none"}, {"usage": {"messagesUsed": "many"}}])
    def test_a_status_that_does_not_parse_is_none(self, garbage: object) -> None:
        assert earlier(body() | {"status": garbage}) == ClawInstanceStatus()

    @pytest.mark.parametrize(("error", "reason"), ERRORS, ids=[reason for _, reason in ERRORS])
    def test_each_error_has_its_word(self, error: ExternalError, reason: Reason) -> None:
        assert reason_of(error) == reason
