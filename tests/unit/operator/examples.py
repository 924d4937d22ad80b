"""One instance, its plan, and an outside in which everything is as it should be.

A case of a table differs from it only in what the case is about.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from claw_crds.conditions import Condition, find
from claw_crds.configuration import RuntimeReport, RuntimeUsage
from claw_crds.keys import new_key
from claw_crds.v1alpha1 import ClawInstance, ClawInstanceStatus, ClawPlan, ConditionType
from claw_operator.credentials import Credentials
from claw_operator.decide import Observed, Step, StepKind, Unknown
from claw_operator.desired import Defaults, Desired
from claw_operator.external import (
    ComputeState,
    ExternalError,
    ObservedCompute,
    ObservedDatabase,
    RateLimited,
    Transient,
)

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
UID = "5b7e0c0a-91a4-4d4b-9a63-6f1d2a3b4c5d"
AWAY = Unknown(Transient("it does not answer"))


def random_bytes(seed: int = 1) -> Any:
    """A source of bytes that are the same in every run."""
    return Random(seed).randbytes


CREDENTIALS = Credentials(
    revision=1,
    api_key=new_key(random_bytes()),
    configuration_token="canary-configuration-token",
    database_url="postgresql://ada:canary-password@db.example/ada",
    database_id="db-1",
)
DATABASE = ObservedDatabase(id="db-1", host="db.example", ready=True)


def body(
    *, metadata: dict[str, Any] | None = None, status: ClawInstanceStatus | None = None, **spec: Any
) -> dict[str, Any]:
    """The instance as the API server would send it."""
    return {
        "apiVersion": "claw.dev/v1alpha1",
        "kind": "ClawInstance",
        "metadata": {
            "name": "ada",
            "namespace": "claw",
            "uid": UID,
            "generation": 1,
            "resourceVersion": "7",
            "creationTimestamp": (NOW - timedelta(seconds=5)).isoformat(),
        }
        | (metadata or {}),
        "spec": {"customer": {"id": "cus_1", "email": "ada@example.com"}, "planRef": {"name": "pro"}} | spec,
        "status": {} if status is None else status.wire(),
    }


def instance(
    *, metadata: dict[str, Any] | None = None, status: ClawInstanceStatus | None = None, **spec: Any
) -> ClawInstance:
    """The same, parsed."""
    return ClawInstance.parse(body(metadata=metadata, status=status, **spec))


def plan(**spec: Any) -> ClawPlan:
    """A plan that offers two skills and two models."""
    return ClawPlan.model_validate(
        {
            "metadata": {"name": "pro"},
            "spec": {
                "displayName": "Pro",
                "price": {"currency": "usd", "amountMonthly": 7900},
                "resources": {"cpu": "1", "memory": "1Gi", "storage": "500Mi"},
                "limits": {"messagesPerMonth": 20_000},
                "skills": ["chat", "memory"],
                "models": {"default": "claude-sonnet", "allowed": ["claude-sonnet", "claude-opus"]},
            }
            | spec,
        }
    )


def desired(of: ClawInstance | None = None, *, of_plan: ClawPlan | None = None, **spec: Any) -> Desired:
    """What should exist."""
    defaults = Defaults("local", "postgres", image="claw/runtime:1", variables={"ANTHROPIC_API_KEY": "canary-model"})
    return Desired(of or instance(**spec), of_plan or plan(), defaults)


def settled(of: Desired | None = None, now: datetime = NOW) -> Observed:
    """An outside that leaves nothing to do."""
    wished = of or desired()
    return Observed(database=DATABASE, compute=running(wished), runtime=report(wished, now=now), secret=CREDENTIALS)


def running(of: Desired | None = None, **differently: Any) -> ObservedCompute:
    """The compute as wished, running unless told otherwise."""
    wanted = (of or desired()).compute(CREDENTIALS)
    compute = ObservedCompute(
        id="svc-1",
        state=ComputeState.RUNNING,
        url="http://ada.example",
        fingerprint=wanted.fingerprint,
        size=wanted.size,
        deployment_id="dep-1",
    )
    return replace(compute, **differently)


def report(of: Desired | None = None, *, now: datetime = NOW, **differently: Any) -> RuntimeReport:
    """The runtime's answer, with the wished configuration in it."""
    configuration = (of or desired()).configuration(CREDENTIALS, now)
    answer = RuntimeReport(
        version="1.0.0",
        uid=UID,
        configuration_revision=configuration.revision,
        ready=True,
        usage=RuntimeUsage(period_start=datetime(2026, 11, 1, tzinfo=UTC), messages_used=3, messages_limit=20_000),
    )
    return answer.model_copy(update=differently)


def kinds(steps: tuple[Step, ...]) -> list[StepKind]:
    """What they do, without why."""
    return [step.kind for step in steps]


def condition(status: ClawInstanceStatus, kind: ConditionType) -> Condition:
    """The condition, which must be set."""
    found = find(status.conditions, kind)
    assert found is not None, f"{kind} is not set"
    return found


def limited(seconds: float) -> ExternalError:
    """A provider that asks us to wait."""
    return RateLimited("too many requests", retry_after=seconds)
