"""What to do next, for every outside that matters. A row is a sentence, an outside, and the steps that it asks for."""

from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from claw_crds.conditions import Reason
from claw_operator.credentials import Credentials
from claw_operator.decide import Observed, Restarts, StepKind, Unknown, decide, restart_due
from claw_operator.desired import Desired
from claw_operator.external import ComputeState, NameTaken, ObservedCompute, ObservedDatabase, Size
from tests.unit.operator.examples import (
    AWAY,
    CREDENTIALS,
    DATABASE,
    NOW,
    desired,
    kinds,
    random_bytes,
    report,
    running,
    settled,
)

CREATE_DATABASE, CREATE_COMPUTE = StepKind.CREATE_DATABASE, StepKind.CREATE_COMPUTE
ISSUE, ROTATE, RETIRE = StepKind.ISSUE_CREDENTIALS, StepKind.ROTATE_KEY, StepKind.RETIRE_KEY
DEPLOY, RESIZE, CONFIGURE = StepKind.DEPLOY, StepKind.RESIZE, StepKind.CONFIGURE

NOTHING = Observed(database=None, compute=None, runtime=None, secret=None)
EMPTY = running(state=ComputeState.EMPTY, fingerprint=None)
SMALL = Size(cpu_millis=1, memory_bytes=1)
NEW_DATABASE = replace(DATABASE, id="db-2")
NEVER = Restarts()
SOON, LATER = NOW + timedelta(minutes=20), NOW + timedelta(hours=1)


def ago(**time: float) -> Restarts:
    """Three restarts, the last one that long ago."""
    return Restarts(count=3, last_at=NOW - timedelta(**time))


def crashed(restarts: Restarts = NEVER, **differently: Any) -> Observed:
    """An outside whose compute has crashed."""
    compute = running(state=ComputeState.CRASHED, **differently)
    return replace(settled(), compute=compute, runtime=AWAY, restarts=restarts)


def with_state(state: ComputeState, **differently: Any) -> Observed:
    """An outside whose compute is in that state and does not answer."""
    return replace(settled(), compute=running(state=state, **differently), runtime=AWAY)


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
    ("the same deployment would fail again", with_state(ComputeState.FAILED), []),
    ("another one may not", with_state(ComputeState.FAILED, fingerprint="old"), [DEPLOY]),
    (
        "settings that changed during a deployment are deployed",
        with_state(ComputeState.DEPLOYING, fingerprint="old"),
        [DEPLOY],
    ),
    # Size.
    ("another size is given without a deployment", replace(settled(), compute=running(size=SMALL)), [RESIZE]),
    (
        "a deployment brings the size along",
        replace(settled(), compute=running(size=SMALL, fingerprint="old")),
        [DEPLOY],
    ),
    ("... also one that restarts a crashed compute", crashed(size=SMALL), [DEPLOY]),
    ("a compute that waits for its backoff gets its size", crashed(ago(seconds=1), size=SMALL), [RESIZE]),
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
    ],
    ids=["settled", "key expires", "backoff ends", "the sooner of both", "restart is due now", "expired already"],
)
def test_the_next_look_is_at_the_first_moment_that_changes_something(observed: Observed, moment: object) -> None:
    assert decide(desired(), observed, NOW).look_again_at == moment


def test_restarts_grow_apart_up_to_a_minute_and_are_forgotten_after_five() -> None:
    restarts, now, gaps = Restarts(), NOW, []
    for _ in range(9):
        due = restart_due(restarts, now)
        gaps.append((due - now).total_seconds())
        now = due
        restarts = restarts.next(now)
    assert gaps == [0, 1, 2, 4, 8, 16, 32, 60, 60]
    assert restart_due(restarts, now + timedelta(minutes=5, seconds=1)) == now + timedelta(minutes=5, seconds=1)
    assert restarts.next(now + timedelta(minutes=6)).count == 1


DATABASES = [None, AWAY, replace(DATABASE, ready=False), DATABASE, NEW_DATABASE]
COMPUTES = [None, AWAY, EMPTY, replace(EMPTY, size=SMALL)] + [
    running(state=state, fingerprint=fingerprint, size=size)
    for state in (ComputeState.DEPLOYING, ComputeState.RUNNING, ComputeState.CRASHED, ComputeState.FAILED)
    for fingerprint in (running().fingerprint, "old")
    for size in (running().size, SMALL)
]
SECRETS = [None, AWAY, CREDENTIALS, replace(overlapping(), revision=0, previous_expires_at=NOW)]


@pytest.mark.parametrize(("database", "secret"), list(product(DATABASES, SECRETS)))
def test_every_outside_comes_to_rest_and_no_two_steps_touch_one_thing(database: object, secret: object) -> None:
    wished = desired(credentialsRevision=1)
    for compute in COMPUTES:
        observed = Observed(database=database, compute=compute, runtime=None, secret=secret)  # type: ignore[arg-type]
        observed = _looked_at(observed)
        for _ in range(8):
            steps = kinds(decide(wished, observed, NOW).steps)
            for one_thing in ({CREATE_DATABASE, ISSUE}, {ISSUE, ROTATE, RETIRE}, {CREATE_COMPUTE, DEPLOY, RESIZE}):
                assert len(one_thing.intersection(steps)) <= 1, (observed, steps)
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
        case StepKind.CREATE_COMPUTE:
            return replace(observed, compute=EMPTY)
        case StepKind.ISSUE_CREDENTIALS:
            assert isinstance(observed.database, ObservedDatabase)
            return replace(observed, secret=credentials.moved(observed.database.id, "postgresql://new"))
        case StepKind.ROTATE_KEY:
            return replace(observed, secret=credentials.rotated(1, NOW, random_bytes()))
        case StepKind.RETIRE_KEY:
            return replace(observed, secret=credentials.retired())
        case StepKind.DEPLOY:
            return replace(observed, compute=running(fingerprint=wished.compute(credentials).fingerprint))
        case StepKind.RESIZE:
            assert isinstance(observed.compute, ObservedCompute)
            return replace(observed, compute=replace(observed.compute, size=running().size))
        case StepKind.CONFIGURE:
            revision = wished.configuration(credentials, NOW).revision
            return replace(observed, runtime=report(configuration_revision=revision))


def _looked_at(observed: Observed) -> Observed:
    """A runtime that runs answers, at first without a configuration."""
    runs = isinstance(observed.compute, ObservedCompute) and observed.compute.state == ComputeState.RUNNING
    if not runs or observed.credentials is None:
        return replace(observed, runtime=None)
    return observed if observed.runtime is not None else replace(observed, runtime=report(configuration_revision=None))
