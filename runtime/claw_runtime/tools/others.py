"""What the other agents of the same customer keep to themselves, for the guard that looks at what leaves."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from claw_runtime.tools.toolbox import OthersTexts
from claw_runtime.workspace.folders import MAIN, SHARED, folder_of

if TYPE_CHECKING:
    from claw_runtime.database import Database

MOST_CHARACTERS = 400_000
"""Of all texts together, the latest first: to look at more takes longer than the tool itself."""


def others_texts(database: "Database") -> OthersTexts:
    """Reads the files of the other agents' folders, and what they keep in memory. Raises DatabaseAway."""

    async def read(agent_id: str) -> Collection[str]:
        async with database.connection() as connection:
            cursor = await connection.execute(
                _FILES,
                {
                    "own": folder_of(agent_id),
                    "is_main": agent_id == MAIN,
                    "shared": list(SHARED),
                    "most": MOST_CHARACTERS,
                },
            )
            files = [row["content"] for row in await cursor.fetchall()]
            cursor = await connection.execute(_MEMORIES, {"agent": agent_id, "most": MOST_CHARACTERS})
            return [*files, *(row["content"] for row in await cursor.fetchall())]

    return read


_FILES = """
select content from (
    select content, sum(length(content)) over (order by updated_at desc, path) as size
      from workspace_files
     where case when %(is_main)s then starts_with(path, 'agents/')
                else not starts_with(path, %(own)s) and not path = any(%(shared)s) and not starts_with(path, 'skills/')
           end) f
 where size <= %(most)s
"""

_MEMORIES = """
select content from (
    select content, sum(length(content)) over (order by created_at desc, id) as size
      from memories where agent_id is not null and agent_id <> %(agent)s) m
 where size <= %(most)s
"""
