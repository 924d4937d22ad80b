"""One instance's database at Neon: where it is and how it is. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime

from claw_operator.external import DatabaseSize, Marked, ObservedDatabase, Owner
from claw_operator.external.neon.models import Branch, Endpoint
from claw_operator.external.neon.names import archived_until
from claw_operator.external.neon.sizes import wishes

MARK = "claw.dev/owner"
"""The annotation that holds the owner mark."""

_NOT_YET = ("init", "resetting")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class NeonDatabase:
    """A branch with its endpoint, and whose it is."""

    id: str
    """What the loop is told: the branch's id, or the project's where a project is the database."""
    name: str
    """The branch's, or the project's."""
    mark: str
    project_id: str
    branch: Branch
    endpoint: Endpoint | None
    created_at: datetime = EPOCH
    size_bytes: int | None = None
    quota_bytes: int | None = None
    """How large the data may become; None where the project is everybody's."""

    @property
    def is_archived(self) -> bool:
        """Whether only its data is kept."""
        return archived_until(self.name) is not None

    @property
    def is_open(self) -> bool:
        """Whether its role is let in."""
        return not self.is_archived and self.endpoint is not None and not self.endpoint.disabled

    @property
    def is_being_made(self) -> bool:
        """Whether Neon is still at it. A state that nobody knows yet is taken for a good one."""
        return self.branch.current_state in _NOT_YET

    @property
    def observed(self) -> ObservedDatabase:
        """What the loop is told."""
        obstacle = self._obstacle
        return ObservedDatabase(
            id=self.id,
            host=self.endpoint.host if self.endpoint is not None else "",
            ready=not obstacle,
            message=obstacle,
            size_bytes=self.size_bytes,
            suspended=not self.is_open,
            size=self.size,
        )

    @property
    def size(self) -> DatabaseSize | None:
        """What it may use; None while it has no endpoint."""
        least = self.endpoint.autoscaling_limit_min_cu if self.endpoint is not None else None
        most = self.endpoint.autoscaling_limit_max_cu if self.endpoint is not None else None
        return None if least is None or most is None else DatabaseSize(wishes(least, most), self.quota_bytes)

    @property
    def marked(self) -> Marked | None:
        """What the sweep is told; None when nobody owns it."""
        owner = Owner.of_mark(self.mark)
        return None if owner is None else Marked(owner, self.id, archived_until(self.name))

    @property
    def _obstacle(self) -> str:
        if self.is_archived:
            return "The database is archived."
        if self.endpoint is None:
            return "The database has no compute endpoint; it gets one when it is resumed."
        if self.endpoint.disabled:
            return "The database is suspended."
        return "The database is being made." if self.is_being_made else ""


def of_branch(branch: Branch, mark: str, project: str, endpoint: Endpoint | None) -> NeonDatabase:
    """The database that a branch is."""
    return NeonDatabase(
        id=branch.id,
        name=branch.name,
        mark=mark,
        project_id=project,
        branch=branch,
        endpoint=endpoint,
        created_at=branch.created_at or EPOCH,
        size_bytes=branch.logical_size,
    )


def ready(branch: Branch) -> Branch:
    """The branch after its operations have finished: it is what it was about to be."""
    return branch.model_copy(update={"current_state": branch.pending_state or "ready", "pending_state": None})


def read_write(endpoints: tuple[Endpoint, ...], branch: str) -> Endpoint | None:
    """The one endpoint through which the branch is written; a branch may have others that only read."""
    found = (one for one in endpoints if one.branch_id == branch and one.type == "read_write")
    return next(found, None)


def chosen(databases: list[NeonDatabase], owner: Owner) -> NeonDatabase | None:
    """The one that counts if several bear the same mark: by its right name, then the oldest."""
    return min(databases, key=lambda one: (one.name != owner.external_name, one.created_at, one.id), default=None)
