"""Everything there is, and the questions that are asked of it."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from random import Random

from claw_dev.simulators.neon.ids import Ids
from claw_dev.simulators.neon.problems import missing
from claw_dev.simulators.neon.records import Branch, Endpoint, Operation, Project
from claw_dev.simulators.neon.shelf import Shelf

READ_WRITE = "read_write"


@dataclass(frozen=True)
class PlanLimits:
    """What the organisation's plan includes. The defaults are those of Scale."""

    projects: int = 1000
    branches: int = 5000
    """In one project."""
    root_branches: int = 25
    protected_branches: int = 5
    active_computes: int = 20
    """At the same time in one project; the default branch's does not count."""
    may_choose_suspend_timeout: bool = True
    """The Free plan refuses every value."""


class World:
    """The organisations' projects, branches, endpoints and operations."""

    def __init__(
        self,
        *,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
        random: Random,
        read_lag: float,
        limits: PlanLimits,
    ) -> None:
        self.clock = clock
        self.monotonic = monotonic
        self.limits = limits
        self.ids = Ids(random)
        self.projects: Shelf[Project] = Shelf(monotonic, read_lag)
        self.branches: Shelf[Branch] = Shelf(monotonic, read_lag)
        self.endpoints: Shelf[Endpoint] = Shelf(monotonic, read_lag)
        self.operations: dict[str, Operation] = {}
        self.tallies: Counter[str] = Counter()
        """How often something was made or removed: `branches created`, `passwords reset`."""
        self.unavailable_projects: set[str] = set()
        """Projects that lists can only name."""

    def catch_up(self) -> None:
        """Let reads see everything as it is now: what was there before anybody looked."""
        self.projects.catch_up()
        self.branches.catch_up()
        self.endpoints.catch_up()

    def project(self, project_id: str) -> Project:
        """The project. Raises NeonProblem 404."""
        project = self.projects.now(project_id)
        if project is None:
            raise missing("project")
        return project

    def branch(self, project_id: str, branch_id: str) -> Branch:
        """The branch. Raises NeonProblem 404."""
        branch = self.branches.now(branch_id)
        if branch is None or branch.project_id != project_id:
            raise missing("branch")
        return branch

    def endpoint(self, project_id: str, endpoint_id: str) -> Endpoint:
        """The endpoint. Raises NeonProblem 404."""
        endpoint = self.endpoints.now(endpoint_id)
        if endpoint is None or endpoint.project_id != project_id:
            raise missing("endpoint")
        return endpoint

    def branches_of(self, project_id: str) -> list[Branch]:
        """All branches of the project, the oldest first."""
        return [branch for branch in self.branches.all_now() if branch.project_id == project_id]

    def default_branch(self, project_id: str) -> Branch:
        """The branch that is meant when none is named."""
        return next(branch for branch in self.branches_of(project_id) if branch.default)

    def endpoints_of(self, branch_id: str) -> list[Endpoint]:
        """All endpoints of the branch, the oldest first."""
        return [endpoint for endpoint in self.endpoints.all_now() if endpoint.branch_id == branch_id]

    def writer_of(self, branch_id: str) -> Endpoint | None:
        """The branch's read-write endpoint."""
        return next((endpoint for endpoint in self.endpoints_of(branch_id) if endpoint.type == READ_WRITE), None)

    def operations_of(self, project_id: str) -> list[Operation]:
        """All operations of the project, the newest first."""
        return [operation for operation in reversed(self.operations.values()) if operation.project_id == project_id]

    def is_asleep(self, endpoint: Endpoint) -> bool:
        """Whether an active endpoint has fallen asleep by itself meanwhile."""
        return endpoint.awake_until is not None and endpoint.awake_until <= self.monotonic()

    def awake(self, project_id: str) -> Iterator[Endpoint]:
        """Endpoints that count as active computes."""
        default = self.default_branch(project_id).id
        for endpoint in self.endpoints.all_now():
            if endpoint.project_id != project_id or endpoint.branch_id == default:
                continue
            is_active = endpoint.state == "active" and not self.is_asleep(endpoint)
            if is_active or endpoint.pending_state == "active":
                yield endpoint
