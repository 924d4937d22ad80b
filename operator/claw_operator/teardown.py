"""Takes an instance's external things down: for a deletion, and for a provisioning that missed its deadline.

It needs neither a status nor a valid spec, only whose things they are: what bears the owner's name and mark goes,
compute first, so that nothing writes into a database that is being removed. Done means seen gone.
"""

from dataclasses import dataclass

from claw_crds import naming
from claw_crds.v1alpha1 import DeletionPolicy
from claw_operator.drivers import InstanceDrivers, counted
from claw_operator.external import ComputeDriver, DatabaseDriver, NameTaken, Owner
from claw_operator.kube import Kube
from claw_operator.metrics import Metrics


@dataclass(frozen=True)
class Remains:
    """What is still there, in words; empty when everything is gone."""

    what: str = ""
    poll_seconds: float = 1.0


async def teardown(
    owner: Owner, policy: DeletionPolicy, drivers: InstanceDrivers, kube: Kube, metrics: Metrics
) -> Remains:
    """Remove what is there and say what remains. Raises ExternalError and KubeError; repeating it is safe."""
    compute, database = drivers.compute, drivers.database
    if not await _gone(owner, compute, metrics):
        return Remains("the compute", compute.poll_seconds)
    if policy == DeletionPolicy.ARCHIVE:
        await counted(metrics, database.name, "archive", database.archive(owner))
    if policy == DeletionPolicy.DELETE and not await _gone(owner, database, metrics):
        return Remains("the database", database.poll_seconds)
    await kube.delete_secret(owner.namespace, naming.credentials_secret_name(owner.name), owner.uid)
    return Remains()


async def _gone(owner: Owner, driver: ComputeDriver | DatabaseDriver, metrics: Metrics) -> bool:
    try:
        # Without a look first: half of a creation may be nothing to observe and still something to delete.
        await counted(metrics, driver.name, "delete", driver.delete(owner))
        return await counted(metrics, driver.name, "observe", driver.observe(owner)) is None
    except NameTaken:
        return True  # what has our name is somebody else's, so ours is not there
