"""/healthz turns red when the loop stops, and /metrics has its published names."""

from collections.abc import AsyncIterator
from random import Random

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from claw_crds.conditions import ConditionStatus, ConditionType, Reason
from claw_crds.v1alpha1 import ClawInstanceStatus
from claw_dev.ports import free_port
from claw_operator.findings import Finding
from claw_operator.metrics import Metrics
from claw_operator.probes import serving
from claw_operator.status import with_findings
from tests.unit.operator.examples import NOW

NAMES = {
    "claw_passes",
    "claw_pass_seconds",
    "claw_queue_depth",
    "claw_instances",
    "claw_driver_calls",
    "claw_provider_calls",
    "claw_orphans",
    "claw_orphans_deleted",
    "claw_archived",
    "claw_provisioning_step_seconds",
    "claw_provisioning_seconds",
    "claw_provisioning_failures",
}


class Loop:
    """What the probes ask."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.trouble: str | None = None
        self.depth = 0


@pytest.fixture
def loop() -> Loop:
    """A loop that works."""
    return Loop()


@pytest.fixture
async def probes(loop: Loop) -> AsyncIterator[httpx.AsyncClient]:
    """Its probes."""
    port = free_port(Random())
    async with (
        serving("127.0.0.1", port, loop.metrics, lambda: loop.trouble, lambda: loop.depth),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        yield client


async def test_healthz_is_green_while_the_loop_works_and_tells_why_it_is_red(
    loop: Loop, probes: httpx.AsyncClient
) -> None:
    answer = await probes.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    loop.trouble = "a worker has ended"
    answer = await probes.get("/healthz")
    assert (answer.status_code, answer.json()) == (503, {"status": "a worker has ended"})
    loop.trouble = None
    assert (await probes.get("/healthz")).status_code == 200


async def test_the_metrics_have_their_names_and_nothing_of_a_customer(loop: Loop, probes: httpx.AsyncClient) -> None:
    loop.depth = 7
    metrics = loop.metrics
    metrics.passes.labels("ok").inc()
    metrics.driver_calls.labels("local", "create", "Transient").inc()
    metrics.step_seconds.labels("Deploy").observe(0.2)
    answer = await probes.get("/metrics")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    assert {name.removesuffix("_created") for name in families} == NAMES
    assert families["claw_queue_depth"].samples[0].value == 7
    labels = {label for family in families.values() for sample in family.samples for label in sample.labels}
    assert labels == {"result", "driver", "call", "outcome", "step", "le"}
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")


def test_an_instance_is_counted_once_under_its_present_reason() -> None:
    metrics = Metrics()
    for reason in (Reason.PROVISIONING, Reason.AVAILABLE, Reason.AVAILABLE):
        metrics.saw("a", _ready(reason))
    metrics.saw("b", ClawInstanceStatus())
    assert _counted(metrics) == {"Provisioning": 0, "Available": 1, "Unknown": 1}
    metrics.forget("a")
    metrics.forget("never seen")
    assert _counted(metrics) == {"Provisioning": 0, "Available": 0, "Unknown": 1}


def _ready(reason: Reason) -> ClawInstanceStatus:
    finding = Finding(ConditionStatus.FALSE, reason)
    return with_findings(ClawInstanceStatus(), {ConditionType.READY: finding}, 1, NOW)


def _counted(metrics: Metrics) -> dict[str, float]:
    (family,) = metrics.instances.collect()
    return {sample.labels["reason"]: sample.value for sample in family.samples}
