"""A simulated outside behind the drivers' Protocols: stateful, with a log of every change, and able to misbehave.

It keeps what a provider keeps: rows with owner marks. A fault is planned by the number of the call at which it
happens, so a run with a fault repeats exactly, and can be compared with the undisturbed one.
"""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar

from claw_crds.configuration import RuntimeConfiguration, RuntimeReport, RuntimeUsage
from claw_crds.keys import sha256
from claw_operator.external import (
    ComputeState,
    DesiredCompute,
    DesiredDatabase,
    ExternalError,
    NameTaken,
    ObservedCompute,
    ObservedDatabase,
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
    archived: bool = False
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
    deployments: int = 0
    variables: dict[str, str] = field(default_factory=dict)
    configuration: RuntimeConfiguration | None = None


class World:
    """Everything outside."""

    name = "simulated"
    poll_seconds = 0.01

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
        self._ids = itertools.count(1)
        self._changes: asyncio.Queue[str] = asyncio.Queue()

    # What tests do to it.

    def crash(self, uid_name: str) -> None:
        """The process in the compute dies."""
        self.computes[uid_name].state = ComputeState.CRASHED

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
            "databases": sorted((name, row.archived, row.password is not None) for name, row in self.databases.items()),
            "computes": sorted(
                (name, row.state.value, row.configuration.plan.name if row.configuration else None, str(row.size))
                for name, row in self.computes.items()
            ),
        }

    async def _change(self, what: str, owner: Owner, do: Callable[[], T]) -> T:
        await asyncio.sleep(0)
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


class WorldDatabases:
    """The database driver of the simulated world."""

    name = "simulated"
    poll_seconds = 0.01

    def __init__(self, world: World) -> None:
        self._world = world

    async def observe(self, owner: Owner) -> ObservedDatabase | None:
        self._world._fail("observe database")
        row = self._world.databases.get(owner.external_name)
        if row is None or row.mark != owner.mark or row.unfinished:
            return None
        return ObservedDatabase(id=row.id, host="db.example", ready=True)

    async def create(self, desired: DesiredDatabase) -> ObservedDatabase:
        owner, world = desired.owner, self._world
        row = world.databases.get(owner.external_name)
        if row is not None and row.mark != owner.mark:
            raise NameTaken("the database's name belongs to somebody else")
        if row is None:
            row = await world._change("create database", owner, lambda: self._insert(owner))
        return ObservedDatabase(id=row.id, host="db.example", ready=True)

    async def issue_credentials(self, owner: Owner) -> str:
        row = self._world.databases[owner.external_name]

        def renew() -> str:
            row.password = f"secret-{next(self._world._ids)}"
            return f"postgresql://{owner.external_name}:{row.password}@db.example/{owner.external_name}"

        return await self._world._change("issue credentials", owner, renew)

    async def archive(self, owner: Owner) -> None:
        row = self._world.databases.get(owner.external_name)
        if row is not None and not row.archived:
            await self._world._change("archive database", owner, lambda: setattr(row, "archived", True))

    async def delete(self, owner: Owner) -> None:
        row = self._world.databases.get(owner.external_name)
        if row is not None and row.mark == owner.mark:
            await self._world._change("delete database", owner, lambda: self._world.databases.pop(owner.external_name))

    async def aclose(self) -> None:
        pass

    def _insert(self, owner: Owner) -> Database:
        row = Database(id=f"db-{next(self._world._ids)}", mark=owner.mark)
        self._world.databases[owner.external_name] = row
        return row


class WorldComputes:
    """The compute driver of the simulated world."""

    name = "simulated"
    poll_seconds = 0.01

    def __init__(self, world: World) -> None:
        self._world = world

    async def observe(self, owner: Owner) -> ObservedCompute | None:
        self._world._fail("observe compute")
        row = self._world.computes.get(owner.external_name)
        return None if row is None or row.mark != owner.mark else self._observed(owner, row)

    async def create(self, desired: DesiredCompute) -> ObservedCompute:
        owner, world = desired.owner, self._world
        row = world.computes.get(owner.external_name)
        if row is not None and row.mark != owner.mark:
            raise NameTaken("the compute's name belongs to somebody else")
        if row is None:
            row = await world._change("create compute", owner, lambda: self._insert(desired))
        return self._observed(owner, row)

    async def deploy(self, desired: DesiredCompute) -> ObservedCompute:
        row = self._world.computes[desired.owner.external_name]

        def start() -> None:
            row.state, row.fingerprint, row.size = ComputeState.RUNNING, desired.fingerprint, desired.size
            row.variables = dict(desired.variables or {})
            row.deployments += 1

        await self._world._change("deploy", desired.owner, start)
        return self._observed(desired.owner, row)

    async def resize(self, desired: DesiredCompute) -> ObservedCompute:
        row = self._world.computes[desired.owner.external_name]
        await self._world._change("resize", desired.owner, lambda: setattr(row, "size", desired.size))
        return self._observed(desired.owner, row)

    async def delete(self, owner: Owner) -> None:
        row = self._world.computes.get(owner.external_name)
        if row is not None and row.mark == owner.mark:
            await self._world._change("delete compute", owner, lambda: self._world.computes.pop(owner.external_name))

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
            size=row.size,
            message="exit code 1" if row.state == ComputeState.CRASHED else "",
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
        if row is None or row.state != ComputeState.RUNNING:
            raise Transient("The runtime does not answer.")
        if row.variables["CLAW_CONFIGURATION_TOKEN_SHA256"] != sha256(token):
            raise Unauthorized("The runtime does not accept the configuration token.")
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
        )
