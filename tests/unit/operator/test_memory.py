"""What a process remembers between two passes, and what it says of trouble."""

import logging
from datetime import datetime, timedelta

import pytest

from claw_crds.v1alpha1 import ProvisioningStatus
from claw_operator.memory import Memories, Memory
from claw_operator.metrics import Metrics
from tests.unit.operator.examples import NOW


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Everything that is logged."""
    caplog.set_level(logging.INFO, "claw_operator.memory")
    return caplog


def test_trouble_is_logged_when_it_begins_when_it_changes_and_when_it_ends(said: pytest.LogCaptureFixture) -> None:
    memory = Memory(NOW)
    for message in ["", "away", "away", "away", "refused", "refused", "", ""]:
        memory.trouble(message)
    assert [(record.levelname, record.getMessage()) for record in said.records] == [
        ("ERROR", "away"),
        ("ERROR", "refused"),
        ("INFO", "recovered from: refused"),
    ]


def test_each_instance_has_its_own_trouble(said: pytest.LogCaptureFixture) -> None:
    memories = Memories(lambda: NOW)
    memories.of("a").trouble("away")
    memories.of("b").trouble("away")
    assert len(said.records) == 2


def test_an_instance_that_is_forgotten_is_seen_anew() -> None:
    clock = iter([NOW, NOW + timedelta(hours=1)])
    memories = Memories(lambda: next(clock))
    assert memories.of("a") is memories.of("a")
    memories.forget("a")
    memories.forget("never seen")
    assert memories.of("a").first_seen == NOW + timedelta(hours=1)


def test_waiting_begins_once_and_ends_with_the_change() -> None:
    memory = Memory(NOW)
    for seconds, under_way, since in [(0, True, 0), (5, True, 0), (9, False, None), (12, True, 12)]:
        memory.waiting(under_way, NOW + timedelta(seconds=seconds))
        assert memory.waiting_since == (None if since is None else NOW + timedelta(seconds=since))


def test_the_time_of_a_step_is_the_sum_of_its_tries_and_stays_when_it_fails() -> None:
    memory, metrics = Memory(NOW), Metrics()
    with memory.timed("Deploy", metrics):
        pass
    with pytest.raises(OSError, match="no"), memory.timed("Deploy", metrics):
        raise OSError("no")
    with memory.timed("Configure", metrics):
        pass
    (deploy, configure) = memory.completed(ProvisioningStatus(requested_at=NOW), NOW).steps
    assert (deploy.name, configure.name) == ("Deploy", "Configure")
    samples = {"step": "Deploy"}
    assert metrics.registry.get_sample_value("claw_provisioning_step_seconds_count", samples) == 2


@pytest.mark.parametrize(
    ("requested", "now", "seconds"),
    [
        (timedelta(milliseconds=-900), timedelta(seconds=3), 3.0),
        (timedelta(minutes=-5), timedelta(seconds=3), 303.0),
        (timedelta(seconds=1), timedelta(seconds=3), 2.0),
        (timedelta(seconds=10), timedelta(seconds=3), 0.0),
    ],
    ids=[
        "a request of this second was seen at a finer moment",
        "a request that waited counts from its beginning",
        "a clock that is a little behind",
        "a clock that is far behind",
    ],
)
def test_the_time_until_the_first_answer(requested: timedelta, now: timedelta, seconds: float) -> None:
    record = Memory(NOW).completed(ProvisioningStatus(requested_at=NOW + requested), NOW + now)
    assert (record.seconds, record.ready_at) == (seconds, NOW + now)
    assert record.requested_at == NOW + requested


def test_the_runtimes_own_start_is_a_step_of_its_own() -> None:
    memory = Memory(NOW)
    memory.answered()
    memory.deployed()
    memory.answered()
    memory.answered()
    names = [step.name for step in memory.completed(ProvisioningStatus(requested_at=NOW), NOW).steps]
    assert names == ["StartRuntime"]


def test_the_clock_is_asked_when_an_instance_is_first_seen() -> None:
    moments: list[datetime] = []
    memories = Memories(lambda: moments.append(NOW) or NOW)  # type: ignore[func-returns-value]
    memories.of("a")
    memories.of("a")
    assert moments == [NOW]
