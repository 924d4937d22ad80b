"""What an instance waited for: every write at the simulated providers, and the deployment, drawn over time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from claw_dev.clouds import SimulatedClouds

_WIDTH = 24
_READABLE = {
    "createProjectBranch": "branch with compute",
    "resetProjectBranchRolePassword": "new password",
    "CreateService": "empty service",
    "CreateServiceDomain": "domain",
    "WriteSettings": "variables, source, limits",
    "Deploy": "deployment is asked for",
}


@dataclass(frozen=True)
class Span:
    """Something that took time. `start` in seconds since the first call."""

    provider: str
    what: str
    start: float
    seconds: float


@dataclass(frozen=True)
class CriticalPath:
    """From the wish to Available."""

    spans: Sequence[Span]
    total: float
    reads: int
    """Calls that only looked."""

    def draw(self, console: Console) -> None:
        """A table with a bar for each span."""
        table = Table(title="What it waited for", title_justify="left", box=None, padding=(0, 2, 0, 0))
        table.add_column("")
        table.add_column("")
        table.add_column("from", justify="right")
        table.add_column("seconds", justify="right")
        table.add_column("")
        for span in self.spans:
            table.add_row(span.provider, span.what, f"{span.start:.1f}", f"{span.seconds:.1f}", self._bar(span))
        console.print()
        console.print(table)
        console.print(f"Available after {self.total:.1f} s, with {len(self.spans) - 1} writes and {self.reads} reads.")

    def _bar(self, span: Span) -> str:
        scale = _WIDTH / self.total
        before = min(int(span.start * scale), _WIDTH - 1)
        return " " * before + "█" * max(min(round(span.seconds * scale), _WIDTH - before), 1)


async def critical_path(clouds: SimulatedClouds, http: httpx.AsyncClient, status: dict[str, Any]) -> CriticalPath:
    """That of the first instance of a stack, from the simulators' logs and the instance's own status."""
    provisioning = status["provisioning"]
    ready = datetime.fromisoformat(provisioning["readyAt"])
    total = float(provisioning["seconds"])
    calls = [
        (provider, call, bool(call.get("writes", call.get("method", "GET") != "GET")))
        for provider, url in (("Neon", clouds.neon_url), ("Railway", clouds.railway_url))
        for call in (await http.get(f"{url}/_sim/calls")).json()["calls"]
        if datetime.fromisoformat(call["at"]) <= ready
    ]
    # The status keeps whole seconds only, so everything is told from the first call on.
    began = min((datetime.fromisoformat(call["at"]) for _, call, _ in calls), default=ready)
    spans = [
        Span(
            provider,
            _READABLE.get(call["operation"], call["operation"]),
            (datetime.fromisoformat(call["at"]) - began).total_seconds(),
            call["seconds"],
        )
        for provider, call, writes in calls
        if writes
    ]
    spans.sort(key=lambda span: span.start)
    starting = next((float(s["seconds"]) for s in provisioning["steps"] if s["name"] == "StartRuntime"), 0.0)
    if spans:
        asked = spans[-1]
        deployed = Span("Railway", "deployment and start", asked.start + asked.seconds, starting)
        spans.append(deployed)
    return CriticalPath(spans, total, sum(not writes for _, _, writes in calls))
