"""How much beats may cost. Pure.

Nobody asked for a beat, so beats must never be why there is nothing left for a question: together they get a quarter
of the month's tokens, in equal parts for each day, and never more than the month has left.
"""

from claw_crds.configuration import PlanConfiguration

SHARE = 4
_DAYS = 31
WITHOUT_LIMIT = 400_000
"""Tokens a day where the plan sets no limit: a hundred small beats."""
LEAST = 4_000
"""What a small beat takes. With less than that it is not begun."""


def room(limit: int | None, used: int, spent_today: int) -> int:
    """Tokens that a beat may cost now: `limit` of the month, `used` of it by everything, `spent_today` by beats."""
    if limit is None:
        return max(0, WITHOUT_LIMIT - spent_today)
    return max(0, min(limit // SHARE // _DAYS - spent_today, limit - used))


def rationed(plan: PlanConfiguration, tokens: int) -> PlanConfiguration:
    """The plan for one beat: it ends where the beat's room does, so that nothing in between can go beyond it."""
    return plan.model_copy(update={"limits": plan.limits.model_copy(update={"tokens_per_month": tokens})})
