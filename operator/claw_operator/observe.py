"""Reads everything there is to know about one instance, at the same time. Changes nothing."""

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from claw_crds import naming
from claw_crds.configuration import RuntimeReport
from claw_operator.credentials import Credentials
from claw_operator.decide import AT_REST, Observed, Unknown
from claw_operator.desired import Desired
from claw_operator.drivers import InstanceDrivers, counted
from claw_operator.external import ComputeState, ExternalError, ObservedCompute, Transient
from claw_operator.kube import Kube, StoredSecret
from claw_operator.metrics import Metrics
from claw_operator.pace import Ages
from claw_operator.processes import ANSWERING, Answer, as_deployed, is_up
from claw_operator.tries import History

T = TypeVar("T")


async def observe(
    desired: Desired,
    drivers: InstanceDrivers,
    kube: Kube,
    metrics: Metrics,
    *,
    history: History,
    answer: Answer | None,
    ages: Ages,
    now: datetime,
) -> Observed:
    """What is. Something that cannot be looked at is Unknown, which is not the same as gone.

    `answer` is the runtime's last one, which stands in for another one where the plan lets the compute sleep.
    """
    instance, owner = desired.instance, desired.owner
    name = naming.credentials_secret_name(instance.metadata.name)
    of_database = drivers.database.observe(owner, max_age=ages.database)
    of_compute = drivers.compute.observe(owner, max_age=ages.compute)
    database, compute, secret = await asyncio.gather(
        _or_unknown(counted(metrics, drivers.database.name, "observe", of_database)),
        _or_unknown(counted(metrics, drivers.compute.name, "observe", of_compute)),
        _or_unknown(kube.read_secret(owner.namespace, name, owner.uid)),
    )
    credentials = Credentials.from_secret(secret.values) if isinstance(secret, StoredSecret) else secret
    runtime: RuntimeReport | Unknown | None
    if isinstance(compute, ObservedCompute) and answer is not None and answer.still_holds(compute, now):
        runtime = answer.report
    elif isinstance(compute, Unknown):
        runtime = await _unseen_runtime(compute, credentials, desired, drivers, metrics, answer)
    else:
        runtime = await _runtime(compute, credentials, drivers, metrics)
    if isinstance(compute, ObservedCompute) and isinstance(runtime, RuntimeReport) and is_up(compute, runtime):
        compute = replace(compute, state=ComputeState.RUNNING, message="")
    return Observed(
        database=database,
        compute=compute,
        runtime=runtime,
        secret=credentials,
        secret_version=secret.version if isinstance(secret, StoredSecret) else None,
        history=history.saw(compute, now),
        known_database_id=instance.status.database.id if instance.status.database is not None else None,
        accepted_loss=instance.metadata.annotations.get(naming.ACCEPT_DATABASE_LOSS),
    )


async def _unseen_runtime(
    compute: Unknown,
    credentials: Credentials | Unknown | None,
    desired: Desired,
    drivers: InstanceDrivers,
    metrics: Metrics,
    answer: Answer | None,
) -> RuntimeReport | Unknown | None:
    """The runtime, while its compute's provider does not answer: for the customer, that need not mean anything."""
    if answer is not None:
        return answer.report
    url = desired.instance.status.url
    if url is None or not isinstance(credentials, Credentials) or desired.plan.spec.sleep_when_idle:
        return compute
    call = drivers.runtime.observe(url, credentials.configuration_token)
    report = await _or_unknown(counted(metrics, "runtime", "observe", call))
    if isinstance(report, Unknown) or report.fingerprint in (None, desired.compute(credentials).fingerprint):
        return report
    return compute


async def _runtime(
    compute: ObservedCompute | None,
    credentials: Credentials | Unknown | None,
    drivers: InstanceDrivers,
    metrics: Metrics,
) -> RuntimeReport | Unknown | None:
    if isinstance(credentials, Unknown):
        return Unknown(credentials.error)
    if compute is None or credentials is None or compute.state in AT_REST:
        return None
    if compute.state not in ANSWERING:
        return Unknown(Transient("The runtime does not run."))
    call = drivers.runtime.observe(compute.url, credentials.configuration_token)
    report = await _or_unknown(counted(metrics, "runtime", "observe", call))
    return report if isinstance(report, Unknown) else as_deployed(report, compute)


async def _or_unknown(awaitable: Awaitable[T]) -> T | Unknown:
    try:
        return await awaitable
    except ExternalError as error:
        return Unknown(error)
