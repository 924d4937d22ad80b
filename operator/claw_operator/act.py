"""Carries out one step. The only place where something outside is changed for an instance that is to live."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from claw_crds import naming
from claw_operator.credentials import Credentials, RandomBytes
from claw_operator.decide import Observed, Restarts, Step, StepKind, Unknown
from claw_operator.desired import Desired
from claw_operator.drivers import InstanceDrivers, counted
from claw_operator.external import ComputeState, ObservedCompute, ObservedDatabase, Rejected, Transient
from claw_operator.kube import Kube, Refused
from claw_operator.metrics import Metrics

Change = Callable[[Observed], Observed]
"""What a step has changed in what is known. Steps run side by side, so each returns only its own part."""


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
        match step.kind:
            case StepKind.CREATE_DATABASE:
                return await self._create_database(desired, drivers)
            case StepKind.CREATE_COMPUTE:
                return await self._create_compute(desired, drivers)
            case StepKind.ISSUE_CREDENTIALS:
                return await self._issue_credentials(desired, observed, drivers)
            case StepKind.DEPLOY:
                return await self._deploy(desired, observed, drivers, now)
            case StepKind.RESIZE:
                return await self._resize(desired, observed, drivers)
            case StepKind.CONFIGURE:
                return await self._configure(desired, observed, drivers, now)
        credentials = _present(observed)
        if step.kind == StepKind.ROTATE_KEY:
            revision = desired.instance.spec.credentials_revision
            return await self._write(desired, credentials.rotated(revision, now, self._random_bytes))
        return await self._write(desired, credentials.retired())

    async def _create_database(self, desired: Desired, drivers: InstanceDrivers) -> Change:
        driver = drivers.database
        made = await counted(self._metrics, driver.name, "create", driver.create(desired.database()))
        return lambda observed: replace(observed, database=made, known_database_id=made.id)

    async def _create_compute(self, desired: Desired, drivers: InstanceDrivers) -> Change:
        driver = drivers.compute
        made = await counted(self._metrics, driver.name, "create", driver.create(desired.compute(None)))
        return lambda observed: replace(observed, compute=made)

    async def _issue_credentials(self, desired: Desired, observed: Observed, drivers: InstanceDrivers) -> Change:
        if not isinstance(observed.database, ObservedDatabase):
            raise Transient("The database is not known yet.")
        driver, database_id = drivers.database, observed.database.id
        url = await counted(self._metrics, driver.name, "issue_credentials", driver.issue_credentials(desired.owner))
        # A crash here loses the password and nothing else: without it in the Secret, the next pass issues another.
        if observed.credentials is not None:
            return await self._write(desired, observed.credentials.moved(database_id, url))
        revision = desired.instance.spec.credentials_revision
        return await self._write(desired, Credentials.issue(revision, database_id, url, self._random_bytes))

    async def _deploy(self, desired: Desired, observed: Observed, drivers: InstanceDrivers, now: datetime) -> Change:
        driver = drivers.compute
        wanted = desired.compute(_present(observed))
        deployed = await counted(self._metrics, driver.name, "deploy", driver.deploy(wanted))
        crashed = isinstance(observed.compute, ObservedCompute) and observed.compute.state == ComputeState.CRASHED
        restarts = observed.restarts.next(now) if crashed else Restarts()
        starting = Unknown(Transient("The runtime is starting."))
        return lambda before: replace(before, compute=deployed, runtime=starting, restarts=restarts)

    async def _resize(self, desired: Desired, observed: Observed, drivers: InstanceDrivers) -> Change:
        driver = drivers.compute
        wanted = desired.compute(_present(observed))
        resized = await counted(self._metrics, driver.name, "resize", driver.resize(wanted))
        return lambda before: replace(before, compute=resized)

    async def _configure(self, desired: Desired, observed: Observed, drivers: InstanceDrivers, now: datetime) -> Change:
        if not isinstance(observed.compute, ObservedCompute):
            raise Transient("The compute is not known yet.")
        credentials = _present(observed)
        call = drivers.runtime.configure(
            observed.compute.url, credentials.configuration_token, desired.configuration(credentials, now)
        )
        report = await counted(self._metrics, "runtime", "configure", call)
        return lambda before: replace(before, runtime=report)

    async def _write(self, desired: Desired, credentials: Credentials) -> Change:
        name = naming.credentials_secret_name(desired.instance.metadata.name)
        try:
            await self._kube.write_secret(desired.instance, name, credentials.to_secret())
        except Refused as error:
            raise Rejected(f"Secret {name} cannot be written: {error}") from error
        return lambda observed: replace(observed, secret=credentials)


def _present(observed: Observed) -> Credentials:
    if observed.credentials is None:
        raise Transient("The credentials are not issued yet.")
    return observed.credentials
