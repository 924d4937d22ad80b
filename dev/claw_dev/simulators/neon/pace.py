"""How long things take. Pure, but for the random source that is given."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random


@dataclass(frozen=True)
class Pace:
    """Durations in seconds."""

    latency: tuple[float, float, float]
    """Shortest, usual and longest time that a request is on its way."""
    operations: Mapping[str, float] = field(default_factory=dict)
    """How long an operation runs, by its action."""
    other_operations: float = 0.0
    """How long those run that are not in `operations`."""
    jitter: float = 0.0
    """The share by which an operation may take longer or shorter."""
    read_lag: float = 0.0
    """How old the answers of reads are. Operations and connection URIs are always current."""
    idle_after: float | None = None
    """When a compute falls asleep; None: after its own suspend_timeout_seconds."""

    @classmethod
    def realistic(cls) -> "Pace":
        """A branch with compute, new password and URIs takes about three seconds."""
        return cls(
            latency=(0.08, 0.15, 0.6),
            operations={"create_branch": 0.5, "start_compute": 0.8, "create_timeline": 0.3, "suspend_compute": 0.4},
            other_operations=0.5,
            jitter=0.2,
            read_lag=0.3,
        )

    @classmethod
    def quick(cls) -> "Pace":
        """For tests: milliseconds, but never nothing, so that whoever does not wait is caught."""
        return cls(latency=(0.0, 0.0, 0.001), other_operations=0.01, jitter=0.2)

    def of_request(self, random: Random) -> float:
        """How long one request is on its way."""
        shortest, usual, longest = self.latency
        return random.triangular(shortest, longest, usual)

    def of_operation(self, action: str, random: Random) -> float:
        """How long one operation runs."""
        return self.operations.get(action, self.other_operations) * random.uniform(1 - self.jitter, 1 + self.jitter)
