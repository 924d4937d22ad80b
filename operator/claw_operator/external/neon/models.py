"""What Neon answers, as far as it is used here.

Unknown fields are ignored and every state is free text: Neon adds fields, operations and states without notice, and a
branch that was made must not be lost because an answer about it holds a new word. Values never show in a validation
error, since a password may be among them.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class _Tolerant(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


class Problem(_Tolerant):
    """Neon's error body. The status decides; the code is a hint and may be empty."""

    code: str = ""
    message: str = ""


class Branch(_Tolerant):
    """A branch. One without a parent is a root branch."""

    id: str
    name: str
    project_id: str = ""
    parent_id: str | None = None
    current_state: str = ""
    pending_state: str | None = None
    default: bool = False
    protected: bool = False
    logical_size: int | None = None
    """Bytes; unknown until Neon has measured them."""
    created_at: datetime | None = None


class Endpoint(_Tolerant):
    """The compute of a branch, and the host under which the branch is reached."""

    id: str
    branch_id: str
    host: str = ""
    type: str = "read_write"
    disabled: bool = False
    """Nobody is let in, and no connection wakes it."""
    autoscaling_limit_min_cu: float | None = None
    autoscaling_limit_max_cu: float | None = None


class Operation(_Tolerant):
    """Something that Neon does after it has answered."""

    id: str
    action: str = ""
    status: str = ""
    branch_id: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def has_succeeded(self) -> bool:
        """Whether it is over, and well."""
        return self.status in ("finished", "skipped")

    @property
    def has_failed(self) -> bool:
        """Whether it is over, and not well. Every state that is not known means: still under way."""
        return self.status in ("failed", "error", "cancelled")

    @property
    def has_ended(self) -> bool:
        """Whether it is over."""
        return self.has_succeeded or self.has_failed


class Role(_Tolerant):
    """A role of a branch. The password is only told when it was just set, or is asked for by name."""

    name: str
    password: str | None = Field(default=None, repr=False)
    protected: bool = False
    """Neon's own, which nobody logs in with."""


class Database(_Tolerant):
    """A database of a branch."""

    name: str


class Quota(_Tolerant):
    """What a project may use."""

    logical_size_bytes: int | None = None


class ProjectSettings(_Tolerant):
    """A project's settings."""

    quota: Quota | None = None


class Project(_Tolerant):
    """A project. Its name need not be unique."""

    id: str
    name: str
    region_id: str = ""
    synthetic_storage_size: int | None = None
    """Bytes of data and history together."""
    store_passwords: bool = True
    """Whether Neon can tell a password again."""
    settings: ProjectSettings | None = None
    created_at: datetime | None = None

    @property
    def quota_bytes(self) -> int | None:
        """How large its data may become; None where Neon does not say."""
        quota = self.settings.quota if self.settings is not None else None
        return quota.logical_size_bytes if quota is not None else None


class Annotation(_Tolerant):
    """What was written onto a branch when it was made. It cannot be changed later."""

    value: Mapping[str, Any] = {}


class Written(_Tolerant):
    """The answer to any write: what Neon goes on doing."""

    operations: tuple[Operation, ...] = ()


class BranchWritten(Written):
    """A branch that was made, renamed or deleted."""

    branch: Branch
    endpoints: tuple[Endpoint, ...] = ()


class EndpointWritten(Written):
    """An endpoint that was made or changed."""

    endpoint: Endpoint


class RoleWritten(Written):
    """A role with its new password."""

    role: Role


class ProjectWritten(Written):
    """A project that was made, renamed or deleted; one that was made comes with its branch and endpoint."""

    project: Project
    branch: Branch | None = None
    endpoints: tuple[Endpoint, ...] = ()


class NextPage(_Tolerant):
    """Where a list goes on. Branches say `next`, everything else says `cursor`."""

    next: str | None = None
    cursor: str | None = None


class BranchPage(_Tolerant):
    """Some of a project's branches, with the annotations by branch id."""

    branches: tuple[Branch, ...]
    annotations: Mapping[str, Annotation] = {}
    pagination: NextPage | None = None


class ProjectPage(_Tolerant):
    """Some of an account's projects."""

    projects: tuple[Project, ...]
    unavailable_project_ids: tuple[str, ...] = ()
    """Projects that exist and were not read in time: the list is not complete."""
    pagination: NextPage | None = None


class OperationPage(_Tolerant):
    """A project's operations, the newest first."""

    operations: tuple[Operation, ...]


class OneProject(_Tolerant):
    """One project that was asked for by its id."""

    project: Project


class RoleList(_Tolerant):
    """All roles of a branch."""

    roles: tuple[Role, ...]


class DatabaseList(_Tolerant):
    """All databases of a branch."""

    databases: tuple[Database, ...]


class OneOperation(_Tolerant):
    """One operation that was asked for by its id."""

    operation: Operation


class EndpointList(_Tolerant):
    """All endpoints of a project or of a branch; this list has no pages."""

    endpoints: tuple[Endpoint, ...]


class ConnectionUri(_Tolerant):
    """How to reach a database, with whatever password Neon knows."""

    uri: str = Field(repr=False)
