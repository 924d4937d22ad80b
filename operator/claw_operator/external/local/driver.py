"""The local driver: a runtime process per instance on this machine, for the stack that needs no account.

The processes are detached: they go on when the operator ends, and the next one finds them by the record in the
instance's directory (see `records.py`). Image, repository, region and size mean nothing here: every instance runs
the same program on the same machine. That the process lives is all that RUNNING says; whether it answers is for the
runtime's own observation. A process that died is CRASHED, one that was ended on purpose is STOPPED; starting it again
is the loop's decision.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from pathlib import Path
from random import Random, SystemRandom
from weakref import WeakValueDictionary

from claw_crds import configuration as wire
from claw_operator.external import (
    ComputeState,
    DesiredCompute,
    Marked,
    ObservedCompute,
    ObservedDomain,
    Owner,
    Transient,
)
from claw_operator.external.last_words import last_words
from claw_operator.external.local import detached
from claw_operator.external.local.detached import ProcessId
from claw_operator.external.local.records import LOG, WORKSPACE, Record, Records

# All that a runtime gets of the operator's own environment, which holds the operator's secrets.
BASICS = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")

# Below the range of outgoing connections: one of them may sit on such a port while a runtime restarts.
_PORTS = (20_000, 32_000)
_ATTEMPTS = 200


class LocalDriver:
    """Runs `command` once per instance, each in a directory of its own below `directory`.

    `patience`: seconds between asking a process to end and killing it. `log_limit`: bytes above which a log is put
    aside at the next start. `environment`: where the basics, such as PATH, are taken from.
    """

    name = "local"
    poll_seconds = 0.05

    def __init__(
        self,
        directory: Path,
        command: Sequence[str],
        *,
        host: str = "127.0.0.1",
        patience: float = 10.0,
        log_limit: int = 2**20,
        environment: Mapping[str, str] = os.environ,
        random: Random | None = None,
    ) -> None:
        self._records = Records(directory)
        self._command = tuple(command)
        self._host = host
        self._patience = patience
        self._log_limit = log_limit
        self._basics = {name: environment[name] for name in BASICS if name in environment}
        self._random = random or SystemRandom()
        self._ports: dict[str, int] = {}
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._watches: dict[str, tuple[ProcessId, asyncio.Task[None]]] = {}
        self._children: set[int] = set()
        self._changed: asyncio.Queue[str] = asyncio.Queue()

    async def aclose(self) -> None:
        """Stop watching. The processes go on."""
        for uid in list(self._watches):
            await self._unwatch(uid)

    async def observe(self, owner: Owner, *, max_age: float = 0.0) -> ObservedCompute | None:
        """The compute as it is now; None when there is no directory with its name and mark."""
        async with self._errors(owner, "observed"):
            record = await asyncio.to_thread(self._records.read, owner)
            if record is None:
                return None
            return await self._look(owner, record)

    async def create(self, desired: DesiredCompute) -> ObservedCompute:
        """Make the directory and choose a port, or find both."""
        owner = desired.owner
        async with self._alone(owner), self._errors(owner, "created"):
            record = await asyncio.to_thread(self._records.read, owner)
            if record is None:
                record = await asyncio.to_thread(self._records.make, owner, self._free_port(owner))
            return await self._look(owner, record)

    async def deploy(self, desired: DesiredCompute) -> ObservedCompute:
        """End the process, if there is one, and start a new one with the desired variables."""
        owner = desired.owner
        async with self._alone(owner), self._errors(owner, "deployed"):
            record = await self._existing(owner)
            await self._stop(owner, record)
            record = await asyncio.to_thread(self._start, desired, record)
            return await self._look(owner, record)

    async def adjust(self, desired: DesiredCompute) -> ObservedCompute:
        """Note the customer's own domain. Nothing else to do: processes are not limited here."""
        owner = desired.owner
        async with self._alone(owner), self._errors(owner, "adjusted"):
            record = await self._existing(owner)
            if record.domain != desired.domain:
                record = record.model_copy(update={"domain": desired.domain})
                await asyncio.to_thread(self._records.write, owner, record)
            return await self._look(owner, record)

    async def suspend(self, owner: Owner) -> ObservedCompute:
        """End the process. One that never was stays EMPTY."""
        async with self._alone(owner), self._errors(owner, "suspended"):
            record = await self._existing(owner)
            if record.process_id is not None and not record.stopped:
                # Before the process ends: if the operator dies in between, nobody takes this end for a crash.
                record = record.model_copy(update={"stopped": True})
                await asyncio.to_thread(self._records.write, owner, record)
            await self._stop(owner, record)
            return await self._look(owner, record)

    async def delete(self, owner: Owner) -> None:
        """End the process and remove the directory, log and all."""
        async with self._alone(owner), self._errors(owner, "deleted"):
            record = await asyncio.to_thread(self._records.read, owner)
            if record is not None:
                await self._stop(owner, record)
            await asyncio.to_thread(self._records.remove, owner)
            self._ports.pop(owner.uid, None)

    async def inventory(self) -> Sequence[Marked]:
        """Every directory with a record. Raises Rejected for a broken one: whose it is cannot be known."""
        try:
            everyone = await asyncio.to_thread(self._records.everyone)
        except OSError as error:
            raise Transient(f"{self._records.directory} could not be read: {error.strerror}") from error
        return [Marked(owner, owner.external_name) for owner, _ in everyone]

    async def changes(self) -> AsyncGenerator[str, None]:
        """The UID of an instance as soon as its process ends by itself, also when an earlier operator started it."""
        for owner, record in await asyncio.to_thread(self._records.readable):
            if record.process_id is not None and not record.stopped:
                self._watch(owner.uid, record.process_id)
        while True:
            yield await self._changed.get()

    async def _look(self, owner: Owner, record: Record) -> ObservedCompute:
        observed = await asyncio.to_thread(self._observed, owner, record)
        if record.process_id is not None:
            if observed.state is ComputeState.RUNNING:
                self._watch(owner.uid, record.process_id)
            else:
                self._reap(record.process_id)
        return observed

    def _observed(self, owner: Owner, record: Record) -> ObservedCompute:
        process_id, message = record.process_id, ""
        if process_id is None:
            state = ComputeState.EMPTY
        elif process_id.process() is not None:
            state = ComputeState.RUNNING
        elif record.stopped:
            state = ComputeState.STOPPED
        else:
            state = ComputeState.CRASHED
            said = last_words(self._records.folder(owner) / LOG, record.log_start)
            message = f"The process has ended. It said: {said}" if said else "The process has ended."
        return ObservedCompute(
            id=owner.external_name,
            state=state,
            url=f"http://{self._host}:{record.port}",
            fingerprint=record.fingerprint,
            deployment_id=record.deployment_id,
            message=message,
            domain=self._domain(record),
        )

    def _domain(self, record: Record) -> ObservedDomain | None:
        if record.domain is None:
            return None
        return ObservedDomain(record.domain, (f"A {record.domain} -> {self._host}",))

    def _start(self, desired: DesiredCompute, record: Record) -> Record:
        owner, folder = desired.owner, self._records.folder(desired.owner)
        port = record.port if self._is_free(record.port) else self._free_port(owner)
        log = folder / LOG
        with contextlib.suppress(FileNotFoundError):
            if log.stat().st_size > self._log_limit:
                log.replace(folder / f"{LOG}.1")
        environment = {
            **self._basics,
            "HOME": str(folder),
            **(desired.variables or {}),
            **self._place(owner, port),
            wire.ENV_FINGERPRINT: desired.fingerprint,
        }
        with detached.gated(self._command, environment=environment, directory=folder, log=log) as process:
            self._children.add(process.process_id.pid)
            record = Record(
                mark=record.mark,
                port=port,
                deployment_id=f"{self._random.getrandbits(48):012x}",
                fingerprint=desired.fingerprint,
                pid=process.process_id.pid,
                started=process.process_id.started,
                started_after_boot=process.process_id.started_after_boot,
                log_start=log.stat().st_size,
                domain=desired.domain,
            )
            self._records.write(owner, record)
            process.open()
        return record

    def _place(self, owner: Owner, port: int) -> dict[str, str]:
        return {
            wire.ENV_HOST: self._host,
            wire.ENV_PORT: str(port),
            wire.ENV_WORKSPACE_DIR: self._workspace(owner),
        }

    def _workspace(self, owner: Owner) -> str:
        return str(self._records.folder(owner) / WORKSPACE)

    async def _stop(self, owner: Owner, record: Record) -> None:
        process_id = record.process_id
        if process_id is None:
            return
        await self._unwatch(owner.uid)
        if not await detached.stop(process_id, self._patience):
            raise Transient(f"process {process_id.pid} of {owner.name} does not end, not even when it is killed")
        # What it started itself, and did not take along.
        await asyncio.to_thread(detached.kill_marked, wire.ENV_WORKSPACE_DIR, self._workspace(owner))
        self._reap(process_id)

    def _watch(self, uid: str, process_id: ProcessId) -> None:
        watched, _ = self._watches.get(uid, (None, None))
        if watched != process_id:
            self._watches[uid] = (process_id, asyncio.create_task(self._report_end(uid, process_id)))

    async def _unwatch(self, uid: str) -> None:
        if uid in self._watches:
            _, task = self._watches.pop(uid)
            task.cancel()
            await asyncio.wait([task])

    async def _report_end(self, uid: str, process_id: ProcessId) -> None:
        await detached.ended(process_id)
        self._reap(process_id)
        self._changed.put_nowait(uid)

    def _reap(self, process_id: ProcessId) -> None:
        # Only what this driver started: another child of the operator may have got the number since.
        if process_id.pid in self._children and detached.reap(process_id.pid):
            self._children.discard(process_id.pid)

    async def _existing(self, owner: Owner) -> Record:
        record = await asyncio.to_thread(self._records.read, owner)
        if record is None:
            raise Transient(
                f"{owner.name} has no directory below {self._records.directory}; it has to be created first"
            )
        return record

    def _free_port(self, owner: Owner) -> int:
        taken = self._ports.values()
        for _ in range(_ATTEMPTS):
            port = self._random.randint(*_PORTS)
            if port not in taken and self._is_free(port):
                self._ports[owner.uid] = port
                return port
        raise Transient(f"found no free port for {owner.name} between {_PORTS[0]} and {_PORTS[1]}")

    def _is_free(self, port: int) -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as candidate:
            # As servers do it: connections that are still closing do not make a port taken.
            candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                candidate.bind((self._host, port))
                return True
        return False

    def _alone(self, owner: Owner) -> asyncio.Lock:
        """One change at a time for an instance."""
        return self._locks.setdefault(owner.uid, asyncio.Lock())

    @contextlib.asynccontextmanager
    async def _errors(self, owner: Owner, done: str) -> AsyncIterator[None]:
        try:
            yield
        except OSError as error:
            raise Transient(f"the compute of {owner.name} could not be {done}: {error.strerror}") from error
