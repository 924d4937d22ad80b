"""A simulated outside behind the drivers' Protocols: stateful, with a log of every change, and able to misbehave.

It keeps what a provider keeps: rows with owner marks. A fault is planned by the number of the call at which it
happens, so a run with a fault repeats exactly, and can be compared with the undisturbed one.
"""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar

from claw_crds.configuration import RuntimeConfiguration, RuntimeHoldings, RuntimeReport, RuntimeUsage
from claw_crds.keys import sha256
from claw_operator.external import (
    ComputeState,
    ConnectionUrls,
    DatabaseSize,
    DesiredCompute,
    DesiredDatabase,
    Drift,
    ExternalError,
    Marked,
    NameTaken,
    ObservedCompute,
    ObservedDatabase,
    ObservedDomain,
    Owner,
    Size,
    Transient,
    Unauthorized,
)

T = TypeVar("T")
Picture = dict[str, list[tuple[object, ...]]]


class Fault(StrEnum):
    """What goes wrong at a call."""

    REFUSED = "refused"
    """It is not carried out, and the caller is told so."""
    LOST_ANSWER = "lost answer"
    """It is carried out, and the caller never learns."""
    CRASH = "crash"
    """It is carried out, and the caller dies."""


class Crash(BaseException):
    """The operator's process ends here."""


@dataclass
class Database:
    """A row of the database provider."""

    id: str
    mark: str
    password: str | None = None
    archived_until: datetime | None = None
    suspended: bool = False
    size_bytes: int | None = None
    size: DatabaseSize | None = None
    """What it may use."""
    ready_at: float = 0.0
    """On the loop's clock."""
    unfinished: bool = False
    """A creation broke off: nothing that could be used, and yet something is there."""


@dataclass
class Compute:
    """A row of the compute provider, with the process in it."""

    id: str
    mark: str
    size: Size
    state: ComputeState = ComputeState.EMPTY
    fingerprint: str | None = None
    process: str | None = None
    """The fingerprint of the process that answers; None while none does."""
    deployments: int = 0
    variables: dict[str, str] = field(default_factory=dict)
    configuration: RuntimeConfiguration | None = None
    drift: Drift | None = None
    domain: str | None = None
    message: str = ""
    asleep: bool | None = False
    """The next request wakes it."""
    stubborn: bool = False
    """It stays as it is, whatever its provider promised."""


class World:
    """Everything outside."""

    def __init__(self) -> None:
        self.databases: dict[str, Database] = {}
        self.computes: dict[str, Compute] = {}
        self.log: list[tuple[str, str]] = []
        """Every change that was carried out: (what, external name)."""
        self.faults: dict[int, Fault] = {}
        """By the number of the changing call, counted from 0."""
        self.changing_calls = 0
        self.api_writes = 0
        self.failing: dict[str, ExternalError] = {}
        """Calls that fail until they are taken out again."""
        self.crashed = asyncio.Event()
        self.crashes = 0
        self.messages_used = 0
        self.holdings = RuntimeHoldings(memories=0, agents=0)
        self.seconds: dict[str, float] = {}
        """How long a change takes until it is answered; for `database ready`, how long after its creation; and for
        `runtime answers`, how long after its deployment."""
        self.platform_is_slow = False
        """Deployments go on being called that after their process has begun to answer, and the old one until then."""
        self.failing_deployments = 0
        """So many deployments fail."""
        self.dns_records: tuple[str, ...] = ()
        """What is still to be set for a domain of one's own."""
        self.stale = False
        """Readings of the whole fleet are from before anything was made."""
        self.looks: Counter[str] = Counter()
        """How often each kind of thing was looked at freshly."""
        self._ids = itertools.count(1)
        self._changes: asyncio.Queue[str] = asyncio.Queue()

    # What tests do to it.

    def crash(self, uid_name: str) -> None:
        """The process in the compute dies."""
        row = self.computes[uid_name]
        row.state, row.process, row.message = ComputeState.CRASHED, None, "exit code 1"

    def die(self, where: str) -> None:
        """The operator's process ends here."""
        self.crashes += 1
        self.crashed.set()
        raise Crash(where)

    def notice(self, uid: str) -> None:
        """The driver notices by itself."""
        self._changes.put_nowait(uid)

    def counts(self) -> Counter[str]:
        """How often each kind of change was carried out."""
        return Counter(what for what, _ in self.log)

    def picture(self) -> Picture:
        """The whole world without what is random in it: equal pictures are equal worlds."""
        return {
            "databases": sorted(
                (name, row.archived_until is not None, row.suspended, row.password is not None, str(row.size))
                for name, row in self.databases.items()
            ),
            "computes": sorted(
                (name, row.state.value, row.configuration.plan.name if row.configuration else None, str(row.size))
                for name, row in self.computes.items()
            ),
        }

    async def _change(self, what: str, owner: Owner, do: Callable[[], T]) -> T:
        await asyncio.sleep(self.seconds.get(what, 0.0))
        self._fail(what)
        number = self.changing_calls
        self.changing_calls += 1
        fault = self.faults.pop(number, None)
        if fault == Fault.REFUSED:
            raise Transient("the provider is out of order")
        result = do()
        self.log.append((what, owner.external_name))
        if fault == Fault.LOST_ANSWER:
            raise Transient("the connection was lost")
        if fault == Fault.CRASH:
            self.die(f"at change {number}: {what}")
        return result

    def _fail(self, call: str) -> None:
        if call in self.failing:
            raise self.failing[call]

    def accepts(self, row: Compute) -> bool:
        """Whether the database accepts the password that the compute has."""
        return any(
            database.password is not None and database.password in row.variables["DATABASE_URL"]
            for database in self.databases.values()
        )


class WorldDatabases:
    """The database driver of the simulated world."""

    name = "simulated"

    def __init__(self, world: World, poll_seconds: float = 0.01) -> None:
        self._world = world
        self.poll_seconds = poll_seconds

    async def observe(self, owner: Owner, *, max_age: float = 0.0) -> ObservedDatabase | None:
        self._world._fail("observe database")
        self._world.looks["database"] += max_age == 0.0
        row = self._world.databases.get(owner.external_name)
        if row is None or row.mark != owner.mark or row.unfinished or (self._world.stale and max_age):
            return None
        return self._observed(row)

    async def create(self, desired: DesiredDatabase) -> ObservedDatabase:
        owner, world = desired.owner, self._world
        row = world.databases.get(owner.external_name)
        if row is not None and row.mark != owner.mark:
            raise NameTaken("the database's name belongs to somebody else")
        if row is None:
            row = await world._change("create database", owner, lambda: self._insert(desired))
        return self._observed(row)

    async def issue_credentials(self, owner: Owner) -> ConnectionUrls:
        row = self._world.databases[owner.external_name]

        def renew() -> ConnectionUrls:
            row.password = f"secret-{next(self._world._ids)}"
            return ConnectionUrls(
                direct=f"postgresql://{owner.external_name}:{row.password}@db.example/{owner.external_name}",
                pooled=f"postgresql://{owner.external_name}:{row.password}@pool.example/{owner.external_name}",
            )

        return await self._world._change("issue credentials", owner, renew)

    async def adjust(self, desired: DesiredDatabase) -> ObservedDatabase:
        row = self._world.databases[desired.owner.external_name]
        await self._world._change("adjust database", desired.owner, lambda: setattr(row, "size", _size(desired)))
        return self._observed(row)

    async def suspend(self, owner: Owner) -> ObservedDatabase:
        return await self._set_suspended(owner, "suspend database", suspended=True)

    async def resume(self, owner: Owner) -> ObservedDatabase:
        return await self._set_suspended(owner, "resume database", suspended=False)

    async def _set_suspended(self, owner: Owner, what: str, *, suspended: bool) -> ObservedDatabase:
        row = self._world.databases[owner.external_name]
        if row.suspended != suspended:
            await self._world._change(what, owner, lambda: setattr(row, "suspended", suspended))
        return self._observed(row)

    async def archive(self, owner: Owner, until: datetime) -> None:
        row = self._world.databases.get(owner.external_name)
        if row is not None and row.archived_until is None:
            await self._world._change("archive database", owner, lambda: setattr(row, "archived_until", until))

    async def delete(self, owner: Owner) -> None:
        row = self._world.databases.get(owner.external_name)
        if row is not None and row.mark == owner.mark:
            await self._world._change("delete database", owner, lambda: self._world.databases.pop(owner.external_name))

    async def inventory(self) -> Sequence[Marked]:
        return [
            Marked(owner, row.id, row.archived_until)
            for row in self._world.databases.values()
            if (owner := Owner.of_mark(row.mark)) is not None
        ]

    async def aclose(self) -> None:
        pass

    def _insert(self, desired: DesiredDatabase) -> Database:
        owner, size = desired.owner, _size(desired)
        ready_at = asyncio.get_running_loop().time() + self._world.seconds.get("database ready", 0.0)
        row = Database(id=f"db-{next(self._world._ids)}", mark=owner.mark, ready_at=ready_at, size=size)
        self._world.databases[owner.external_name] = row
        return row

    def _observed(self, row: Database) -> ObservedDatabase:
        ready = asyncio.get_running_loop().time() >= row.ready_at
        return ObservedDatabase(
            id=row.id,
            host="db.example",
            ready=ready,
            size_bytes=row.size_bytes,
            suspended=row.suspended,
            size=row.size,
        )


def _size(desired: DesiredDatabase) -> DatabaseSize:
    """Any size can be had."""
    return DatabaseSize(range(desired.cpu_millis, desired.cpu_millis + 1), desired.storage_bytes)


class WorldComputes:
    """The compute driver of the simulated world."""

    name = "simulated"

    def __init__(self, world: World, poll_seconds: float = 0.01) -> None:
        self._world = world
        self.poll_seconds = poll_seconds

    async def observe(self, owner: Owner, *, max_age: float = 0.0) -> ObservedCompute | None:
        self._world._fail("observe compute")
        self._world.looks["compute"] += max_age == 0.0
        row = self._world.computes.get(owner.external_name)
        if row is None or row.mark != owner.mark or (self._world.stale and max_age):
            return None
        return self._observed(owner, row)

    async def create(self, desired: DesiredCompute) -> ObservedCompute:
        owner, world = desired.owner, self._world
        row = world.computes.get(owner.external_name)
        if row is not None and row.mark != owner.mark:
            raise NameTaken("the compute's name belongs to somebody else")
        if row is None:
            row = await world._change("create compute", owner, lambda: self._insert(desired))
        return self._observed(owner, row)

    async def deploy(self, desired: DesiredCompute) -> ObservedCompute:
        world, row = self._world, self._world.computes[desired.owner.external_name]

        def start() -> None:
            row.fingerprint, row.size, row.drift = desired.fingerprint, desired.size, None
            row.variables = dict(desired.variables or {})
            row.deployments += 1
            if world.failing_deployments:
                world.failing_deployments -= 1
                row.state, row.message = ComputeState.FAILED, "npm: command not found"
            elif world.platform_is_slow or "runtime answers" in world.seconds:
                row.state = ComputeState.DEPLOYING
                if not world.platform_is_slow:
                    loop = asyncio.get_running_loop()
                    loop.call_later(world.seconds["runtime answers"], setattr, row, "process", desired.fingerprint)
            else:
                row.state, row.process = ComputeState.RUNNING, desired.fingerprint

        await world._change("deploy", desired.owner, start)
        return self._observed(desired.owner, row)

    async def adjust(self, desired: DesiredCompute) -> ObservedCompute:
        row = self._world.computes[desired.owner.external_name]

        def put_right() -> None:
            if row.stubborn:
                return
            row.size, row.domain, row.drift = desired.size, desired.domain, None

        await self._world._change("adjust", desired.owner, put_right)
        return self._observed(desired.owner, row)

    async def suspend(self, owner: Owner) -> ObservedCompute:
        row = self._world.computes[owner.external_name]

        def stop() -> None:
            row.state, row.process = ComputeState.STOPPED, None

        if row.state != ComputeState.STOPPED:
            await self._world._change("suspend compute", owner, stop)
        return self._observed(owner, row)

    async def delete(self, owner: Owner) -> None:
        row = self._world.computes.get(owner.external_name)
        if row is not None and row.mark == owner.mark:
            await self._world._change("delete compute", owner, lambda: self._world.computes.pop(owner.external_name))

    async def inventory(self) -> Sequence[Marked]:
        rows = self._world.computes.values()
        return [Marked(owner, row.id) for row in rows if (owner := Owner.of_mark(row.mark)) is not None]

    async def changes(self) -> AsyncIterator[str]:
        while True:
            yield await self._world._changes.get()

    async def aclose(self) -> None:
        pass

    def _insert(self, desired: DesiredCompute) -> Compute:
        row = Compute(id=f"svc-{next(self._world._ids)}", mark=desired.owner.mark, size=desired.size)
        self._world.computes[desired.owner.external_name] = row
        return row

    def _observed(self, owner: Owner, row: Compute) -> ObservedCompute:
        return ObservedCompute(
            id=row.id,
            state=row.state,
            url=f"http://{owner.external_name}.example",
            fingerprint=row.fingerprint,
            deployment_id=f"dep-{row.deployments}" if row.deployments else None,
            size=row.size,
            message=row.message if row.state in (ComputeState.CRASHED, ComputeState.FAILED) else "",
            drift=row.drift,
            asleep=row.asleep,
            domain=None if row.domain is None else ObservedDomain(row.domain, self._world.dns_records),
        )


class WorldRuntimes:
    """The runtimes in the computes: they answer while their compute runs, and keep their configuration."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def observe(self, url: str, token: str) -> RuntimeReport:
        return self._report(self._row(url, token))

    async def configure(self, url: str, token: str, configuration: RuntimeConfiguration) -> RuntimeReport:
        row = self._row(url, token)
        owner = Owner(configuration.instance.namespace, configuration.instance.name, configuration.instance.uid)
        await self._world._change("configure", owner, lambda: setattr(row, "configuration", configuration))
        return self._report(row)

    def _row(self, url: str, token: str) -> Compute:
        self._world._fail("runtime")
        name = url.removeprefix("http://").removesuffix(".example")
        row = self._world.computes.get(name)
        if row is None or row.process is None:
            raise Transient("The runtime does not answer.")
        if row.variables["CLAW_CONFIGURATION_TOKEN_SHA256"] != sha256(token):
            raise Unauthorized("The runtime does not accept the configuration token.")
        if row.asleep:
            row.asleep = False
        self._world.looks["runtime"] += 1
        return row

    def _report(self, row: Compute) -> RuntimeReport:
        configuration = row.configuration
        usage = RuntimeUsage(
            period_start=datetime(2026, 11, 1, tzinfo=UTC),
            messages_used=self._world.messages_used,
            messages_limit=configuration.plan.limits.messages_per_month if configuration else None,
        )
        return RuntimeReport(
            version="1.0.0",
            uid=configuration.instance.uid if configuration else None,
            configuration_revision=configuration.revision if configuration else None,
            ready=configuration is not None,
            usage=usage if configuration else None,
            holdings=self._world.holdings if configuration else None,
            fingerprint=row.process,
            database_refuses=not self._world.accepts(row),
        )
