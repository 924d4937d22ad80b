"""How slow the simulated Railway is, and how contrary. All durations are seconds."""

from dataclasses import dataclass, replace
from random import Random

from claw_dev.simulators.railway.records import Status


@dataclass(frozen=True)
class Span:
    """A duration between two bounds. Most are near the lower one, as with real servers."""

    low: float
    high: float

    def draw(self, random: Random) -> float:
        """One duration."""
        return self.low + (self.high - self.low) * random.random() ** 3


@dataclass(frozen=True)
class Pace:
    """Durations of everything that takes time."""

    answer: Span
    """A whole call, as the client sees it."""
    lag: float
    """How long lists and reads of instances and deployments miss what is new, and still show what was deleted."""
    write_lag: float
    """How long even a mutation answers `ServiceInstance not found` for a service that was just made."""
    config_change: float
    """How long a change of an environment's configuration is under way: a domain made meanwhile fails."""
    initializing: float
    building: float
    """Only for sources that are built: repositories."""
    deploying: float
    """Until the container runs; the health check comes after it."""
    removing: float
    """From REMOVING to REMOVED; the old deployment answers no more when it begins."""
    health_interval: float
    health_timeout: float
    """How long a new deployment may fail its health check, where the service does not say."""
    restart: float
    """Between a crash and the next try."""
    sleeps_after: float
    """How long nobody must ask until a service that may sleep does."""
    throttle: float
    """Between two new projects, environments or volumes of a workspace."""

    @classmethod
    def realistic(cls) -> "Pace":
        """A deployment from an image takes 20 s."""
        return cls(
            answer=Span(0.08, 0.6),
            lag=2.0,
            write_lag=0.0,
            config_change=0.05,
            initializing=2.0,
            building=60.0,
            deploying=18.0,
            removing=3.0,
            health_interval=0.5,
            health_timeout=300.0,
            restart=2.0,
            sleeps_after=600.0,
            throttle=30.0,
        )

    @classmethod
    def quick(cls) -> "Pace":
        """The same in milliseconds, for tests."""
        return cls(
            answer=Span(0.0, 0.004),
            lag=0.02,
            write_lag=0.0,
            config_change=0.001,
            initializing=0.01,
            building=0.02,
            deploying=0.02,
            removing=0.02,
            health_interval=0.02,
            health_timeout=5.0,
            restart=0.02,
            sleeps_after=600.0,
            throttle=30.0,
        )

    def but(self, **durations: float | Span) -> "Pace":
        """The same with other durations for some things."""
        return replace(self, **durations)  # type: ignore[arg-type]  # mypy cannot see the fields' names


@dataclass
class Quirks:
    """What the real one does to some people and not to others. May be changed while it is served."""

    default_page: int = 20
    """How many entries a list has when nobody says `first`."""
    page_limit: int = 100
    """More than this is never given, whatever `first` says."""
    cursor_stands_still: bool = False
    """Every page ends with the cursor that it was asked with."""
    connect_deploys: bool = True
    """Connecting a repository starts a deployment."""
    pr_deploys: bool = False
    """The project has environments for pull requests, and then no repository can be connected."""
    leaves_husks: bool = False
    """Deleting a service in its last environment leaves it in the project's list."""
    two_factor: bool = False
    """The workspace wants everybody's second factor, and the token has none."""
    custom_domains: int = 20
    """How many of a customer's own domains a service may have."""
    broken_sources: tuple[str, ...] = ("/broken",)
    """Endings of images and repositories that fail to build."""
    refused_sources: tuple[str, ...] = ("/private",)
    """Endings of images that are pulled only with registry credentials."""
    detour: Status | None = None
    """A state that new deployments come by. QUEUED and WAITING end after a while; the others are where they stay."""
