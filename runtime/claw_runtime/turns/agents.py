"""Agents: the assistant's personalities, each with a workspace folder, memories and conversations of its own.

A plan says how many there may be. Whoever makes a new one holds a lock while counting, so that ten at once are not
more than the plan has. After a change to a smaller plan nothing is taken away: the oldest ones go on answering, and
the others wait for a larger plan, or for being deleted.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, LiteralString

from pydantic import Field, StringConstraints

from claw_crds.configuration import PlanConfiguration, RuntimeConfiguration
from claw_crds.resource import LINE, Model, Timestamp
from claw_runtime.problems import AGENT_EXISTS, CANNOT_BE_DELETED, Problem, limit_reached, not_found
from claw_runtime.text import Name, Words
from claw_runtime.turns.exchange import DEFAULT_AGENT
from claw_runtime.usage.holdings import Holdings, count_agents

if TYPE_CHECKING:
    from claw_runtime.database import Connection, Database
    from claw_runtime.memory.memories import Memories
    from claw_runtime.workspace.files import Workspace

log = logging.getLogger(__name__)

DisplayName = Annotated[Words, StringConstraints(max_length=80, pattern=LINE)]
Instructions = Annotated[Words, StringConstraints(max_length=20_000)]


class AgentChanges(Model):
    """What can be changed. A member that is not sent stays as it is; null empties it."""

    name: DisplayName | None = Field(default=None, description="What the agent calls itself.")
    instructions: Instructions | None = Field(default=None, description="What holds for this agent only.")


class NewAgent(AgentChanges):
    """An agent to be made."""

    id: Name = Field(description="What conversations call it. It also names its folder, agents/<id>/.")


class Agent(Model):
    """An agent."""

    id: str
    name: str | None
    instructions: str | None
    answers: bool = Field(description="Whether the plan has room for it. The oldest agents go on answering.")
    created_at: Timestamp


class AgentList(Model):
    """All agents, the oldest first."""

    agents: tuple[Agent, ...]


@dataclass(frozen=True)
class Admitted:
    """An agent that answers."""

    id: str
    name: str | None = None
    instructions: str | None = None
    is_new: bool = False
    """Whether it was made just now, and needs its folder."""


_LOCK = 0x636C6177_61676E74
_COLUMNS: LiteralString = "id, name, instructions, created_at"
_RANKED: LiteralString = f"""
select {_COLUMNS}, row_number() over (order by created_at, id) as place from agents order by created_at, id
"""  # noqa: S608 - our own names
_ONE: LiteralString = f"select * from ({_RANKED}) as ranked where id = %(id)s"  # noqa: S608 - as above
# `main` is there before it has said anything.
_ALIKE: LiteralString = """
select id from agents where lower(id) = lower(%(id)s)
union all
select %(main)s where lower(%(id)s) = %(main)s and %(id)s <> %(main)s limit 1
"""
_CREATE: LiteralString = """
insert into agents (id, name, instructions, created_at) values (%(id)s, %(name)s, %(instructions)s, %(now)s)
"""


class Agents:
    """The instance's agents. Every method raises DatabaseAway."""

    def __init__(
        self,
        *,
        database: "Database",
        holdings: Holdings,
        workspace: "Workspace",
        memories: "Memories",
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._holdings = holdings
        self._workspace = workspace
        self._memories = memories
        self._clock = clock

    async def list(self, plan: PlanConfiguration) -> AgentList:
        """All of them."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(_RANKED)
            return AgentList(agents=tuple(_agent(row, plan) for row in await cursor.fetchall()))

    async def get(self, plan: PlanConfiguration, agent_id: str) -> Agent:
        """One of them. Raises Problem for an unknown one."""
        async with self._database.connection() as connection:
            return _agent(await _found(connection, agent_id), plan)

    async def create(self, configuration: RuntimeConfiguration, new: NewAgent) -> Agent:
        """Make one. Raises Problem when there is one of this id, or no room for it in the plan."""
        plan = configuration.plan
        async with self._database.connection() as connection, connection.transaction():
            agents = await self._create(connection, plan, new)
            created = await _found(connection, new.id)
        self._holdings.agents = agents
        await self.furnish(configuration, Admitted(new.id, new.name))
        return _agent(created, plan)

    async def furnish(self, configuration: RuntimeConfiguration, agent: Admitted) -> None:
        """Give it a folder with the files that it lacks. It answers without them, too."""
        try:
            await self._workspace.seed_agent(agent.id, configuration, agent.name)
        except Problem as problem:
            log.warning("an agent has no files of its own", extra={"problem": problem.kind.slug})

    async def change(self, plan: PlanConfiguration, agent_id: str, changes: AgentChanges) -> Agent:
        """Change those members that are set. Raises Problem for an unknown one."""
        async with self._database.connection() as connection, connection.transaction():
            before = await _found(connection, agent_id)
            values = before | changes.model_dump(exclude_unset=True)
            await connection.execute(
                "update agents set name = %(name)s, instructions = %(instructions)s where id = %(id)s", values
            )
        return _agent(values, plan)

    async def delete(self, agent_id: str) -> None:
        """Delete one with its memories, its folder and its conversations. Raises Problem for an unknown one, or `main`.

        The agent itself goes last: if the database goes away in between, deleting it again finishes the work.
        """
        if agent_id == DEFAULT_AGENT:
            raise Problem(CANNOT_BE_DELETED, "main is the assistant itself. Its conversations can be deleted.")
        async with self._database.connection() as connection:
            await _found(connection, agent_id)
        await self._forget(agent_id)
        await self._workspace.remove_agent(agent_id)
        async with self._database.connection() as connection, connection.transaction():
            await connection.execute("select pg_advisory_xact_lock(%(lock)s)", {"lock": _LOCK})
            await connection.execute("delete from conversations where agent_id = %(id)s", {"id": agent_id})
            await connection.execute("delete from agents where id = %(id)s", {"id": agent_id})
            agents = await count_agents(connection)
        self._holdings.agents = agents
        log.info("an agent was deleted")

    async def _forget(self, agent_id: str) -> None:
        """Delete the memories that are this agent's alone. One by one: each leaves its traces in an index."""
        async with self._database.connection() as connection:
            cursor = await connection.execute("select id from memories where agent_id = %(id)s", {"id": agent_id})
            ids = [row["id"] for row in await cursor.fetchall()]
        for memory_id in ids:
            try:
                await self._memories.delete(memory_id)
            except Problem:  # somebody else was quicker
                continue

    async def admit(self, connection: "Connection", plan: PlanConfiguration, agent_id: str) -> Admitted:
        """The agent, made if there is none yet. Raises Problem when the plan has no room for it."""
        cursor = await connection.execute(_ONE, {"id": agent_id})
        row = await cursor.fetchone()
        if row is None:
            async with connection.transaction():
                self._holdings.agents = await self._create(connection, plan, NewAgent(id=agent_id), or_use=True)
            return Admitted(agent_id, is_new=True)
        if not _has_room(plan, row["place"]):
            raise self._no_room(plan, row["place"] - 1)
        return Admitted(agent_id, row["name"], row["instructions"])

    async def _create(
        self, connection: "Connection", plan: PlanConfiguration, new: NewAgent, *, or_use: bool = False
    ) -> int:
        """Make one in the caller's transaction; returns how many there are now. Nobody else makes one meanwhile."""
        await connection.execute("select pg_advisory_xact_lock(%(lock)s)", {"lock": _LOCK})
        before = await count_agents(connection)
        cursor = await connection.execute(_ALIKE, {"id": new.id, "main": DEFAULT_AGENT})
        if alike := await cursor.fetchone():
            if or_use and alike["id"] == new.id:  # somebody else was quicker
                return before
            # Folders of some disks do not know capitals from small letters.
            raise Problem(AGENT_EXISTS, f"There is an agent {alike['id']} already.")
        if not _has_room(plan, before + 1):
            raise self._no_room(plan, before)
        await connection.execute(_CREATE, new.model_dump() | {"now": self._clock()})
        return before + 1

    def _no_room(self, plan: PlanConfiguration, older: int) -> Problem:
        return limit_reached(
            "agents",
            "agents",
            plan=plan.display_name,
            limit=plan.limits.agents or 0,
            used=older,
            now=self._clock(),
            resets_at=None,
        )


def _has_room(plan: PlanConfiguration, place: int) -> bool:
    return plan.limits.agents is None or place <= plan.limits.agents


async def _found(connection: "Connection", agent_id: str) -> dict[str, Any]:
    cursor = await connection.execute(_ONE, {"id": agent_id})
    row = await cursor.fetchone()
    if row is None:
        raise not_found("agent of this name")
    return row


def _agent(row: dict[str, Any], plan: PlanConfiguration) -> Agent:
    members = {name: row[name] for name in ("id", "name", "instructions", "created_at")}
    return Agent(answers=_has_room(plan, row["place"]), **members)
