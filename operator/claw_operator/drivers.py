"""The drivers of one operator process, by name, with every call counted."""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from claw_operator.external import ComputeDriver, DatabaseDriver, ExternalError, RuntimeClient
from claw_operator.metrics import Metrics

T = TypeVar("T")


@dataclass(frozen=True)
class Drivers:
    """What this operator can make."""

    compute: Mapping[str, ComputeDriver]
    database: Mapping[str, DatabaseDriver]
    runtime: RuntimeClient


@dataclass(frozen=True)
class InstanceDrivers:
    """The drivers of one instance."""

    compute: ComputeDriver
    database: DatabaseDriver
    runtime: RuntimeClient


class UnknownDriver(Exception):
    """The spec names a driver that this operator does not have."""


def pick(drivers: Drivers, compute: str, database: str) -> InstanceDrivers:
    """The drivers of these names. Raises UnknownDriver, which says what there is."""
    if compute not in drivers.compute:
        raise UnknownDriver(f"there is no compute driver {compute}; this operator has {_names(drivers.compute)}")
    if database not in drivers.database:
        raise UnknownDriver(f"there is no database driver {database}; this operator has {_names(drivers.database)}")
    return InstanceDrivers(drivers.compute[compute], drivers.database[database], drivers.runtime)


async def counted(metrics: Metrics, driver: str, call: str, awaitable: Awaitable[T]) -> T:
    """Await a driver's call and count how it ended."""
    try:
        result = await awaitable
    except ExternalError as error:
        metrics.driver_calls.labels(driver, call, type(error).__name__).inc()
        raise
    metrics.driver_calls.labels(driver, call, "ok").inc()
    return result


def _names(drivers: Mapping[str, object]) -> str:
    return ", ".join(sorted(drivers)) or "none"
