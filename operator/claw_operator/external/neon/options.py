"""What the Neon driver is told by whoever sets it up."""

from dataclasses import dataclass, field
from enum import StrEnum


class Isolation(StrEnum):
    """What keeps one customer's data apart from the next one's."""

    BRANCH = "branch"
    """A branch per customer, all of them in one Neon project."""
    PROJECT = "project"
    """A Neon project per customer: quota, region and history of its own. Neon itself advises this."""


@dataclass(frozen=True)
class NeonOptions:
    """Where Neon is, and how databases are made there. The key shows in no repr."""

    key: str = field(repr=False)
    url: str = "https://console.neon.tech/api/v2"
    isolation: Isolation = Isolation.BRANCH
    project_id: str | None = None
    """The project of all branches; `isolation: branch` needs it, and the other one does not use it."""
    parent_branch: str | None = None
    """Id or name of the template that branches are copies of; None: the project's default branch. It has to be empty:
    a branch begins with all rows, roles and passwords of its parent."""
    role: str = "neondb_owner"
    database: str = "neondb"
    org_id: str | None = None
    """Needed for `isolation: project` with a personal key; an organisation's key implies it."""
    region: str | None = None
    """Where projects are made unless the instance says otherwise, for example `aws-eu-central-1`."""
    suspend_timeout_seconds: int | None = None
    """Idle time until a database sleeps. None: Neon's default; the Free plan refuses every other value."""
    poll_seconds: float = 0.5
    """How soon an operation of unknown length is worth a look."""
    settle_seconds: float = 15.0
    """How long reads may lag behind writes."""
    locked_pause_seconds: tuple[float, float] = (1.0, 5.0)
    """Shortest and longest wait before a request is repeated that came while the project was busy (423)."""
    patience_seconds: float = 60.0
    """How long one write waits for its turn, and then for the project to be free of operations of others."""
    operations_seconds: float = 300.0
    """How long the operations of one write may take."""
    page_size: int = 400
    """How many branches or projects are asked for at once; 400 is what Neon gives of projects."""
