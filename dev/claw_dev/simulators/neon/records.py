"""What the organisation has. Frozen: every change is a new record, so that reads may lag behind writes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """Of an operation."""

    SCHEDULING = "scheduling"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"

    @property
    def is_final(self) -> bool:
        """Whether nothing comes after it."""
        return self in (Status.FINISHED, Status.FAILED, Status.CANCELLED, Status.SKIPPED)


@dataclass(frozen=True)
class Project:
    """A project. Its name need not be unique."""

    id: str
    name: str
    org_id: str
    region_id: str
    pg_version: int
    store_passwords: bool
    endpoint_settings: Mapping[str, Any]
    settings: Mapping[str, Any]
    history_retention_seconds: int
    created_at: datetime
    updated_at: datetime
    used: Mapping[str, int] = field(default_factory=dict)
    """What was used in this billing period, under the names of the quota."""

    @property
    def quota(self) -> Mapping[str, int]:
        """The limits of `settings.quota`; 0 is none."""
        return self.settings.get("quota") or {}

    @property
    def is_over_quota(self) -> bool:
        """Whether its computes are stopped until the period ends. The size of branches does not stop them."""
        return any(
            limit and self.used.get(name, 0) >= limit
            for name, limit in self.quota.items()
            if name != "logical_size_bytes"
        )


@dataclass(frozen=True)
class Role:
    """A role of one branch."""

    name: str
    created_at: datetime
    updated_at: datetime
    password: str = field(repr=False)
    """The one that was told last."""
    valid_password: str = field(repr=False)
    """The one that lets somebody in: the old one until the operation has finished."""


@dataclass(frozen=True)
class Database:
    """A database of one branch."""

    id: int
    name: str
    owner_name: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class Branch:
    """A branch with everything in it."""

    id: str
    project_id: str
    name: str
    parent_id: str | None
    default: bool
    protected: bool
    init_source: str
    annotation: Mapping[str, str] | None
    roles: Mapping[str, Role]
    databases: Mapping[str, Database]
    created_at: datetime
    updated_at: datetime
    state: str = "init"
    pending_state: str | None = "ready"
    logical_size: int | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True)
class Endpoint:
    """A compute of a branch."""

    id: str
    project_id: str
    branch_id: str
    type: str
    region_id: str
    min_cu: float
    max_cu: float
    suspend_timeout_seconds: int
    created_at: datetime
    updated_at: datetime
    name: str | None = None
    disabled: bool = False
    state: str = "init"
    pending_state: str | None = None
    pooler_enabled: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    awake_until: float | None = None
    """When it falls asleep, on the monotonic clock; None: never by itself."""


@dataclass(frozen=True)
class Operation:
    """Something that Neon does after it has answered."""

    id: str
    project_id: str
    action: str
    branch_id: str | None
    endpoint_id: str | None
    created_at: datetime
    updated_at: datetime
    status: Status = Status.SCHEDULING
    error: str | None = None
    failures_count: int = 0
    total_duration_ms: int = 0
