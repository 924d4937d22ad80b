"""Reads everything there is to know about one instance, at the same time. Changes nothing."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from claw_crds import naming
from claw_crds.configuration import RuntimeReport
from claw_operator.credentials import Credentials
from claw_operator.decide import Observed, Restarts, Unknown
from claw_operator.desired import Desired
from claw_operator.drivers import InstanceDrivers, counted
from claw_operator.external import ComputeState, ExternalError, ObservedCompute, Transient
from claw_operator.kube import Kube
from claw_operator.metrics import Metrics

T = TypeVar("T")


async def observe(
    desired: Desired, drivers: InstanceDrivers, kube: Kube, metrics: Metrics, restarts: Restarts
) -> Observed:
    """What is. Something that cannot be looked at is Unknown, which is not the same as gone."""
    instance, owner = desired.instance, desired.owner
    secret = naming.credentials_secret_name(instance.metadata.name)
    compute_driver, database_driver = drivers.compute, drivers.database
    database, compute, values = await asyncio.gather(
        _or_unknown(counted(metrics, database_driver.name, "observe", database_driver.observe(owner))),
        _or_unknown(counted(metrics, compute_driver.name, "observe", compute_driver.observe(owner))),
        _or_unknown(kube.read_secret(owner.namespace, secret, owner.uid)),
    )
    credentials = Credentials.from_secret(values) if isinstance(values, dict) else values
    status = instance.status
    return Observed(
        database=database,
        compute=compute,
        runtime=await _runtime(compute, credentials, drivers, metrics),
        secret=credentials,
        restarts=restarts,
        known_database_id=status.database.id if status.database is not None else None,
        accepted_loss=instance.metadata.annotations.get(naming.ACCEPT_DATABASE_LOSS),
    )


async def _runtime(
    compute: ObservedCompute | Unknown | None,
    credentials: Credentials | Unknown | None,
    drivers: InstanceDrivers,
    metrics: Metrics,
) -> RuntimeReport | Unknown | None:
    if isinstance(compute, Unknown):
        return Unknown(compute.error)
    if isinstance(credentials, Unknown):
        return Unknown(credentials.error)
    if compute is None or credentials is None:
        return None
    if compute.state != ComputeState.RUNNING:
        return None if compute.state == ComputeState.EMPTY else Unknown(Transient("The runtime does not run."))
    call = drivers.runtime.observe(compute.url, credentials.configuration_token)
    return await _or_unknown(counted(metrics, "runtime", "observe", call))


async def _or_unknown(awaitable: Awaitable[T]) -> T | Unknown:
    try:
        return await awaitable
    except ExternalError as error:
        return Unknown(error)
