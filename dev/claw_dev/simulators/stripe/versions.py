"""Which shape objects have in which version of Stripe's API. Pure."""

import re

CURRENT = "2026-10-28.endive"
"""What stripe 16 asks for. A contract test compares the two."""

_BASIL = "2025-03-31"
_CLOVER = "2025-09-30"
_SHAPE = re.compile(r"\d{4}-\d{2}-\d{2}(\.[a-z_]+)?")


def is_version(text: str) -> bool:
    """Whether it can be a version at all: `2024-06-20`, or since late 2024 `2026-10-28.endive`."""
    return _SHAPE.fullmatch(text) is not None


def since_basil(version: str) -> bool:
    """Whether the version is basil or later.

    Since then a subscription's period is on each of its items and an invoice names its subscription under `parent`.
    """
    return version[:10] >= _BASIL


def since_clover(version: str) -> bool:
    """Whether the version is clover or later: since then a discount names its coupon and does not hold it."""
    return version[:10] >= _CLOVER
