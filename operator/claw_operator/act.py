"""Carries out one step. The only place where something outside is changed for an instance that is to live."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime

from claw_crds import naming
from claw_crds.v1alpha1 import Reason
from claw_operator.credentials import Credentials, RandomBytes
from claw_operator.decide import Observed, Step, StepKind, Unknown
from claw_operator.desired import Desired
from claw_operator.drivers import InstanceDrivers, counted
from claw_operator.external import ObservedCompute, ObservedDatabase, Rejected, Transient
from claw_operator.kube import Conflict, Kube, Refused
from claw_operator.metrics import Metrics
from claw_operator.processes import STARTING, as_deployed

Change = Callable[[Observed], Observed]
"""What a step has changed in what is known. Steps run side by side, so each returns only its own part."""

_ISSUES = 3
"""Passwords issued for one Secret in a row. More are needed only while several operators get in each other's way."""


class Actor:
    """Turns a step into one mutation of one thing."""

    def __init__(self, kube: Kube, metrics: Metrics, random_bytes: RandomBytes) -> None:
        self._kube = kube
        self._metrics = metrics
        self._random_bytes = random_bytes

    async def act(
        self, step: Step, desired: Desired, observed: Observed, drivers: InstanceDrivers, now: datetime
    ) -> Change:
        """Do it. Raises ExternalError or KubeError; repeating it later is always safe."""
        database, compute, owner = drivers.database, drivers.compute, desired.owner
        match step.kind:
            case StepKind.CREATE_DATABASE:
                return await self._database(database.name, "create", database.create(desired.database()))
            case StepKind.RESUME_DATABASE:
                return await self._database(database.name, "resume", database.resume(owner))
            case StepKind.ADJUST_DATABASE:
                return await self._database(database.name, "adjust", database.adjust(desired.database()))
            case StepKind.SUSPEND_DATABASE:
                return await self._database(database.name, "suspend", database.suspend(owner))
            case StepKind.CREATE_COMPUTE:
                return await self._compute(compute.name, "create", compute.create(desired.compute(None)))
            case StepKind.ADJUST:
                wanted = desired.compute(observed.credentials)
                return await self._compute(compute.name, "adjust", compute.adjust(wanted))
            case StepKind.SUSPEND_COMPUTE:
                return await self._suspend(desired, drivers)
            case StepKind.ISSUE_CREDENTIALS:
                return await self._issue_credentials(step, desired, observed, drivers, now)
            case StepKind.DEPLOY:
                return await self._deploy(desired, observed, drivers, now)
            case StepKind.CONFIGURE:
                return await self._configure(desired, observed, drivers, now)
            case StepKind.ROTATE_KEY:
                revision = desired.instance.spec.credentials_revision
                rotated = _present(observed).rotated(revision, now, self._random_bytes)
                return await self._write(desired, rotated, observed.secret_version)
            case StepKind.RETIRE_KEY:
                return await self._write(desired, _present(observed).retired(), observed.secret_version)

    async def _database(self, driver: str, call: str, change: Awaitable[ObservedDatabase]) -> Change:
        database = await counted(self._metrics, driver, call, change)
        return lambda observed: replace(observed, database=database, known_database_id=database.id)

    async def _compute(self, driver: str, call: str, change: Awaitable[ObservedCompute]) -> Change:
        compute = await counted(self._metrics, driver, call, change)
        return lambda observed: replace(observed, compute=compute)

    async def _suspend(self, desired: Desired, drivers: InstanceDrivers) -> Change:
        driver = drivers.compute
        stopped = await counted(self._metrics, driver.name, "suspend", driver.suspend(desired.owner))
        return lambda observed: replace(observed, compute=stopped, runtime=None)

    async def _issue_credentials(
        self, step: Step, desired: Desired, observed: Observed, drivers: InstanceDrivers, now: datetime
    ) -> Change:
        if not isinstance(observed.database, ObservedDatabase):
            raise Transient("The database is not known yet.")
        driver, database_id = drivers.database, observed.database.id
        before, version = observed.credentials, observed.secret_version
        for _ in range(_ISSUES):
            call = driver.issue_credentials(desired.owner)
            urls = await counted(self._metrics, driver.name, "issue_credentials", call)
            # A crash here loses the password and nothing else: without it in the Secret, the next pass issues another.
            if before is None:
                revision = desired.instance.spec.credentials_revision
                credentials = Credentials.issue(revision, database_id, urls, self._random_bytes)
            else:
                credentials = before.moved(database_id, urls)
            try:
                change = await self._write(desired, credentials, version)
            except Conflict:
                # Another operator has written the Secret since, and nobody knows which password was set last. Only a
                # new one, for the Secret as it is now, is certain to be the one that works.
                before, version = await self._stored(desired)
                continue
            if step.reason != Reason.DRIFTED:
                return change
            return lambda known: change(replace(known, history=known.history.repaired(now)))
        raise Transient("Several operators issue credentials for this instance at the same time; run one of them.")

    async def _deploy(self, desired: Desired, observed: Observed, drivers: InstanceDrivers, now: datetime) -> Change:
        if not isinstance(observed.compute, ObservedCompute):
            raise Transient("The compute is not known yet.")
        driver, before = drivers.compute, observed.compute
        wanted = desired.compute(_present(observed))
        deployed = await counted(self._metrics, driver.name, "deploy", driver.deploy(wanted))
        history = observed.history.deployed(before, wanted.fingerprint, now)
        return lambda known: replace(known, compute=deployed, runtime=STARTING, history=history)

    async def _configure(self, desired: Desired, observed: Observed, drivers: InstanceDrivers, now: datetime) -> Change:
        if not isinstance(observed.compute, ObservedCompute):
            raise Transient("The compute is not known yet.")
        credentials = _present(observed)
        call = drivers.runtime.configure(
            observed.compute.url, credentials.configuration_token, desired.configuration(credentials, now)
        )
        report = await counted(self._metrics, "runtime", "configure", call)

        def take_in(known: Observed) -> Observed:
            if not isinstance(known.compute, ObservedCompute) or isinstance(known.runtime, Unknown):
                return known  # it was deployed or stopped meanwhile: that was the process before
            return replace(known, runtime=as_deployed(report, known.compute))

        return take_in

    async def _stored(self, desired: Desired) -> tuple[Credentials | None, str | None]:
        meta = desired.instance.metadata
        stored = await self._kube.read_secret(meta.namespace, naming.credentials_secret_name(meta.name), meta.uid)
        return (None, None) if stored is None else (Credentials.from_secret(stored.values), stored.version)

    async def _write(self, desired: Desired, credentials: Credentials, version: str | None) -> Change:
        name = naming.credentials_secret_name(desired.instance.metadata.name)
        try:
            written = await self._kube.write_secret(desired.instance, name, credentials.to_secret(), version=version)
        except Refused as error:
            raise Rejected(f"Secret {name} cannot be written: {error}") from error
        return lambda observed: replace(observed, secret=credentials, secret_version=written)


def _present(observed: Observed) -> Credentials:
    if observed.credentials is None:
        raise Transient("The credentials are not issued yet.")
    return observed.credentials
