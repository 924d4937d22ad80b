"""Takes an instance's external things down: for a deletion, and for a provisioning that missed its deadline.

It needs neither a status nor a valid spec, only whose things they are: what bears the owner's name and mark goes,
compute first, so that nothing writes into a database that is being removed. Done means seen gone. What is seen gone is
not waited for, whatever else a provider or the API server has to say that only a person could mend.
"""

import logging
from dataclasses import dataclass
from datetime import datetime

from claw_crds import naming
from claw_crds.v1alpha1 import DeletionPolicy
from claw_operator.drivers import InstanceDrivers, counted
from claw_operator.external import ComputeDriver, DatabaseDriver, NameTaken, Owner, Rejected
from claw_operator.kube import Kube, Refused
from claw_operator.metrics import Metrics

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Remains:
    """What is still there, in words; empty when everything is gone."""

    what: str = ""
    poll_seconds: float = 1.0


async def teardown(
    owner: Owner,
    policy: DeletionPolicy,
    drivers: InstanceDrivers,
    kube: Kube,
    metrics: Metrics,
    *,
    archive_until: datetime | None = None,
) -> Remains:
    """Remove what is there and say what remains. Raises ExternalError and KubeError; repeating it is safe.

    `archive_until` is needed for Archive alone.
    """
    compute, database = drivers.compute, drivers.database
    if not await _gone(owner, compute, metrics):
        return Remains("the compute", compute.poll_seconds)
    if policy == DeletionPolicy.ARCHIVE and archive_until is not None:
        await counted(metrics, database.name, "archive", database.archive(owner, archive_until))
    if policy == DeletionPolicy.DELETE and not await _gone(owner, database, metrics):
        return Remains("the database", database.poll_seconds)
    try:
        await kube.delete_secret(owner.namespace, naming.credentials_secret_name(owner.name), owner.uid)
    except Refused as error:
        log.warning("the Secret is left to the garbage collector: %s", error)  # it is owned by the instance
    return Remains()


async def _gone(owner: Owner, driver: ComputeDriver | DatabaseDriver, metrics: Metrics) -> bool:
    refused: Rejected | None = None
    try:
        # Without a look first: half of a creation may be nothing to observe and still something to delete.
        await counted(metrics, driver.name, "delete", driver.delete(owner))
    except NameTaken:
        return True  # what has our name is somebody else's, so ours is not there
    except Rejected as error:
        refused = error
    try:
        gone = await counted(metrics, driver.name, "observe", driver.observe(owner)) is None
    except NameTaken:
        return True
    if refused is not None and not gone:
        raise refused
    return gone
