"""An hour in which a heart has nothing to look after: it lets the database sleep."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from tests.integration.runtime.test_runtime_idle import HOUR, Hurried, hurried, quiet

__all__ = ["hurried"]


async def within(world: Hurried, call: Coroutine[Any, Any, Any]) -> Any:
    """In the loop of the runtime."""
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(call, world.loop))


async def test_a_heart_with_an_empty_checklist_asks_the_database_nothing(hurried: Hurried) -> None:
    runtime = hurried.runtime
    changed = await within(hurried, runtime.call("PATCH", "/api/heartbeat", json={"enabled": True, "every": "5m"}))
    assert changed.json["nextAt"] is not None
    beat = await within(hurried, runtime.post("/api/heartbeat/run"))
    assert beat.json["reason"] == "empty-checklist"
    await quiet(hurried.database)

    await hurried.idle(HOUR)

    assert hurried.database.questions() == []
