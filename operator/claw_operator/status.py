"""What to report: (desired, observed, outcome, now) -> ClawInstanceStatus. Pure, and always the last thing of a pass.

Computed from facts alone, so an equal world gives an equal status and nothing is written. Whatever changes by itself
every minute (the time of the last probe) comes along only when something else has changed.
"""

from datetime import datetime
from typing import Any

from pydantic import ValidationError

from claw_crds.conditions import observed as condition
from claw_crds.configuration import RuntimeReport
from claw_crds.naming import credentials_secret_name
from claw_crds.v1alpha1 import (
    ClawInstanceStatus,
    ComputeStatus,
    ConditionType,
    CostStatus,
    CredentialsStatus,
    DatabaseStatus,
    DomainStatus,
    ProvisioningStatus,
    RuntimeStatus,
    SecretRef,
    State,
    UsageStatus,
)
from claw_operator.decide import Observed, Unknown, database_vanished
from claw_operator.desired import Desired
from claw_operator.external import ObservedCompute
from claw_operator.findings import Findings, Outcome, alive
from claw_operator.fitting import within_plan

_MESSAGE_LIMIT = 1024
_NAME_LIMIT = 255
_HOST_LIMIT = 253
_RECORDS, _RECORD_LIMIT = 16, 512
_ORDER = list(ConditionType)


def compute_status(
    desired: Desired, observed: Observed, outcome: Outcome, provisioning: ProvisioningStatus, now: datetime
) -> ClawInstanceStatus:
    """The status of an instance that is to live."""
    instance, earlier = desired.instance, desired.instance.status
    usage = _usage(observed) or earlier.usage
    fit = {ConditionType.WITHIN_PLAN: within_plan(desired, observed)}
    findings = {**alive(desired, observed, outcome, provisioning, now), **fit}
    fresh = ClawInstanceStatus(
        conditions=earlier.conditions,
        url=observed.compute.url if isinstance(observed.compute, ObservedCompute) else earlier.url,
        credentials_secret_ref=_secret_ref(desired, observed),
        credentials=_credentials(observed),
        compute=_compute(desired, observed),
        database=_database(desired, observed),
        runtime=_runtime(observed, earlier.runtime, now),
        usage=usage,
        deletion_time=desired.retention.deletion_time if instance.spec.state == State.SUSPENDED else None,
        provisioning=provisioning,
        cost=_cost(desired, usage),
    )
    return with_findings(fresh, findings, instance.metadata.generation, now)


def with_findings(status: ClawInstanceStatus, findings: Findings, generation: int, now: datetime) -> ClawInstanceStatus:
    """The status with these conditions set; their transition times move only where their status does."""
    fresh = [
        condition(
            status.conditions,
            kind,
            found.status,
            found.reason,
            found.message[:_MESSAGE_LIMIT],
            generation=generation,
            now=now,
        )
        for kind, found in findings.items()
    ]
    kept = [c for c in status.conditions if c.type not in findings]
    merged = tuple(sorted([*fresh, *kept], key=lambda c: _ORDER.index(c.type)))
    return status.model_copy(update={"conditions": merged, "observed_generation": generation})


def same(one: ClawInstanceStatus, other: ClawInstanceStatus) -> bool:
    """Whether writing `other` over `one` would tell nobody anything."""
    return _telling(one) == _telling(other)


def earlier(body: dict[str, Any]) -> ClawInstanceStatus:
    """The status that an object carries, whatever else of it does not parse."""
    try:
        return ClawInstanceStatus.model_validate(body.get("status") or {})
    except ValidationError:
        return ClawInstanceStatus()


def _telling(status: ClawInstanceStatus) -> dict[str, Any]:
    document = status.wire()
    document.get("runtime", {}).pop("lastProbeTime", None)
    return document


def _secret_ref(desired: Desired, observed: Observed) -> SecretRef | None:
    if observed.credentials is None:
        return None
    return SecretRef(name=credentials_secret_name(desired.instance.metadata.name))


def _credentials(observed: Observed) -> CredentialsStatus | None:
    credentials = observed.credentials
    if credentials is None:
        return None
    return CredentialsStatus(revision=credentials.revision, previous_expires_at=credentials.previous_expires_at)


def _compute(desired: Desired, observed: Observed) -> ComputeStatus | None:
    compute = observed.compute
    if isinstance(compute, Unknown):
        return desired.instance.status.compute
    if compute is None:
        return None
    return ComputeStatus(
        driver=desired.compute_driver,
        id=compute.id,
        deployment_id=compute.deployment_id,
        state=compute.state.value,
        domain=_domain(compute),
    )


def _domain(compute: ObservedCompute) -> DomainStatus | None:
    if compute.domain is None:
        return None
    # Words from outside, of any number and length.
    records = tuple(record[:_RECORD_LIMIT] for record in compute.domain.records[:_RECORDS])
    return DomainStatus(name=compute.domain.name[:_HOST_LIMIT], records=records)


def _database(desired: Desired, observed: Observed) -> DatabaseStatus | None:
    database = observed.database
    # The id of a vanished database stays: it is what a person must name to accept the loss.
    if isinstance(database, Unknown) or database_vanished(observed):
        return desired.instance.status.database
    if database is None:
        return None
    return DatabaseStatus(
        driver=desired.database_driver,
        id=database.id,
        host=database.host,
        size_bytes=_whole_mebibytes(database.size_bytes),
    )


def _whole_mebibytes(size: int | None) -> int | None:
    """Rounded up: a database grows and shrinks by a page all the time, and its status is to rest."""
    return None if size is None else -(-size // 2**20) * 2**20


def _runtime(observed: Observed, before: RuntimeStatus | None, now: datetime) -> RuntimeStatus | None:
    if not isinstance(observed.runtime, RuntimeReport):
        return before
    revision = observed.runtime.configuration_revision
    return RuntimeStatus(
        version=observed.runtime.version[:_NAME_LIMIT],  # words from outside, of any length
        configuration_revision=None if revision is None else revision[:_NAME_LIMIT],
        last_probe_time=now,
    )


def _usage(observed: Observed) -> UsageStatus | None:
    if not isinstance(observed.runtime, RuntimeReport) or observed.runtime.usage is None:
        return None
    return UsageStatus.model_validate(observed.runtime.usage.model_dump())


def _cost(desired: Desired, usage: UsageStatus | None) -> CostStatus:
    price, cost = desired.plan.spec.price.amount_monthly, desired.plan.spec.cost
    monthly = float(cost.fixed_monthly)
    if usage is not None:
        monthly += usage.input_tokens * cost.per_million_input_tokens / 1_000_000
        monthly += usage.output_tokens * cost.per_million_output_tokens / 1_000_000
    margin = round(100 * (price - monthly) / price) if price else 0
    return CostStatus(monthly=round(monthly), margin=margin)
