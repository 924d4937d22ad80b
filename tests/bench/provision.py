"""`provision`: from the wish to Available with the real drivers, and how much of that is ours.

A stack with the real operator, which makes a process and a database for each instance. What the runtime takes to start
is written in the instance's own status; what is left of the time is the operator's share.
"""

from dataclasses import dataclass

from claw_dev.parts import Part
from claw_dev.stack import Stack
from tests.bench.crowd import Body, api_session, gathering
from tests.bench.figures import Figure, Row, at_most, short
from tests.bench.run import Run
from tests.bench.surroundings import directory, environment

_INSTANCES = 5
_PATIENCE = 30.0
_PROMISED_SHARE = 0.5
_START_RUNTIME = "StartRuntime"


@dataclass(frozen=True)
class Provisioning:
    """One instance's, in seconds."""

    watched: float
    """As a bare watch saw it."""
    total: float
    """As its status tells."""
    steps: dict[str, float]

    @property
    def start(self) -> float:
        """The runtime's own."""
        return self.steps[_START_RUNTIME]

    @property
    def share(self) -> float:
        """The operator's."""
        return self.total - self.start


async def measure(run: Run) -> list[Row]:
    """One instance after the other; the first, with which the operator warms up, does not count."""
    count = run.count(_INSTANCES, least=2)
    found = []
    async with (
        directory() as path,
        Stack(path / "stack", parts=[Part.OPERATOR], environment=environment()) as stack,
        api_session(stack.kubeconfig) as session,
        gathering(session, stack.namespace) as crowd,
    ):
        for number in range(count + 1):
            run.tell(f"instance {number} of {count}")
            name = f"bench-{number}"
            await crowd.create(name)
            ready = await crowd.until(crowd.ready, [name], _PATIENCE)
            found.append(_provisioning(crowd.statuses[name][-1], ready - crowd.asked[name]))
    return _rows(found[0], found[1:])


def _provisioning(status: Body, watched: float) -> Provisioning:
    record = status["provisioning"]
    steps = {step["name"]: float(step["seconds"]) for step in record["steps"]}
    return Provisioning(watched, float(record["seconds"]), steps)


def _rows(first: Provisioning, found: list[Provisioning]) -> list[Row]:
    watched = Figure.of((one.watched for one in found), "s")
    start = Figure.of((one.start for one in found), "s")
    share = Figure.of((one.share for one in found), "s")
    worst = Figure.of([max(one.share for one in found)], "s")
    return [
        Row("P1", "wish → Available, with real drivers", watched, f"the runtime's own start: {start}", watched / start),
        Row("P2", "the operator's share, median", share, _steps(found), None, at_most(_PROMISED_SHARE, share)),
        Row("P3", "the operator's share, largest", worst, "", None, at_most(_PROMISED_SHARE, worst)),
        Row(
            "P4", "the first instance of an operator", f"{short(first.watched)} s", f"its share: {short(first.share)} s"
        ),
    ]


def _steps(found: list[Provisioning]) -> str:
    """What the share consists of, as far as the status tells."""
    names = [name for name in found[0].steps if name != _START_RUNTIME]
    spent = {name: Figure.of(one.steps.get(name, 0.0) for one in found).median for name in names}
    return ", ".join(f"{name} {1000 * seconds:.0f} ms" for name, seconds in spent.items())
