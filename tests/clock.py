"""The present moment, as far as the tested part knows."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta


@dataclass
class Clock:
    """Stands still until it is moved. A clock as all parts take them: called, it tells the time in UTC."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **duration: float) -> None:
        """By `seconds=`, `hours=`, `days=`, as in timedelta."""
        self.now += timedelta(**duration)
