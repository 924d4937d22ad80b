"""Whether what an instance holds fits its plan. Pure.

After a change to a smaller plan it may not. Then it is told, and nothing is deleted: the runtime refuses what would be
added, the customer decides what goes.
"""

from claw_crds.configuration import RuntimeHoldings, RuntimeReport
from claw_crds.v1alpha1 import ConditionStatus, Reason
from claw_operator.decide import Observed
from claw_operator.desired import Desired
from claw_operator.external import ObservedDatabase
from claw_operator.findings import Finding

_MEBIBYTE = 2**20


def within_plan(desired: Desired, observed: Observed) -> Finding:
    """The condition WithinPlan. It never makes an instance less ready."""
    runtime = observed.runtime
    holdings = runtime.holdings if isinstance(runtime, RuntimeReport) else None
    refused = _refused(desired, holdings or RuntimeHoldings())
    kept = _lacking_skills(desired, holdings or RuntimeHoldings()) + _too_large(desired, observed)
    if refused or kept:
        parts = [f"{what}: {held:,} of {limit:,}" for what, (held, limit) in refused.items()]
        message = f"{'; '.join(parts + kept)}. Nothing is deleted."
        if refused:
            message += f" No more {' or '.join(refused)} can be added: delete some, or choose a larger plan."
        return Finding(ConditionStatus.FALSE, Reason.OVER_LIMITS, message)
    if holdings is None or None in (holdings.memories, holdings.agents):
        return Finding(ConditionStatus.UNKNOWN, Reason.NOT_KNOWN, "The runtime has not told what it holds.")
    return Finding(ConditionStatus.TRUE, Reason.WITHIN_LIMITS)


def _refused(desired: Desired, holdings: RuntimeHoldings) -> dict[str, tuple[int, int]]:
    """What there is too much of, with its limit, and of which the runtime takes no more."""
    limits = desired.plan.spec.limits
    known = {"memories": (holdings.memories, limits.memories), "agents": (holdings.agents, limits.agents)}
    return {
        what: (held, limit)
        for what, (held, limit) in known.items()
        if held is not None and limit is not None and held > limit
    }


def _lacking_skills(desired: Desired, holdings: RuntimeHoldings) -> list[str]:
    plan = desired.plan
    wished = {*desired.instance.spec.skills.enabled, *holdings.skills_not_in_plan}
    lacking = sorted(skill for skill in wished if not plan.spec.offers(skill))
    return [f"skills: {', '.join(lacking)} not in plan {plan.metadata.name}"] if lacking else []


def _too_large(desired: Desired, observed: Observed) -> list[str]:
    """In the steps in which the status tells the size, too: a message that changes with every page never rests."""
    resources = desired.plan.spec.resources
    size = observed.database.size_bytes if isinstance(observed.database, ObservedDatabase) else None
    if size is None or size <= resources.storage_bytes:
        return []
    return [f"storage: {-(-size // _MEBIBYTE):,} MiB of {resources.storage_bytes // _MEBIBYTE:,} MiB"]
