"""What a simulated Railway holds. Records change in place; nothing here does I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

Json = dict[str, Any]

DEFAULT_SETTINGS: Mapping[str, Any] = {
    "builder": "RAILPACK",
    "numReplicas": 1,
    "restartPolicyType": "ON_FAILURE",
    "restartPolicyMaxRetries": 10,
    "region": "us-west2",
    "sleepApplication": False,
    "healthcheckPath": None,
    "healthcheckTimeout": None,
}
"""Of a service that nobody has configured, by the names of ServiceInstanceUpdateInput."""


class Status(StrEnum):
    """What a deployment is doing: all thirteen."""

    BUILDING = "BUILDING"
    CRASHED = "CRASHED"
    DEPLOYING = "DEPLOYING"
    FAILED = "FAILED"
    INITIALIZING = "INITIALIZING"
    NEEDS_APPROVAL = "NEEDS_APPROVAL"
    QUEUED = "QUEUED"
    REMOVED = "REMOVED"
    REMOVING = "REMOVING"
    SKIPPED = "SKIPPED"
    SLEEPING = "SLEEPING"
    SUCCESS = "SUCCESS"
    WAITING = "WAITING"

    @property
    def is_under_way(self) -> bool:
        """Whether it may still become SUCCESS."""
        return self in _UNDER_WAY

    @property
    def is_live(self) -> bool:
        """Whether it was switched to and not yet away from."""
        return self in _LIVE


_UNDER_WAY = {
    Status.INITIALIZING,
    Status.QUEUED,
    Status.WAITING,
    Status.NEEDS_APPROVAL,
    Status.BUILDING,
    Status.DEPLOYING,
}
_LIVE = {Status.SUCCESS, Status.SLEEPING, Status.CRASHED}


@dataclass(kw_only=True)
class Record:
    """Something with an id that is made and deleted."""

    id: str
    sequence: int
    """In which order things were made: the order of every list."""
    created_at: datetime
    born: float
    """When it was made, on the monotonic clock."""
    deleted_at: datetime | None = None
    died: float | None = None

    @property
    def exists(self) -> bool:
        """Whether it was not deleted."""
        return self.died is None


@dataclass(kw_only=True)
class Project(Record):
    """What services and environments belong to."""

    name: str
    workspace_id: str


@dataclass(kw_only=True)
class Environment(Record):
    """Where the services of a project run. Its services see each other."""

    project_id: str
    name: str
    shared: dict[str, str] = field(default_factory=dict)
    """Variables of all its services."""


@dataclass(kw_only=True)
class Service(Record):
    """A service of a project; what it is in an environment is its Instance."""

    project_id: str
    name: str
    icon: str | None = None


@dataclass(kw_only=True)
class Instance(Record):
    """A service in one environment: what will be deployed next."""

    service: Service
    environment_id: str
    settings: Json
    """By the names of ServiceInstanceUpdateInput, without source and registry credentials."""
    source: dict[str, str | None]
    """`image`, or `repo` and `branch`."""
    registry: dict[str, str] | None = None
    """Written, never read back."""
    variables: dict[str, str] = field(default_factory=dict)
    sealed: frozenset[str] = frozenset()
    """Names of variables that nobody can read back."""
    limits: Json | None = None
    """`cpu` and `memoryBytes`, where the service has its own."""
    changed_at: datetime


@dataclass(kw_only=True)
class ServiceDomain(Record):
    """A domain that Railway gave to a service."""

    service_id: str
    environment_id: str
    domain: str
    suffix: str
    target_port: int | None = None


@dataclass(kw_only=True)
class CustomDomain(Record):
    """A customer's own domain. It serves once its owner has set the DNS record."""

    service_id: str
    environment_id: str
    domain: str
    target_port: int | None = None
    verified: bool = False


@dataclass(kw_only=True)
class Deployment(Record):
    """One deployment: the settings as they were when it was asked for, and what became of it."""

    service_id: str
    environment_id: str
    settings: Json
    source: dict[str, str | None]
    registry: dict[str, str] | None
    variables: dict[str, str]
    status: Status = Status.INITIALIZING
    status_at: datetime
    stopped: bool = False
    """Whether its process ended by itself and without an error."""
    replicas: str | None = None
    """The status of its one container; None while there is none."""
    build_log: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class Volume(Record):
    """A disk of a service."""

    project_id: str
    environment_id: str | None
    service_id: str | None
    name: str
    mount_path: str
    region: str | None
