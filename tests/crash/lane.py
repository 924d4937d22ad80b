"""One world of its own: a namespace, simulated providers, a gate, an operator; and the instances that live in it."""

import asyncio
import json
import secrets
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from claw_dev.cluster import ControlPlane
from claw_dev.errors import StackError
from claw_dev.kubeconfig import Kubeconfig
from claw_dev.processes import Processes
from tests.crash.calls import Call, Neighbour, Point
from tests.crash.cluster import Cluster, cluster
from tests.crash.gate import Gate, Moment, Strike, gate
from tests.crash.operators import OperatorProcess
from tests.crash.outside import Outside, outside
from tests.crash.phases import PHASES, Phase, plans
from tests.eventually import eventually

Picture = dict[str, Any]

_PATIENCE = 45.0
"""Seconds after which an instance is stuck: some backoffs, and the time for which providers' reads may lag."""
_QUIET = 0.4
"""Seconds without a write after which none is taken to come, where the world already is as it should be."""
_SETTLED = 3.0
"""The same, where nobody knows yet what it should be. Longer than any poll of what is under way."""
_COMPARED = 15.0
"""Seconds in which the world outside becomes what the instance's status says."""

_WATCHES = Call(Neighbour.KUBERNETES, "WATCH clawinstances", changes=False)


@dataclass(frozen=True)
class Ended:
    """What a wish has led to."""

    picture: Picture
    made: Counter[str]
    """How many creates and deletes it took, by kind of resource."""


class Stuck(Exception):
    """The wish does not come true. Says what there is instead."""


class Lane:
    """Made by `lane`."""

    def __init__(self, cluster: Cluster, outside: Outside, gate: Gate, operators: Sequence[OperatorProcess]) -> None:
        self.gate = gate
        self._cluster = cluster
        self._outside = outside
        self._operators = operators
        self._uids: dict[str, str] = {}
        self._ready_for: dict[str, list[str]] = {phase.name: [] for phase in PHASES}

    async def start(self) -> None:
        """Begin the operators' lives; returns when they watch, which is a little later than they answer probes."""
        await asyncio.gather(*map(_started, self._operators))
        try:
            await eventually(lambda: self.gate.calls.count(_WATCHES) >= len(self._operators), _PATIENCE)
        except AssertionError as error:
            raise Stuck(f"they do not watch, and say:\n{self._last_words()}") from error

    async def start_again(self, point: Point | None = None) -> bool:
        """Kill the operators and start them again, one answer lost on the way; returns whether it came to that."""
        for operator in self._operators:
            operator.kill()
        strike = Strike(point, Moment.LOST, kill=lambda: None) if point else None
        self.gate.listen(strike)
        await self.start()
        return strike is not None and strike.made

    async def undisturbed(self, phase: Phase, names: Sequence[str]) -> Ended:
        """Let a wish come true for these instances, all together. The picture is that of the first one."""
        before = self._outside.counts()
        await asyncio.gather(*(self._wish(phase, name) for name in names))
        for name in names:
            await self._until(self._fulfilled(phase, name), name)
        return await self._ended(names[0], before, quiet=_SETTLED)

    async def disturbed(self, phase: Phase, name: str, point: Point, moment: Moment, expected: Picture) -> Ended | None:
        """Let a wish come true in spite of one strike. None when the point was never met. Raises Stuck."""
        (operator,) = self._operators
        strike = Strike(point, moment, operator.kill)
        before = self._outside.counts()
        self.gate.listen(strike)
        await self._wish(phase, name)
        fulfilled, as_expected = self._fulfilled(phase, name), self._as(expected, name)

        async def struck_or_over() -> bool:
            return strike.made or (await as_expected() and self.gate.quiet_seconds() > _QUIET)

        await self._until(struck_or_over, name)
        if strike.made and moment is not Moment.LOST:
            await _started(operator)
        self.gate.listen()
        await self._until(fulfilled, name)
        await self._come_to(as_expected)
        ended = await self._ended(name, before, quiet=_QUIET)
        return ended if strike.made else None

    async def take(self, phase: Phase, count: int) -> list[str]:
        """So many instances that have lived up to the phase. Those that are missing do so now, all together."""
        waiting = self._ready_for[phase.name]
        missing = [f"i-{secrets.token_hex(3)}" for _ in range(count - len(waiting))]
        for earlier in PHASES[: PHASES.index(phase)]:
            if missing:
                await self.undisturbed(earlier, missing)
        taken = [*waiting, *missing][:count]
        self._ready_for[phase.name] = waiting[count:]
        return taken

    def give_back(self, phase: Phase, name: str) -> None:
        """The instance went well through the phase: the next one may have it."""
        following = PHASES[PHASES.index(phase) + 1 :]
        if following:
            self._ready_for[following[0].name].append(name)

    async def come_to(self, expected: Picture, names: Sequence[str]) -> dict[str, Picture]:
        """Give them time to look so, all at the same moment and with nobody writing; returns how they look then."""
        found: dict[str, Picture] = {}

        async def all_as_expected() -> bool:
            found.update({name: await self.picture(name) for name in names})
            return self.gate.quiet_seconds() > _SETTLED and all(picture == expected for picture in found.values())

        await self._come_to(all_as_expected, _PATIENCE)
        return found

    async def picture(self, name: str) -> Picture:
        """Everything that there is of the instance, here and outside."""
        instance = await self._cluster.instance(name)
        if instance is not None:
            self._uids[name] = instance["metadata"]["uid"]
        return await self._cluster.picture(name) | {"outside": self._outside.picture(self._uids[name])}

    async def strangers(self) -> list[str]:
        """What there is outside of instances that no longer exist, or never did."""
        alive = {uid for name, uid in self._uids.items() if await self._cluster.instance(name) is not None}
        return self._outside.strangers(alive)

    def went_round_the_gate(self) -> Counter[Neighbour]:
        """Writes that the providers know of and the gate does not. One would be a write that is never struck."""
        return self._outside.writes() - self.gate.writes

    async def _wish(self, phase: Phase, name: str) -> None:
        await phase.wish(self._cluster, name)
        await self.picture(name)  # notes the UID, while there is an instance to ask

    def _fulfilled(self, phase: Phase, name: str) -> Callable[[], Awaitable[bool]]:
        async def fulfilled() -> bool:
            return phase.is_fulfilled(await self._cluster.instance(name))

        return fulfilled

    def _as(self, expected: Picture, name: str) -> Callable[[], Awaitable[bool]]:
        async def as_expected() -> bool:
            return await self.picture(name) == expected

        return as_expected

    async def _until(self, predicate: Callable[[], Awaitable[bool]], name: str) -> None:
        async def describe() -> str:
            instance = await self._cluster.instance(name)
            status = json.dumps((instance or {}).get("status", {}), indent=1)
            calls = "\n".join(str(call) for call in self.gate.calls[-30:])
            return f"{name}: {status}\nlast calls:\n{calls}\noperator:\n{self._last_words()}"

        try:
            await eventually(predicate, _PATIENCE, describe)
        except AssertionError as error:
            raise Stuck(str(error)) from error

    def _last_words(self) -> str:
        return "\n".join(operator.last_words() for operator in self._operators)

    async def _come_to(self, predicate: Callable[[], Awaitable[bool]], seconds: float = _COMPARED) -> None:
        try:
            await eventually(predicate, seconds)
        except AssertionError:
            return  # whoever compares says what is different

    async def _ended(self, name: str, before: Counter[str], *, quiet: float) -> Ended:
        await eventually(lambda: self.gate.quiet_seconds() > quiet, _PATIENCE)
        return Ended(await self.picture(name), self._outside.counts() - before)


@asynccontextmanager
async def lane(
    name: str, control_plane: ControlPlane, processes: Processes, directory: Path, *, operators: int = 1
) -> AsyncIterator[Lane]:
    """An empty world in which the operators run."""
    namespace = f"crash-{name}-{secrets.token_hex(3)}"
    await control_plane.kubectl.run("create", "namespace", namespace)
    await control_plane.kubectl.apply(plans())
    tls = ssl.create_default_context(cafile=control_plane.ca_file)
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        around = await enter(outside())
        passing = await enter(gate(control_plane.url, tls, railway=around.railway_url, neon=around.neon_url))
        kubeconfig = Kubeconfig(passing.url, None, control_plane.admin_token, namespace)
        environment = {
            **around.environment,
            "KUBECONFIG": str(kubeconfig.write(directory / f"{namespace}.kubeconfig")),
            "CLAW_NAMESPACE": namespace,
            "HTTP_PROXY": passing.url,
            "NO_PROXY": "",
            "no_proxy": "",
        }
        running = [OperatorProcess(processes, f"{namespace}-{number}", environment) for number in range(operators)]
        for operator in running:
            stack.push_async_callback(operator.stop)
        made = Lane(await enter(cluster(control_plane, namespace)), around, passing, running)
        await made.start()
        yield made
    await control_plane.kubectl.run("delete", "namespace", namespace, "--wait=false")


async def _started(operator: OperatorProcess) -> None:
    try:
        await operator.start()
    except StackError as error:
        raise Stuck(f"{error}\n{error.hint}") from error
