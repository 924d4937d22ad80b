"""What there is of the things that a plan limits: memories, agents, skills that were switched on.

Counted when the database is in use anyway: at the start, when a configuration arrives, and in the transaction of each
write that changes a count. What was counted last is kept in memory, so the operator can ask every minute whether an
instance fits its plan, and a sleeping database sleeps on.
"""

from typing import TYPE_CHECKING, LiteralString

from claw_crds.configuration import PlanConfiguration, RuntimeHoldings
from claw_crds.plan import EVERY_SKILL

if TYPE_CHECKING:
    from claw_runtime.database import Connection, Database

_MEMORIES: LiteralString = "select count(*) as memories from memories"
_AGENTS: LiteralString = "select count(*) as agents from agents"
_SKILLS: LiteralString = "select coalesce(array_agg(name order by name), '{}') as skills from skills where enabled"
_ALL: LiteralString = f"select * from ({_MEMORIES}) m, ({_AGENTS}) a, ({_SKILLS}) s"  # noqa: S608 - our own statements


class Holdings:
    """The latest counts; None is not known yet. Whoever writes counts in their transaction, and sets it afterwards."""

    def __init__(self, database: "Database") -> None:
        self._database = database
        self.memories: int | None = None
        self.agents: int | None = None
        self.skills: tuple[str, ...] = ()
        """Those that the customer has switched on, in the plan or not."""

    async def load(self) -> None:
        """Count everything. Raises DatabaseAway."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(_ALL)
            row = await cursor.fetchone()
        if row is not None:
            self.memories, self.agents, self.skills = row["memories"], row["agents"], tuple(row["skills"])

    def report(self, plan: PlanConfiguration) -> RuntimeHoldings:
        """What the operator learns. Never touches the database."""
        offers_all = EVERY_SKILL in plan.skills
        return RuntimeHoldings(
            memories=self.memories,
            agents=self.agents,
            skills_not_in_plan=() if offers_all else tuple(name for name in self.skills if name not in plan.skills),
        )


async def count_memories(connection: "Connection") -> int:
    """How many memories there are, as the connection's transaction sees it."""
    cursor = await connection.execute(_MEMORIES)
    row = await cursor.fetchone()
    return int(row["memories"]) if row is not None else 0


async def count_agents(connection: "Connection") -> int:
    """How many agents there are, as the connection's transaction sees it."""
    cursor = await connection.execute(_AGENTS)
    row = await cursor.fetchone()
    return int(row["agents"]) if row is not None else 0


async def skills_switched_on(connection: "Connection") -> tuple[str, ...]:
    """The names of the skills that the customer has switched on."""
    cursor = await connection.execute(_SKILLS)
    row = await cursor.fetchone()
    return tuple(row["skills"]) if row is not None else ()
