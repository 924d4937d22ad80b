"""The providers around one lane, simulated in this process, and what each instance has of them."""

import re
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from claw_crds import naming
from claw_dev.simulators.neon.keys import Key
from claw_dev.simulators.neon.limits import RateLimits
from claw_dev.simulators.neon.simulator import NeonSimulator
from claw_dev.simulators.neon.world import PlanLimits
from claw_dev.simulators.railway.limits import Limits
from claw_dev.simulators.railway.simulator import RailwaySimulator
from tests.crash.calls import Neighbour

_RAILWAY_TOKEN = "railway-crash"
_NEON_KEY = "neon-crash"
_PLENTY = 100_000
"""Of whatever is limited. How limits are kept is shown elsewhere; here nobody is to meet one."""
_KINDS_OF_CHANGE = re.compile(r".*(created|deleted)")

Rows = dict[str, list[Any]]
"""By kind of resource."""


class Outside:
    """Made by `outside`."""

    def __init__(self, railway: RailwaySimulator, neon: NeonSimulator) -> None:
        self._railway = railway
        self._neon = neon

    @property
    def railway_url(self) -> str:
        """Where Railway's API answers."""
        return self._railway.url

    @property
    def neon_url(self) -> str:
        """Where Neon's API answers."""
        return self._neon.url

    @property
    def environment(self) -> Mapping[str, str]:
        """What an operator is told to work with them, in a hurry."""
        return {
            "CLAW_COMPUTE_DRIVER": "railway",
            "RAILWAY_API_URL": self.railway_url,
            "RAILWAY_TOKEN": _RAILWAY_TOKEN,
            "RAILWAY_PROJECT_ID": self._railway.project.id,
            "RAILWAY_ENVIRONMENT_ID": self._railway.environment.id,
            "RAILWAY_DOMAIN_SCHEME": "http",
            "RAILWAY_CALLS_PER_HOUR": str(_PLENTY),
            "RAILWAY_POLL_SECONDS": "0.1",
            "CLAWDBOT_IMAGE": "ghcr.io/claw/runtime:1",
            "CLAW_DATABASE_DRIVER": "neon",
            "NEON_API_URL": self.neon_url,
            "NEON_API_KEY": _NEON_KEY,
            "NEON_PROJECT_ID": self._neon.project_id,
            "NEON_CALLS_PER_MINUTE": str(_PLENTY),
            "ANTHROPIC_API_KEY": "sk-crash",
            "CLAW_SHUTDOWN_SECONDS": "2",
        }

    def counts(self) -> Counter[str]:
        """How many things of each kind were ever made and deleted."""
        railway = {
            f"{kind} {change}": number
            for kind, changes in self._railway.counts().items()
            for change, number in changes.items()
        }
        neon = {what: number for what, number in self._neon.counts().items() if _KINDS_OF_CHANGE.fullmatch(what)}
        return Counter(railway | neon)

    def writes(self) -> Counter[Neighbour]:
        """How often the providers were asked to change something, by their own records."""
        railway = sum(call.writes for call in self._railway.calls)
        return Counter({Neighbour.RAILWAY: railway, Neighbour.NEON: len(self._neon.calls.writes())})

    def picture(self, uid: str) -> Rows:
        """Everything that the instance has, without what is its own in every run: equal rows are equal things."""
        found: Rows = {"services": [], "branches": []}
        for kind, name, owner, facts in self._things():
            if uid in (owner, naming.uid_of(name)):
                found[kind].append(facts)
        return found

    def strangers(self, alive: Collection[str]) -> list[str]:
        """What belongs to none of these UIDs although it says that it is somebody's."""
        return [
            f"{kind}: {name}"
            for kind, name, owner, _ in self._things()
            if (owner or naming.uid_of(name)) not in (None, *alive)
        ]

    def _things(self) -> Iterator[tuple[str, str, str | None, Any]]:
        """Kind, name, owner's UID and facts of every service and every branch."""
        for project in self._railway.picture().values():
            for environment in project["environments"].values():
                for name, facts in environment["services"].items():
                    service = self._railway.services.get(name)
                    mark = service.variables.get("CLAW_OWNER", "") if service else ""
                    yield "services", name, _owner(mark), facts
        for project in self._neon.picture():
            for branch in project["branches"]:
                marks = [owner for value in branch["annotation"].values() if (owner := _owner(str(value)))]
                own = {"name": naming.uid_of(branch["name"]) is not None, "annotation": sorted(branch["annotation"])}
                yield "branches", branch["name"], next(iter(marks), None), branch | own


@asynccontextmanager
async def outside() -> AsyncIterator[Outside]:
    """A Railway and a Neon in which nothing was ever made. Both are quick; runtimes are stand-ins."""
    async with (
        RailwaySimulator(
            token=_RAILWAY_TOKEN, runtimes="stand-in", limits=Limits(per_hour=_PLENTY, per_second=_PLENTY)
        ) as railway,
        NeonSimulator(
            keys=[Key(_NEON_KEY)],
            plan=PlanLimits(active_computes=_PLENTY),
            rates=RateLimits(per_minute=_PLENTY, burst_per_second=_PLENTY),
        ) as neon,
    ):
        yield Outside(railway, neon)


def _owner(mark: str) -> str | None:
    """Whose UID an owner mark names."""
    parts = naming.parse_owner_mark(mark)
    return parts[2] if parts else None
