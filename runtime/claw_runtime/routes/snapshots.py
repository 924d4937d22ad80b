"""`/api/workspace/snapshots`: copies of the whole workspace outside of this instance, where that is set up."""

from typing import Any

from claw_crds.resource import Model, Timestamp
from claw_runtime.problems import INVALID_REQUEST, NOT_FOUND, SNAPSHOT_FAILED, SNAPSHOTS_OFF, WORKSPACE_FULL
from claw_runtime.routes import Access, Call, Nothing, Route
from claw_runtime.workspace import snapshots


class Snapshot(Model):
    """A copy of the whole workspace."""

    name: str
    size: int
    """Of the archive, in bytes."""
    taken_at: Timestamp


class SnapshotList(Model):
    """The copies that are kept, the latest first."""

    snapshots: tuple[Snapshot, ...]


async def listing(call: Call[Nothing, Nothing]) -> SnapshotList:
    """The copies that are kept."""
    return SnapshotList(snapshots=tuple(map(_told, await call.services.snapshots.list())))


async def take(call: Call[Nothing, Nothing]) -> Snapshot:
    """Make a copy now. Otherwise one is made soon after something has changed."""
    return _told(await call.services.snapshots.take())


async def restore(call: Call[Nothing, Nothing]) -> None:
    """Let the workspace be as it was. What its files hold now goes into their history."""
    await call.services.snapshots.restore(call.name("name", "snapshot of this name"))


def _told(snapshot: snapshots.Snapshot) -> Snapshot:
    return Snapshot(name=snapshot.name, size=snapshot.size, taken_at=snapshot.taken_at)


ROUTES: tuple[Route[Any, Any], ...] = (
    Route(
        "GET",
        "/api/workspace/snapshots",
        listing,
        Access.CUSTOMER,
        Nothing,
        Nothing,
        SnapshotList,
        problems=(SNAPSHOTS_OFF, SNAPSHOT_FAILED),
    ),
    Route(
        "POST",
        "/api/workspace/snapshots",
        take,
        Access.CUSTOMER,
        Nothing,
        Nothing,
        Snapshot,
        status=201,
        problems=(SNAPSHOTS_OFF, SNAPSHOT_FAILED),
    ),
    Route(
        "POST",
        "/api/workspace/snapshots/{name}/restore",
        restore,
        Access.CUSTOMER,
        Nothing,
        Nothing,
        None,
        problems=(NOT_FOUND, SNAPSHOTS_OFF, SNAPSHOT_FAILED, INVALID_REQUEST, WORKSPACE_FULL),
    ),
)
