"""Who answers: the new process, or still the old one."""

import pytest

from claw_operator.decide import Unknown
from claw_operator.external import ComputeState
from claw_operator.processes import as_deployed, is_up
from tests.unit.operator.examples import AWAY, report, running

DEPLOYING, RUNNING = ComputeState.DEPLOYING, ComputeState.RUNNING


@pytest.mark.parametrize(
    ("state", "deployed", "answered", "believed"),
    [
        (RUNNING, "new", "new", True),
        (RUNNING, "new", "old", False),
        (RUNNING, "new", None, True),
        (RUNNING, None, "old", True),
        (DEPLOYING, "new", "new", True),
        (DEPLOYING, "new", "old", False),
        (DEPLOYING, "new", None, False),
        (DEPLOYING, None, "old", False),
    ],
    ids=[
        "the one that was deployed",
        "the old one, although the platform calls the new one running",
        "one that does not tell, and the platform says it is running",
        "the settings were changed since: what runs goes on running",
        "the new one, although the platform has not noticed yet",
        "the old one goes on until the new one takes over",
        "one that does not tell may be the old one",
        "... and so may one of which nobody knows what it should tell",
    ],
)
def test_only_the_process_that_was_deployed_last_is_believed(
    state: ComputeState, deployed: str | None, answered: str | None, believed: bool
) -> None:
    compute = running(state=state, fingerprint=deployed)
    found = as_deployed(report(fingerprint=answered), compute)
    assert isinstance(found, Unknown) is not believed
    assert is_up(compute, found) is (believed and state == DEPLOYING)


def test_a_process_that_does_not_answer_is_not_up() -> None:
    assert not is_up(running(state=DEPLOYING), AWAY)
