"""What to do next, for every outside that matters. A row is a sentence, an outside, and the steps that it asks for."""

from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from claw_crds.conditions import Reason
from claw_crds.configuration import RuntimeReport
from claw_operator.credentials import Credentials
from claw_operator.decide import Observed, StepKind, Unknown, decide
from claw_operator.desired import Desired
from claw_operator.external import (
    ComputeState,
    ConnectionUrls,
    DatabaseSize,
    Drift,
    NameTaken,
    ObservedCompute,
    ObservedDatabase,
    ObservedDomain,
    Size,
)
from claw_operator.tries import History, Tries
from tests.unit.operator.examples import (
    AWAY,
    CREDENTIALS,
    DATABASE,
    NOW,
    desired,
    kinds,
    plan,
    random_bytes,
    report,
    running,
    settled,
)

CREATE_DATABASE, CREATE_COMPUTE = StepKind.CREATE_DATABASE, StepKind.CREATE_COMPUTE
ISSUE, ROTATE, RETIRE = StepKind.ISSUE_CREDENTIALS, StepKind.ROTATE_KEY, StepKind.RETIRE_KEY
DEPLOY, ADJUST, CONFIGURE = StepKind.DEPLOY, StepKind.ADJUST, StepKind.CONFIGURE
STOP, CLOSE, OPEN = StepKind.SUSPEND_COMPUTE, StepKind.SUSPEND_DATABASE, StepKind.RESUME_DATABASE

NOTHING = Observed(database=None, compute=None, runtime=None, secret=None)
EMPTY = running(state=ComputeState.EMPTY, fingerprint=None)
SMALL = Size(cpu_millis=1, memory_bytes=1)
NEW_DATABASE = replace(DATABASE, id="db-2")
VARIABLES = Drift("variable DATABASE_URL", needs_deployment=True)
NAME = Drift("name", needs_deployment=False)
DOMAIN = ObservedDomain("chat.example.com")
CLOSED = replace(DATABASE, suspended=True)
NEVER = Tries()
RESIZE = StepKind.ADJUST_DATABASE
SOON, LATER = NOW + timedelta(minutes=20), NOW + timedelta(hours=1)


def sized(cpu_millis: int, quota: int | None = None) -> ObservedDatabase:
    """The database, with a size that this many thousandths of a CPU and no others are answered with."""
    return replace(DATABASE, size=DatabaseSize(range(cpu_millis, cpu_millis + 1), quota))


def full(mebibytes: int, quota: int) -> ObservedDatabase:
    """The database at its right size, but for a quota of so many MiB, with so many MiB in it."""
    return replace(sized(1000, quota * 2**20), size_bytes=mebibytes * 2**20)


def ago(**time: float) -> Tries:
    """Three tries, the last one that long ago."""
    return Tries(count=3, last_at=NOW - timedelta(**time))


def crashed(restarts: Tries = NEVER, **differently: Any) -> Observed:
    """An outside whose compute has crashed."""
    compute = running(state=ComputeState.CRASHED, **differently)
    return replace(settled(), compute=compute, runtime=AWAY, history=History(restarts=restarts))


def with_state(state: ComputeState, **differently: Any) -> Observed:
    """An outside whose compute is in that state and does not answer."""
    return replace(settled(), compute=running(state=state, **differently), runtime=AWAY)


def failed(fingerprint: str | None = running().fingerprint, **ago: float) -> Observed:
    """An outside whose deployment was first seen to have failed that long ago."""
    compute = running(state=ComputeState.FAILED, fingerprint=fingerprint)
    history = History(failures=Tries(1, NOW - timedelta(**ago)), failed=True)
    return replace(settled(), compute=compute, runtime=AWAY, history=history)


def repaired(*, compute: ObservedCompute | None = None, runtime: RuntimeReport | None = None, **ago: float) -> Observed:
    """An outside that was put right that long ago, and needs it again."""
    history = History(repairs=Tries(1, NOW - timedelta(**ago)))
    return replace(settled(), compute=compute or running(), runtime=runtime or report(), history=history)


def refused(fingerprint: str | None = running().fingerprint) -> RuntimeReport:
    """A runtime with these settings whose password the database does not accept."""
    return report(fingerprint=fingerprint, database_refuses=True)


def overlapping(revision: int = 1) -> Credentials:
    """Credentials with a previous key that works until SOON."""
    return replace(CREDENTIALS, revision=revision, previous_api_key="claw_old", previous_expires_at=SOON)


CASES = [
    # From nothing to an answer.
    ("database and empty compute are made side by side", NOTHING, [CREATE_DATABASE, CREATE_COMPUTE]),
    (
        "credentials need the database only",
        replace(NOTHING, database=DATABASE),
        [CREATE_COMPUTE, ISSUE],
    ),
    ("the database is made beside a compute that is there", replace(NOTHING, compute=EMPTY), [CREATE_DATABASE]),
    (
        "credentials wait until the database is ready",
        replace(NOTHING, database=replace(DATABASE, ready=False), compute=EMPTY),
        [],
    ),
    ("an empty compute waits for credentials", replace(NOTHING, database=DATABASE, compute=EMPTY), [ISSUE]),
    (
        "with credentials the empty compute gets its first deployment",
        replace(settled(), compute=EMPTY, runtime=None),
        [DEPLOY],
    ),
    ("a deployment that is under way is waited for", with_state(ComputeState.DEPLOYING), []),
    (
        "a blank runtime is configured",
        replace(settled(), runtime=report(configuration_revision=None, ready=False)),
        [CONFIGURE],
    ),
    ("where everything is as wished there is nothing to do", settled(), []),
    # Unknown is never gone.
    ("an unknown database is not made again", replace(NOTHING, database=AWAY), [CREATE_COMPUTE]),
    ("an unknown compute is not made again", replace(NOTHING, compute=AWAY), [CREATE_DATABASE]),
    (
        "an unknown compute is neither deployed nor resized nor configured",
        replace(settled(), compute=AWAY, runtime=AWAY),
        [],
    ),
    ("an unknown database stops nothing else that is settled", replace(settled(), database=AWAY), []),
    (
        "an unknown database does not keep the Secret's URL from being deployed",
        replace(settled(), database=AWAY, compute=EMPTY, runtime=None),
        [DEPLOY],
    ),
    (
        "an unknown database does not keep a key from being rotated",
        replace(settled(), database=AWAY, secret=replace(CREDENTIALS, revision=0)),
        [ROTATE],
    ),
    ("an unknown runtime is not configured", replace(settled(), runtime=AWAY), []),
    # A database is somebody's data.
    (
        "a database that the status knows and that is gone is not replaced",
        replace(settled(), database=None, known_database_id="db-1"),
        [],
    ),
    ("... nor one that only the Secret remembers", replace(settled(), database=None), []),
    (
        "... not even when a person accepted the loss of another one",
        replace(settled(), database=None, known_database_id="db-1", accepted_loss="db-0"),
        [],
    ),
    (
        "an accepted loss makes a new one",
        replace(settled(), database=None, known_database_id="db-1", accepted_loss="db-1"),
        [CREATE_DATABASE],
    ),
    (
        "an acceptance without any loss changes nothing",
        replace(NOTHING, compute=EMPTY, accepted_loss="db-1"),
        [CREATE_DATABASE],
    ),
    (
        "credentials of another database are issued anew, and nothing is deployed before",
        replace(settled(), database=NEW_DATABASE),
        [ISSUE],
    ),
    ("... nor into an empty compute", replace(settled(), database=NEW_DATABASE, compute=EMPTY, runtime=None), [ISSUE]),
    ("... nor into a crashed one", replace(crashed(), database=NEW_DATABASE), [ISSUE]),
    (
        "new credentials wait until the new database is ready",
        replace(settled(), database=replace(NEW_DATABASE, ready=False)),
        [],
    ),
    # The compute goes on running.
    ("a compute that vanished is made again", replace(settled(), compute=None, runtime=None), [CREATE_COMPUTE]),
    ("a first crash is answered at once", crashed(), [DEPLOY]),
    ("a crash loop waits for its backoff", crashed(ago(seconds=3)), []),
    ("... and goes on after it", crashed(ago(seconds=4)), [DEPLOY]),
    ("earlier crashes do not count once the compute has lasted", crashed(ago(minutes=6)), [DEPLOY]),
    ("new settings do not wait for the backoff of the old ones", crashed(ago(seconds=1), fingerprint="old"), [DEPLOY]),
    ("a deployment that has just failed would fail again", failed(seconds=59), []),
    ("... also when its settings are not known", failed(seconds=59, fingerprint=None), []),
    ("... and is tried again after a while", failed(minutes=1), [DEPLOY]),
    ("another one may not fail", failed(seconds=1, fingerprint="old"), [DEPLOY]),
    (
        "settings that changed during a deployment are deployed",
        with_state(ComputeState.DEPLOYING, fingerprint="old"),
        [DEPLOY],
    ),
    ("a compute that was stopped by hand is started again", with_state(ComputeState.STOPPED), [DEPLOY]),
    # What somebody changed by hand.
    ("what only a deployment puts right is deployed", replace(settled(), compute=running(drift=VARIABLES)), [DEPLOY]),
    ("... the second time after a while", repaired(seconds=59, compute=running(drift=VARIABLES)), []),
    ("... and then again", repaired(minutes=1, compute=running(drift=VARIABLES)), [DEPLOY]),
    ("what needs no deployment is adjusted", replace(settled(), compute=running(drift=NAME)), [ADJUST]),
    (
        "... unless a deployment is due all the same",
        replace(settled(), compute=running(drift=NAME, fingerprint="old")),
        [DEPLOY],
    ),
    ("a password that the database refuses is replaced", replace(settled(), runtime=refused()), [ISSUE]),
    ("... the second time after a while", repaired(seconds=59, runtime=refused()), []),
    (
        "... and not because of what a runtime with another one says",
        replace(settled(), runtime=refused(fingerprint="old")),
        [],
    ),
    ("... nor before anything is known of the database", replace(settled(), runtime=refused(), database=AWAY), []),
    # The customer's own domain.
    ("a domain that nobody wished for is taken away", replace(settled(), compute=running(domain=DOMAIN)), [ADJUST]),
    ("a database that was closed by hand is opened", replace(settled(), database=CLOSED), [OPEN]),
    ("... and nothing is deployed before", replace(crashed(), database=CLOSED), [OPEN]),
    # Size.
    ("another size is given without a deployment", replace(settled(), compute=running(size=SMALL)), [ADJUST]),
    (
        "a deployment brings the size along",
        replace(settled(), compute=running(size=SMALL, fingerprint="old")),
        [DEPLOY],
    ),
    ("... also one that restarts a crashed compute", crashed(size=SMALL), [DEPLOY]),
    ("a compute that waits for its backoff gets its size", crashed(ago(seconds=1), size=SMALL), [ADJUST]),
    (
        "a driver that cannot tell the size is not asked to change it",
        replace(settled(), compute=running(size=None)),
        [],
    ),
    (
        "an empty compute gets its size with the first deployment",
        replace(NOTHING, database=DATABASE, compute=replace(EMPTY, size=SMALL)),
        [ISSUE],
    ),
    ("a database of another size is resized", replace(settled(), database=sized(250)), [RESIZE]),
    ("... in each direction", replace(settled(), database=sized(4000)), [RESIZE]),
    ("... also where only its quota differs", replace(settled(), database=sized(1000, 2**20)), [RESIZE]),
    ("... and beside a deployment", replace(crashed(), database=sized(250)), [RESIZE, DEPLOY]),
    ("one of the right size is left alone", replace(settled(), database=sized(1000, 500 * 2**20)), []),
    ("a quota is lowered once the data fits", replace(settled(), database=full(400, quota=1000)), [RESIZE]),
    ("... and not below it", replace(settled(), database=full(501, quota=1000)), []),
    ("... nor while nobody knows", replace(settled(), database=sized(1000, 1000 * 2**20)), []),
    ("... nor from none at all", replace(settled(), database=full(501, quota=0)), []),
    ("it is raised whatever the data takes", replace(settled(), database=full(501, quota=100)), [RESIZE]),
    ("one without a quota of its own has none to be changed", replace(settled(), database=sized(1000)), []),
    ("one that is not ready is not resized", replace(settled(), database=replace(sized(250), ready=False)), []),
    ("first it lets its runtime in", replace(settled(), database=replace(sized(250), id="db-2")), [ISSUE]),
    # Keys.
    ("a previous key is kept while it works", replace(settled(), secret=overlapping()), [CONFIGURE]),
    (
        "a credentialsRevision that the Secret has outrun asks for nothing",
        replace(settled(), secret=replace(CREDENTIALS, revision=9)),
        [],
    ),
    (
        "the Secret of somebody else is never written",
        replace(NOTHING, database=DATABASE, compute=EMPTY, secret=Unknown(NameTaken("x"))),
        [],
    ),
    # Configuration.
    (
        "a runtime with another configuration is configured",
        replace(settled(), runtime=report(configuration_revision="old")),
        [CONFIGURE],
    ),
    ("a runtime that is configured and not ready is waited for", replace(settled(), runtime=report(ready=False)), []),
]


@pytest.mark.parametrize(("observed", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_is_missing_is_done(observed: Observed, expected: list[StepKind]) -> None:
    assert kinds(decide(desired(), observed, NOW).steps) == expected


STOPPED = desired(of_plan=plan(stopWhenSuspended=True), state="Suspended")
TOLD = settled(STOPPED)
"""Its runtime knows that the instance is suspended."""
AT_REST = running(STOPPED, state=ComputeState.STOPPED)


@pytest.mark.parametrize(
    ("observed", "expected"),
    [
        (settled(), [CONFIGURE]),
        (TOLD, [STOP]),
        (replace(TOLD, runtime=AWAY), [STOP]),
        (replace(TOLD, compute=running(STOPPED, state=ComputeState.CRASHED), runtime=AWAY), [STOP]),
        (replace(TOLD, compute=running(STOPPED, state=ComputeState.DEPLOYING), runtime=AWAY), [STOP]),
        (replace(TOLD, compute=running(STOPPED, fingerprint="old", drift=VARIABLES)), [STOP]),
        (replace(TOLD, compute=AT_REST, runtime=None), [CLOSE]),
        (replace(TOLD, compute=replace(AT_REST, fingerprint="old", size=SMALL), runtime=None), [CLOSE]),
        (replace(TOLD, compute=AT_REST, runtime=None, database=CLOSED), []),
        (replace(TOLD, compute=AT_REST, runtime=None, database=replace(sized(1), suspended=True)), []),
        (replace(TOLD, compute=AWAY, runtime=AWAY), []),
        (replace(TOLD, compute=AT_REST, runtime=None, database=AWAY), []),
        (replace(NOTHING, compute=EMPTY, database=DATABASE), [ISSUE]),
        (replace(NOTHING, compute=EMPTY, database=DATABASE, secret=CREDENTIALS), [CLOSE]),
        (replace(TOLD, compute=AT_REST, runtime=None, database=None, known_database_id="db-1"), []),
    ],
    ids=[
        "its runtime is told first",
        "then its compute is stopped",
        "a runtime that does not answer cannot be told",
        "nor one that has crashed, which is not started again",
        "nor one that is starting",
        "nothing is put right any more, and nothing is deployed",
        "then its database is closed",
        "whatever has changed meanwhile waits for the resumption",
        "so it rests",
        "... whatever its size",
        "what cannot be looked at is not stopped",
        "... nor closed",
        "one that is made suspended gets its credentials",
        "... and is never started",
        "a database that is gone is gone also then",
    ],
)
def test_a_suspended_instance_whose_plan_says_so_is_stopped(observed: Observed, expected: list[StepKind]) -> None:
    assert kinds(decide(STOPPED, observed, NOW).steps) == expected


ENDED = desired(of_plan=plan(stopWhenSuspended=True), state="Suspended", deleteAfter="2027-01-15T12:00:00Z")


def test_a_database_is_open_once_a_day_is_set_for_its_deletion_and_nothing_else_is() -> None:
    told = settled(ENDED)
    at_rest = replace(told, compute=AT_REST, runtime=None)
    assert kinds(decide(ENDED, told, NOW).steps) == [STOP]
    assert kinds(decide(ENDED, replace(at_rest, database=CLOSED), NOW).steps) == [OPEN]
    assert kinds(decide(ENDED, at_rest, NOW).steps) == []
    assert kinds(decide(ENDED, replace(at_rest, database=sized(1)), NOW).steps) == []


@pytest.mark.parametrize(
    ("database", "expected"),
    [(CLOSED, [OPEN]), (replace(DATABASE, ready=False), [DEPLOY]), (DATABASE, [DEPLOY])],
    ids=["first the database is opened", "then the compute is started", "... at once where the database is open"],
)
def test_a_stopped_instance_is_resumed(database: ObservedDatabase, expected: list[StepKind]) -> None:
    assert (
        kinds(decide(desired(), replace(TOLD, compute=AT_REST, runtime=None, database=database), NOW).steps) == expected
    )


def test_without_that_in_the_plan_a_suspended_instance_goes_on_to_say_why() -> None:
    suspended = desired(state="Suspended")
    assert decide(suspended, settled(suspended), NOW).steps == ()


@pytest.mark.parametrize(
    ("domain", "observed", "steps"),
    [
        ("chat.example.com", None, [ADJUST]),
        ("chat.example.com", DOMAIN, []),
        ("new.example.com", DOMAIN, [ADJUST]),
    ],
)
def test_the_customers_own_domain_needs_no_deployment(
    domain: str, observed: ObservedDomain | None, steps: list[StepKind]
) -> None:
    wished = desired(domain=domain)
    assert kinds(decide(wished, replace(settled(wished), compute=running(wished, domain=observed)), NOW).steps) == steps


def test_a_repair_says_what_was_changed() -> None:
    (step,) = decide(desired(), replace(settled(), compute=running(drift=VARIABLES)), NOW).steps
    assert step.reason == Reason.DRIFTED
    assert "variable DATABASE_URL" in step.message


def test_a_raised_revision_rotates_the_key_and_nothing_is_deployed() -> None:
    wished = desired(credentialsRevision=2)
    (step,) = decide(wished, settled(wished), NOW).steps
    assert (step.kind, step.reason) == (ROTATE, Reason.UPDATING)


def test_a_previous_key_is_retired_at_its_end_and_leaves_the_runtime() -> None:
    wished = desired()
    before = replace(settled(wished), secret=overlapping())
    with_both = wished.configuration(overlapping(), NOW).revision
    observed = replace(before, runtime=report(wished, configuration_revision=with_both))
    assert decide(wished, observed, SOON - timedelta(seconds=1)).steps == ()
    assert kinds(decide(wished, observed, SOON).steps) == [RETIRE, CONFIGURE]


def test_rotating_and_retiring_are_one_write_of_the_secret_after_the_other() -> None:
    wished = desired(credentialsRevision=2)
    steps = kinds(decide(wished, replace(settled(wished), secret=overlapping()), LATER).steps)
    assert [kind for kind in steps if kind in (ISSUE, ROTATE, RETIRE)] == [ROTATE]


def test_a_new_database_goes_before_a_new_key() -> None:
    wished = desired(credentialsRevision=2)
    assert kinds(decide(wished, replace(settled(wished), database=NEW_DATABASE), NOW).steps) == [ISSUE]


@pytest.mark.parametrize(
    ("observed", "reason"),
    [
        (replace(settled(), compute=EMPTY, runtime=None), Reason.DEPLOYING),
        (replace(settled(), compute=running(fingerprint="old")), Reason.UPDATING),
        (crashed(), Reason.CRASHED),
        (crashed(fingerprint="old"), Reason.UPDATING),
    ],
    ids=["first", "new settings", "crash", "new settings after a crash"],
)
def test_a_deployment_says_why(observed: Observed, reason: Reason) -> None:
    (step,) = decide(desired(), observed, NOW).steps
    assert (step.kind, step.reason) == (DEPLOY, reason)
    assert step.message


@pytest.mark.parametrize(
    ("observed", "moment"),
    [
        (settled(), None),
        (replace(settled(), secret=overlapping()), SOON),
        (crashed(ago(seconds=3)), NOW + timedelta(seconds=1)),
        (replace(crashed(ago(seconds=3)), secret=overlapping()), NOW + timedelta(seconds=1)),
        (crashed(), None),
        (replace(settled(), secret=replace(overlapping(), previous_expires_at=NOW)), None),
        (failed(seconds=50), NOW + timedelta(seconds=10)),
        (repaired(seconds=50, compute=running(drift=VARIABLES)), NOW + timedelta(seconds=10)),
        (repaired(seconds=50, runtime=refused()), NOW + timedelta(seconds=10)),
    ],
    ids=[
        "settled",
        "key expires",
        "backoff ends",
        "the sooner of both",
        "restart is due now",
        "expired already",
        "a failed deployment",
        "a repair that did not last",
        "a password that is refused again",
    ],
)
def test_the_next_look_is_at_the_first_moment_that_changes_something(observed: Observed, moment: object) -> None:
    assert decide(desired(), observed, NOW).look_again_at == moment


DATABASES = [
    *(None, AWAY, replace(DATABASE, ready=False), DATABASE, NEW_DATABASE, CLOSED),
    *(sized(250), replace(sized(250), id="db-2"), replace(sized(250), suspended=True)),
]
COMPUTES = [None, AWAY, EMPTY, replace(EMPTY, size=SMALL), AT_REST] + [
    running(state=state, fingerprint=fingerprint, size=size)
    for state in (ComputeState.DEPLOYING, ComputeState.RUNNING, ComputeState.CRASHED, ComputeState.FAILED)
    for fingerprint in (running().fingerprint, "old")
    for size in (running().size, SMALL)
]
SECRETS = [None, AWAY, CREDENTIALS, replace(overlapping(), revision=0, previous_expires_at=NOW)]


@pytest.mark.parametrize(("database", "secret"), list(product(DATABASES, SECRETS)))
def test_every_outside_comes_to_rest_and_no_two_steps_touch_one_thing(database: object, secret: object) -> None:
    for wished, compute in product((desired(), STOPPED, ENDED), COMPUTES):
        observed = Observed(database=database, compute=compute, runtime=None, secret=secret)  # type: ignore[arg-type]
        observed = _looked_at(observed)
        for _ in range(8):
            steps = kinds(decide(wished, observed, NOW).steps)
            touched = [thing for kind in steps for thing in kind.touches]
            assert len(touched) == len(set(touched)), (observed, steps)
            if not steps:
                break
            for kind in steps:
                observed = _looked_at(_carried_out(kind, wished, observed))
        assert not steps, (observed, steps)


def _carried_out(kind: StepKind, wished: Desired, observed: Observed) -> Observed:
    """The outside after a step that succeeded."""
    credentials = observed.credentials or CREDENTIALS
    match kind:
        case StepKind.CREATE_DATABASE:
            return replace(observed, database=DATABASE)
        case StepKind.ADJUST_DATABASE:
            return replace(observed, database=sized(wished.plan.spec.resources.cpu_millis))
        case StepKind.CREATE_COMPUTE:
            return replace(observed, compute=EMPTY)
        case StepKind.ISSUE_CREDENTIALS:
            assert isinstance(observed.database, ObservedDatabase)
            return replace(observed, secret=credentials.moved(observed.database.id, ConnectionUrls("postgresql://new")))
        case StepKind.ROTATE_KEY:
            return replace(observed, secret=credentials.rotated(1, NOW, random_bytes()))
        case StepKind.RETIRE_KEY:
            return replace(observed, secret=credentials.retired())
        case StepKind.DEPLOY:
            return replace(observed, compute=running(fingerprint=wished.compute(credentials).fingerprint))
        case StepKind.ADJUST:
            assert isinstance(observed.compute, ObservedCompute)
            return replace(observed, compute=replace(observed.compute, size=running().size))
        case StepKind.CONFIGURE:
            revision = wished.configuration(credentials, NOW).revision
            return replace(observed, runtime=report(configuration_revision=revision))
        case StepKind.RESUME_DATABASE | StepKind.SUSPEND_DATABASE:
            assert isinstance(observed.database, ObservedDatabase)
            suspended = kind == StepKind.SUSPEND_DATABASE
            return replace(observed, database=replace(observed.database, suspended=suspended))
        case StepKind.SUSPEND_COMPUTE:
            assert isinstance(observed.compute, ObservedCompute)
            return replace(observed, compute=replace(observed.compute, state=ComputeState.STOPPED), runtime=None)


def _looked_at(observed: Observed) -> Observed:
    """A runtime that runs answers, at first without a configuration."""
    runs = isinstance(observed.compute, ObservedCompute) and observed.compute.state == ComputeState.RUNNING
    if not runs or observed.credentials is None:
        return replace(observed, runtime=None)
    return observed if observed.runtime is not None else replace(observed, runtime=report(configuration_revision=None))
