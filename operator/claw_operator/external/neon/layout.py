"""Where at Neon each instance's database is: what differs between a branch and a project per instance."""

from collections.abc import Sequence
from typing import Any, Protocol

from claw_operator.external import DesiredDatabase, Owner
from claw_operator.external.neon.database import NeonDatabase
from claw_operator.external.neon.options import NeonOptions
from claw_operator.external.neon.sizes import compute_units
from claw_operator.external.neon.writer import Writer

_REGIONS = ("aws-", "azure-", "gcp-")
"""How Neon's regions begin. An instance names one region, and it may be one that only the compute's provider has."""


class Layout(Protocol):
    """Finds, makes, renames and removes databases. `task` is what is being done, in words, for errors."""

    async def of(self, owner: Owner, max_age: float = 0.0) -> list[NeonDatabase]:
        """Everything that bears the owner's mark. Raises ExternalError when that cannot be known for certain."""
        ...

    async def all(self) -> Sequence[NeonDatabase]:
        """Everything that bears an owner mark, complete. Raises ExternalError when it may not be."""
        ...

    async def make(self, desired: DesiredDatabase, task: str) -> NeonDatabase:
        """Make it, or adopt what an earlier, lost call made. Raises NameTaken."""
        ...

    async def single(self, owner: Owner, task: str) -> NeonDatabase | None:
        """The owner's database. Where a second one can be made by mistake, it is removed."""
        ...

    async def rename(self, database: NeonDatabase, name: str, task: str) -> NeonDatabase:
        """Give it another name."""
        ...

    async def allot(self, database: NeonDatabase, desired: DesiredDatabase, task: str) -> NeonDatabase:
        """Change what the desired size means for the project, where that is the instance's own."""
        ...

    async def remove(self, owner: Owner, task: str) -> None:
        """Remove everything that bears the owner's mark. Raises Rejected for what must not be removed."""
        ...

    def wrote(self, database: NeonDatabase) -> NeonDatabase:
        """It was changed by us, and this is how it is now."""
        ...

    def writer(self, project: str) -> Writer:
        """The one writer of a Neon project."""
        ...

    async def aclose(self) -> None:
        """End what is under way."""
        ...


def region_of(desired: DesiredDatabase, options: NeonOptions) -> str | None:
    """Where a project is made; None: where Neon likes."""
    wished = desired.region
    return wished if wished is not None and wished.startswith(_REGIONS) else options.region


def endpoint_limits(desired: DesiredDatabase) -> dict[str, float]:
    """How large an endpoint may become, in the words of Neon's API."""
    least, most = compute_units(desired.cpu_millis)
    return {"autoscaling_limit_min_cu": least, "autoscaling_limit_max_cu": most}


def endpoint_settings(desired: DesiredDatabase, options: NeonOptions) -> dict[str, Any]:
    """How large an endpoint may become and when it sleeps, in the words of Neon's API."""
    settings: dict[str, Any] = {**endpoint_limits(desired)}
    if options.suspend_timeout_seconds is not None:  # the Free plan refuses any value, even its own
        settings["suspend_timeout_seconds"] = options.suspend_timeout_seconds
    return settings
