"""Every route there is: the server is built from this table, and the OpenAPI document too. Each room has its own."""

from typing import Any

from claw_runtime.routes import (
    Route,
    agents,
    chat,
    google,
    heartbeat,
    internal,
    memories,
    skills,
    snapshots,
    status,
    usage,
    workspace,
)

ROUTES: tuple[Route[Any, Any], ...] = (
    *chat.ROUTES,
    *agents.ROUTES,
    *memories.ROUTES,
    *skills.ROUTES,
    *snapshots.ROUTES,
    *workspace.ROUTES,
    *usage.ROUTES,
    *google.ROUTES,
    *heartbeat.ROUTES,
    *status.ROUTES,
    *internal.ROUTES,
)
"""The first one that fits is taken: snapshots come before the workspace's files, whose path may be anything."""
