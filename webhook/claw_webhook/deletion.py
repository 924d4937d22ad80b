"""When the data of an ended subscription goes. Pure.

What was promised to the customer is kept: a moment that was announced is never brought forward, and nothing is deleted
before a whole day has passed since the last warning, however late that was given.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

FIRST_WARNING = timedelta(days=7)
LAST_WARNING = timedelta(days=1)
"""How long before the deletion the customer is warned."""

NEVER = datetime.max.replace(tzinfo=UTC)
"""As a wish to keep the data."""

_SHORTEST_NOTICE = timedelta(days=8)
"""From the announcement to the deletion: time for both warnings, if the plan keeps data that long. It counts where an
end is heard of late, after the service was away."""


@dataclass(frozen=True)
class Deletion:
    """When the data goes."""

    announced_at: datetime
    """What the customer is told."""
    due_at: datetime
    """Not before then: what was announced, or later if somebody wants the data kept."""
    is_held: bool
    """Until a person decides, nobody is warned and nothing is deleted."""

    def is_due(self, now: datetime) -> bool:
        """Whether the data goes now."""
        return not self.is_held and now >= self.due_at

    @property
    def moments(self) -> tuple[datetime, ...]:
        """When there is something to be done about it."""
        if self.is_held or self.due_at == NEVER:
            return ()
        return self.due_at - FIRST_WARNING, self.due_at - LAST_WARNING, self.due_at


def deletion(
    *,
    over_at: datetime,
    retention: timedelta,
    announced_at: datetime | None,
    warned_at: datetime | None,
    keep_until: datetime | None,
    is_held: bool,
    now: datetime,
) -> Deletion:
    """When the data goes of a subscription that was over, and no longer paid for, at `over_at`."""
    announced = announced_at or max(over_at + retention, now + min(retention, _SHORTEST_NOTICE))
    due = later(announced, keep_until)
    if retention and not is_held and now >= due - LAST_WARNING:
        due = max(due, (valid_warning(warned_at, due) or now) + LAST_WARNING)
    # The warnings name the moment, so from the first one on it no longer depends on an annotation that may be removed.
    return Deletion(announced_at=due if now >= due - FIRST_WARNING else announced, due_at=due, is_held=is_held)


def valid_warning(warned_at: datetime | None, due_at: datetime) -> datetime | None:
    """When the last warning before that moment was given. If the moment was put off since, there was none."""
    return warned_at if warned_at is not None and warned_at >= due_at - LAST_WARNING else None


def later(announced_at: datetime, keep_until: datetime | None) -> datetime:
    """The later of the two moments counts; a wish to keep the data alone deletes nothing."""
    return max(announced_at, keep_until) if keep_until is not None else announced_at
