"""How large a compute may be, and how soon it may fall asleep. Pure."""

from claw_dev.simulators.neon.problems import refused

DEFAULT_SUSPEND_TIMEOUT = 300
"""Seconds until an unused compute falls asleep, where 0 was asked for."""

_FRACTIONS = (0.25, 0.5)
_LARGEST_AUTOSCALED = 16
_WIDEST_RANGE = 8
_SHORTEST_TIMEOUT = 60


def check_size(smallest: float, largest: float) -> None:
    """Raise NeonProblem 422 for compute units that Neon does not sell."""
    for size in (smallest, largest):
        if size not in _FRACTIONS and size % 1 != 0:
            raise refused(f"{size:g} is not a compute size")
    if smallest > largest:
        raise refused("autoscaling_limit_min_cu must not be greater than autoscaling_limit_max_cu")
    if smallest != largest and largest > _LARGEST_AUTOSCALED:
        raise refused(f"autoscaling supports up to {_LARGEST_AUTOSCALED} compute units")
    if largest - smallest > _WIDEST_RANGE:
        raise refused(f"autoscaling limits must not be more than {_WIDEST_RANGE} compute units apart")


def check_suspend_timeout(seconds: int | None, *, may_be_chosen: bool) -> None:
    """Raise NeonProblem 422 for a timeout that cannot be, or for any where the plan has a fixed one."""
    if seconds is None:
        return
    if not may_be_chosen:
        raise refused("the plan does not allow to change suspend_timeout_seconds")
    if 0 < seconds < _SHORTEST_TIMEOUT:
        raise refused(f"suspend_timeout_seconds must be -1, 0 or at least {_SHORTEST_TIMEOUT}")
