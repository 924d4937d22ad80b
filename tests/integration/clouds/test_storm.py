"""Two hundred customers at once, and providers that get everything wrong: nothing is missing, nothing is there twice.

Of all calls, 5 % fail with a gateway's page or an error, and 2 % are carried out without anybody hearing of it. Twice
in each half, both providers ask everybody to wait: once they say for how long, once they do not.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from random import Random

import pytest

from claw_dev.cluster import ControlPlane
from claw_dev.kubectl import Kubectl
from claw_dev.simulators.faults import Fault, FaultKind, FaultQueue
from claw_dev.simulators.neon.limits import RateLimits
from claw_dev.simulators.neon.simulator import NeonSimulator
from claw_dev.simulators.railway.limits import Limits
from claw_dev.simulators.railway.pace import Pace
from claw_dev.simulators.railway.simulator import RailwaySimulator
from claw_operator.providers import neon_budget, railway_budget
from tests.contract.neon_world import simulated_neon
from tests.eventually import eventually
from tests.integration.clouds.clouds import Clouds
from tests.integration.operator.conftest import Object, condition

CROWD = 200
SECONDS = 120.0
"""Until all of them have to be available, and as long again until all have to be gone."""

RAILWAY_PER_HOUR, RAILWAY_PER_SECOND = 10_000, 50
"""Railway's Pro plan."""
NEON_PER_MINUTE, NEON_PER_SECOND_AND_ROUTE = 7_000, 400
"""Ten times what Neon gives everybody: this is about being right, and with 700 calls a minute it would take minutes."""

ALL_ALONG = (
    Fault(kind=FaultKind.HTML, path="/", status=502, probability=0.02, times=None),
    Fault(kind=FaultKind.ERROR, path="/", status=500, probability=0.015, times=None),
    Fault(kind=FaultKind.LOST_ANSWER, path="/", probability=0.02, times=None),
)
IN_A_BODY = Fault(kind=FaultKind.REFUSED_IN_BODY, path="/", probability=0.015, times=None)
"""Railway's way: 200, and errors in the body."""
UNAVAILABLE = Fault(kind=FaultKind.ERROR, path="/", status=503, probability=0.015, times=None)
STORM = (
    Fault(kind=FaultKind.ERROR, path="/", status=429, retry_after=1, skip=80, times=6),
    Fault(kind=FaultKind.CLOUDFLARE, path="/", skip=160, times=3),
)


@pytest.fixture
async def railway() -> AsyncIterator[RailwaySimulator]:
    """A Railway that keeps to its limits, a little slower than in other tests."""
    limits = Limits(per_hour=RAILWAY_PER_HOUR, per_second=RAILWAY_PER_SECOND)
    pace = Pace.quick().but(deploying=0.5, lag=0.2)
    async with RailwaySimulator(runtimes="stand-in", limits=limits, pace=pace, random=Random(11)) as railway:
        yield railway


@pytest.fixture
async def neon() -> AsyncIterator[NeonSimulator]:
    """A Neon that keeps to its limits."""
    rates = RateLimits(per_minute=NEON_PER_MINUTE, burst_per_second=NEON_PER_SECOND_AND_ROUTE)
    async with simulated_neon(rates=rates, seed=11) as neon:
        yield neon


@pytest.fixture
def clouds(
    control_plane: ControlPlane,
    kubectl: Kubectl,
    namespace: str,
    railway: RailwaySimulator,
    neon: NeonSimulator,
    elsewhere: asyncio.AbstractEventLoop,
) -> Clouds:
    """An operator with the budgets of production."""
    clouds = Clouds(control_plane, kubectl, namespace, railway, neon, elsewhere)
    budgets = {"railway": railway_budget(RAILWAY_PER_HOUR), "neon": neon_budget(NEON_PER_MINUTE)}
    clouds.set_up(budgets=budgets, workers=50, railway_poll=0.5, neon_poll=0.02, settle=1.0)
    return clouds


@pytest.mark.timeout(300)
async def test_two_hundred_instances_come_and_go_in_a_storm(clouds: Clouds, capsys: pytest.CaptureFixture[str]) -> None:
    async with clouds.running(resync_seconds=30.0):
        with stormy(clouds):
            began = time.monotonic()
            await clouds.kubectl.apply([manifest(clouds.namespace, number) for number in range(CROWD)])
            await eventually(lambda: available(clouds) == CROWD, SECONDS, lambda: (clouds.made(), told(clouds)))
            came = time.monotonic() - began
        for instance in await instances(clouds):
            assert condition(instance, "Ready")["reason"] == "Available"
        calls = len(clouds.railway.calls) / CROWD, len(clouds.neon.calls) / CROWD
        assert clouds.made() == {
            "services created": CROWD,
            "services deleted": 0,
            "domains created": CROWD,
            "domains deleted": 0,
            "branches created": CROWD,
            "branches deleted": 0,
            "endpoints created": CROWD,
            "endpoints deleted": 0,
        }
        assert len(clouds.services()) == len(clouds.branches()) == clouds.domains() == clouds.endpoints() == CROWD

        with stormy(clouds):
            began = time.monotonic()
            await clouds.kubectl.run("-n", clouds.namespace, "delete", "clawinstance", "--all", "--wait=false")
            await eventually(lambda: clouds.services() == clouds.branches() == set(), SECONDS, clouds.made)

            async def nobody_is_left() -> bool:
                return not await instances(clouds)

            await eventually(nobody_is_left, SECONDS)
            went = time.monotonic() - began
    assert clouds.domains() == clouds.endpoints() == 0
    assert clouds.made() == dict.fromkeys(clouds.made(), CROWD), "each was made once and deleted once"
    budgets_were_kept(clouds)
    with capsys.disabled():
        print(
            f"\n{CROWD} instances in a storm: {calls[0]:.1f} Railway and {calls[1]:.1f} Neon calls for each that came, "
            f"all there after {came:.0f} s, all gone {went:.0f} s after they were told to"
        )


@contextmanager
def stormy(clouds: Clouds) -> Iterator[None]:
    """Everything goes wrong at both providers, until the block ends. All that was to go wrong must have."""
    for faults, own in ((clouds.railway.faults, IN_A_BODY), (clouds.neon.faults, UNAVAILABLE)):
        for fault in (*STORM, *ALL_ALONG, own):
            faults.add(fault)
    yield
    for faults in (clouds.railway.faults, clouds.neon.faults):
        assert not _with_an_end(faults), "somebody was not asked often enough to be refused"
        faults.clear()


def _with_an_end(faults: FaultQueue) -> list[Fault]:
    return [fault for fault in faults.waiting() if fault.times is not None]


def budgets_were_kept(clouds: Clouds) -> None:
    """Nobody was refused but by the storm, and in no window more was asked than the account allows."""
    storm = 2 * sum(fault.times or 0 for fault in STORM)
    assert sum(call.status == 429 for call in clouds.railway.calls) == storm
    assert sum(call.status == 429 for call in clouds.neon.calls) == storm
    railway = [call.began for call in clouds.railway.calls]
    assert most_within(1.0, railway) <= RAILWAY_PER_SECOND
    assert most_within(3600.0, railway) <= RAILWAY_PER_HOUR
    assert all(call.has_query_string for call in clouds.railway.calls), "without one, Cloudflare allows ten a second"
    neon = [call.at.timestamp() for call in clouds.neon.calls]
    assert most_within(60.0, neon) <= NEON_PER_MINUTE
    for route in {call.operation for call in clouds.neon.calls}:
        on_route = [call.at.timestamp() for call in clouds.neon.calls if call.operation == route]
        assert most_within(1.0, on_route) <= NEON_PER_SECOND_AND_ROUTE


def most_within(seconds: float, moments: Sequence[float]) -> int:
    """The most that ever happened in a window of that length, wherever it begins."""
    ordered, most, first = sorted(moments), 0, 0
    for last, moment in enumerate(ordered):
        while moment - ordered[first] >= seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def available(clouds: Clouds) -> float:
    """How many instances are available, as the operator counts them."""
    return clouds.metrics.registry.get_sample_value("claw_instances", {"reason": "Available"}) or 0


def told(clouds: Clouds) -> dict[str, float]:
    """How many instances there are, by the reason of Ready."""
    samples = (sample for metric in clouds.metrics.instances.collect() for sample in metric.samples)
    return {sample.labels["reason"]: sample.value for sample in samples}


async def instances(clouds: Clouds) -> list[Object]:
    """All instances as the API server has them."""
    found: list[Object] = (await clouds.kubectl.get("clawinstances", "-n", clouds.namespace))["items"]
    return found


def manifest(namespace: str, number: int) -> Object:
    """One of the crowd."""
    return {
        "apiVersion": "claw.dev/v1alpha1",
        "kind": "ClawInstance",
        "metadata": {"name": f"customer-{number}", "namespace": namespace},
        "spec": {
            "customer": {"id": f"cus_{number}", "email": f"customer-{number}@example.com"},
            "planRef": {"name": "starter"},
        },
    }
