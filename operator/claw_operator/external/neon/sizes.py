"""Neon's compute units. Pure."""

SMALLEST = 0.25
LARGEST = 16.0
"""The largest size that scales by itself; above it Neon has fixed sizes only."""
_WIDEST = 8.0
"""How far apart the limits of one compute may be."""


def compute_units(cpu_millis: int) -> tuple[float, float]:
    """The least and the most compute units of a database; one unit is one CPU with 4 GB of memory.

    Sizes are 0.25, 0.5 and whole numbers; what lies between is rounded up. The least is as small as possible, since
    only what is used is paid for.
    """
    cpus = cpu_millis / 1000
    most = next((size for size in (SMALLEST, 0.5) if cpus <= size), min(float(-(-cpu_millis // 1000)), LARGEST))
    return max(SMALLEST, most - _WIDEST), most
