"""The machine that is measured on, and how much of it others used meanwhile."""

import os
import platform
import resource
import time
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Machine:
    """What it is, and what it is doing before anything is measured."""

    cores: int
    load: float
    """Of the last minute."""
    system: str

    @classmethod
    def present(cls) -> "Machine":
        """This one, now."""
        system = f"{platform.system()}, Python {platform.python_version()}"
        return cls(psutil.cpu_count() or 1, os.getloadavg()[0], system)

    @property
    def busy(self) -> bool:
        """Whether absolute figures will mean little."""
        return self.load > self.cores


@dataclass(frozen=True)
class Moment:
    """Seconds of CPU that have been used up to now."""

    at: float
    everybody: float
    ours: float
    """This process's and those of its children that have ended, and of theirs."""

    @classmethod
    def now(cls) -> "Moment":
        """As the system counts them."""
        times = psutil.cpu_times()
        idle = times.idle + getattr(times, "iowait", 0.0)
        # Linux counts the time of guests in the user's a second time.
        guests = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return cls(time.monotonic(), sum(times) - idle - guests, sum(u.ru_utime + u.ru_stime for u in used))

    def others_since(self, earlier: "Moment") -> float:
        """How many cores' worth of work somebody else did since then."""
        theirs = (self.everybody - earlier.everybody) - (self.ours - earlier.ours)
        return max(theirs / (self.at - earlier.at), 0.0)
