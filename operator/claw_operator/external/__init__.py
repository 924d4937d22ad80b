"""What the loop knows of the outside: Protocols, records and errors. No I/O.

An instance has a compute (a Railway service, a local process) and a database (a Neon branch, a PostgreSQL database).
Each is made by one driver. A driver finds its thing by the deterministic name in `Owner`, never by a remembered id
alone, and it alone knows what HTTP or SQL is. Every method is safe to repeat.

    ExternalError
    ├── Transient         timeouts, 5xx, lost connections: look again, with backoff
    │   └── RateLimited   the account is told to wait; `retry_after` seconds at least
    ├── Rejected          our request is wrong: nothing changes until the spec does
    │   └── NameTaken     the name exists and does not bear our owner mark
    └── Unauthorized      our token is wrong: nothing changes until a person does something
"""

import hashlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from claw_crds import naming
from claw_crds.configuration import RuntimeConfiguration, RuntimeReport


class ExternalError(Exception):
    """Something outside did not do as asked. The message is for the instance's owner: stable, without secrets."""


class Transient(ExternalError):
    """It may work next time. Says nothing about whether the request was carried out."""


class RateLimited(Transient):
    """The provider asks us to wait."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds; never shortened."""


class Rejected(ExternalError):
    """The provider understood and refuses. Repeating is pointless until the spec changes."""


class NameTaken(Rejected):
    """A thing of our name exists and is not ours. It is never adopted and never deleted."""


class Unauthorized(ExternalError):
    """The provider does not accept our token."""


@dataclass(frozen=True)
class Owner:
    """Whose thing it is."""

    namespace: str
    name: str
    uid: str
    fleet: str = ""
    """The UID of the operator's namespace. Two clusters may share a provider's account, and neither must take the
    other's things for orphans."""

    @property
    def external_name(self) -> str:
        """The name that the thing has outside: the idempotency key of its creation."""
        return naming.external_name(self.uid)

    @property
    def mark(self) -> str:
        """The owner mark to be written on the thing, and to be checked before it is adopted or deleted."""
        return naming.owner_mark(self.namespace, self.name, self.uid, self.fleet)

    @classmethod
    def of_mark(cls, mark: str) -> "Owner | None":
        """Whose thing bears the mark; None when it is no owner mark."""
        parts = naming.parse_owner_mark(mark)
        return None if parts is None else cls(*parts)


@dataclass(frozen=True)
class Marked:
    """Something outside that bears an owner mark of ours, whether or not its instance still exists."""

    owner: Owner
    id: str
    archived_until: datetime | None = None
    """Set when its instance was deleted and only its data is kept until then."""


@dataclass(frozen=True)
class DesiredDatabase:
    """The database as it should be."""

    owner: Owner
    storage_bytes: int
    region: str | None = None
    cpu_millis: int = 250
    """What its server may use at most, where the provider sizes it."""


@dataclass(frozen=True)
class ConnectionUrls:
    """How to open a database. Shows in no repr."""

    direct: str = field(repr=False)
    pooled: str | None = field(default=None, repr=False)
    """Through the provider's pooler, which keeps no session state: no LISTEN, no advisory locks."""


@dataclass(frozen=True)
class DatabaseSize:
    """What a database may use, as far as its driver can tell and change that."""

    cpu_millis: range
    """The wishes that are answered with this size. Providers have few sizes, and a wish gets the next larger one."""
    storage_bytes: int | None = None
    """Its quota, 0 for an unlimited one; None where it has none of its own."""


@dataclass(frozen=True)
class ObservedDatabase:
    """The database as it is."""

    id: str
    host: str
    ready: bool
    message: str = ""
    size_bytes: int | None = None
    suspended: bool = False
    """Nobody is let in, and it is meant so."""
    size: DatabaseSize | None = None
    """None where the driver cannot tell; then it is never resized."""

    def is_sized_for(self, desired: DesiredDatabase) -> bool:
        """Whether it has the size that it is to have, as far as that can be told."""
        if self.size is None:
            return True
        has_quota = self.size.storage_bytes in (None, self.quota_for(desired))
        return has_quota and desired.cpu_millis in self.size.cpu_millis

    def quota_for(self, desired: DesiredDatabase) -> int:
        """The quota that it is to have. It is not lowered below the data, or while nobody knows what that takes.

        At its quota a database refuses every write, also those that would make room: after a change to a smaller plan
        the assistant would be dead, and not only full.
        """
        has = self.size.storage_bytes if self.size is not None else None
        if has is None or 0 < has <= desired.storage_bytes:
            return desired.storage_bytes
        fits = self.size_bytes is not None and self.size_bytes <= desired.storage_bytes
        return desired.storage_bytes if fits else has


class DatabaseDriver(Protocol):
    """Makes one isolated database per instance."""

    name: str
    poll_seconds: float
    """How soon a change that is under way is worth another look."""

    async def observe(self, owner: Owner, *, max_age: float = 0.0) -> ObservedDatabase | None:
        """The database; None only if a complete answer lacks it. Raises ExternalError when that cannot be known.

        The answer may come from a reading of the whole fleet that is up to `max_age` seconds old, or up to
        `poll_seconds` if that is longer.
        """
        ...

    async def create(self, desired: DesiredDatabase) -> ObservedDatabase:
        """Make it, or adopt what an earlier, lost call made. Raises NameTaken for a stranger's."""
        ...

    async def issue_credentials(self, owner: Owner) -> ConnectionUrls:
        """Give the database's role a new password. The earlier one is void."""
        ...

    async def adjust(self, desired: DesiredDatabase) -> ObservedDatabase:
        """Give it the desired size, as far as the provider sizes databases. What is in it stays, whatever its size."""
        ...

    async def suspend(self, owner: Owner) -> ObservedDatabase:
        """Let nobody in until `resume`, so that it costs no compute."""
        ...

    async def resume(self, owner: Owner) -> ObservedDatabase:
        """Let its own role in again."""
        ...

    async def archive(self, owner: Owner, until: datetime) -> None:
        """Keep the data, marked with that moment, and let nobody in. Archiving again does not move the moment."""
        ...

    async def delete(self, owner: Owner) -> None:
        """Remove everything that bears the owner's name and mark. Gone already is success."""
        ...

    async def inventory(self) -> Sequence[Marked]:
        """Everything that bears an owner mark, complete. Raises ExternalError when it may not be complete."""
        ...

    async def aclose(self) -> None:
        """Let go of connections and tasks. What was made stays. Safe to repeat."""
        ...


class ComputeState(StrEnum):
    """What a compute is doing."""

    EMPTY = "Empty"
    """It exists and has an address; nothing was ever deployed."""
    DEPLOYING = "Deploying"
    RUNNING = "Running"
    CRASHED = "Crashed"
    """It ran, and stopped on its own."""
    FAILED = "Failed"
    """The deployment did not succeed. The same one may fail again, so it is tried again at long intervals."""
    STOPPED = "Stopped"
    """Its deployments were removed on purpose; the compute and its address are kept."""


@dataclass(frozen=True)
class Size:
    """What a compute may use."""

    cpu_millis: int
    memory_bytes: int


@dataclass(frozen=True)
class DesiredCompute:
    """The compute as it should be. `variables` is None until the database's URL is known."""

    owner: Owner
    size: Size
    image: str | None = None
    repository: str | None = None
    ref: str | None = None
    region: str | None = None
    sleep_when_idle: bool = False
    domain: str | None = None
    """A domain of the customer's own, beside the provider's."""
    variables: Mapping[str, str] | None = field(default=None, repr=False)

    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits of everything that needs a deployment to take effect."""
        source = (self.image, self.repository, self.ref, self.region, self.sleep_when_idle)
        facts = (source, dict(self.variables or {}))
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class ObservedDomain:
    """The customer's own domain as the provider sees it."""

    name: str
    records: tuple[str, ...] = ()
    """DNS records that its owner still has to set, each in words: `CNAME chat -> abc.up.railway.app`."""


@dataclass(frozen=True)
class Drift:
    """What somebody changed by hand."""

    what: str
    """In words, without values: `variable DATABASE_URL, replicas`."""
    needs_deployment: bool
    """Whether only a deployment puts it right."""


@dataclass(frozen=True)
class ObservedCompute:
    """The compute as it is."""

    id: str
    state: ComputeState
    url: str
    """Where the runtime answers or will answer, without a trailing slash."""
    fingerprint: str | None = None
    """That of the DesiredCompute which was last deployed; None when nothing was, or the settings have changed since."""
    size: Size | None = None
    """None where the driver cannot tell; then it is never resized."""
    deployment_id: str | None = None
    """Of the newest deployment. None while that began and its id is not known yet: then it is looked up."""
    message: str = ""
    """Why it crashed or failed: capped, redacted, stable."""
    drift: Drift | None = None
    domain: ObservedDomain | None = None
    asleep: bool | None = None
    """It is RUNNING, and the next request wakes it. Whoever can do without its answer lets it sleep. None: it never
    sleeps, whatever was wished, so asking costs nothing."""


class ComputeDriver(Protocol):
    """Makes one compute per instance and runs the runtime in it."""

    name: str
    poll_seconds: float

    async def observe(self, owner: Owner, *, max_age: float = 0.0) -> ObservedCompute | None:
        """The compute; None only if a complete answer lacks it. Raises ExternalError when that cannot be known.

        `max_age` is as for databases.
        """
        ...

    async def create(self, desired: DesiredCompute) -> ObservedCompute:
        """Make it empty, with its address, or adopt what an earlier, lost call made. Raises NameTaken."""
        ...

    async def deploy(self, desired: DesiredCompute) -> ObservedCompute:
        """Bring variables, source and size up to date and start the runtime anew."""
        ...

    async def adjust(self, desired: DesiredCompute) -> ObservedCompute:
        """Put right what needs no deployment: size, name, the customer's own domain."""
        ...

    async def suspend(self, owner: Owner) -> ObservedCompute:
        """Stop the runtime and keep everything else; `deploy` starts it again."""
        ...

    async def delete(self, owner: Owner) -> None:
        """Remove everything that bears the owner's name and mark. Gone already is success."""
        ...

    async def inventory(self) -> Sequence[Marked]:
        """Everything that bears an owner mark, complete. Raises ExternalError when it may not be complete."""
        ...

    def changes(self) -> AsyncIterator[str]:
        """UIDs of instances whose compute changed by itself, where the driver can tell; it may tell nothing."""
        ...

    async def aclose(self) -> None:
        """Let go of connections and tasks. What was made stays. Safe to repeat."""
        ...


class RuntimeClient(Protocol):
    """Speaks with the runtime inside a compute."""

    async def observe(self, url: str, token: str) -> RuntimeReport:
        """What the runtime says of itself. Raises Transient while it does not answer, Unauthorized on a wrong token."""
        ...

    async def configure(self, url: str, token: str, configuration: RuntimeConfiguration) -> RuntimeReport:
        """Put the configuration in. In effect, and durable, when this returns."""
        ...
