"""Neon's compute units. Pure."""

import sys

SMALLEST = 0.25
LARGEST = 16.0
"""The largest size that scales by itself; above it Neon has fixed sizes only."""
_WIDEST = 8.0
"""How far apart the limits of one compute may be."""


_SIZES = (SMALLEST, 0.5, *(float(units) for units in range(1, int(LARGEST) + 1)))


def compute_units(cpu_millis: int) -> tuple[float, float]:
    """The least and the most compute units of a database; one unit is one CPU with 4 GB of memory.

    Sizes are 0.25, 0.5 and whole numbers; what lies between is rounded up. The least is as small as possible, since
    only what is used is paid for.
    """
    most = next((size for size in _SIZES if cpu_millis <= size * 1000), LARGEST)
    return max(SMALLEST, most - _WIDEST), most


def wishes(least: float, most: float) -> range:
    """The `cpu_millis` that `compute_units` answers with these limits; none if they are not among its answers."""
    if most not in _SIZES or compute_units(round(most * 1000)) != (least, most):
        return range(0)
    smaller = max((size for size in _SIZES if size < most), default=0.0)
    return range(round(smaller * 1000) + 1, sys.maxsize if most == LARGEST else round(most * 1000) + 1)
