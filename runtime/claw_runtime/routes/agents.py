"""`/api/agents`: the assistant's personalities."""

from typing import Any

from claw_runtime.problems import AGENT_EXISTS, CANNOT_BE_DELETED, NOT_FOUND
from claw_runtime.routes import Access, Call, Nothing, Route
from claw_runtime.turns.agents import Agent, AgentChanges, AgentList, NewAgent

_WHAT = "agent of this name; GET /api/agents lists them"


async def listing(call: Call[Nothing, Nothing]) -> AgentList:
    """All agents, the oldest first."""
    return await call.services.agents.list(call.configuration.plan)


async def create(call: Call[NewAgent, Nothing]) -> Agent:
    """Make an agent. A question to one that there is not makes it, too."""
    return await call.services.agents.create(call.configuration, call.body)


async def read(call: Call[Nothing, Nothing]) -> Agent:
    """One agent."""
    return await call.services.agents.get(call.configuration.plan, call.name("name", _WHAT))


async def change(call: Call[AgentChanges, Nothing]) -> Agent:
    """Change an agent's name or instructions."""
    return await call.services.agents.change(call.configuration.plan, call.name("name", _WHAT), call.body)


async def delete(call: Call[Nothing, Nothing]) -> None:
    """Delete an agent with its conversations, its memories and its files."""
    await call.services.agents.delete(call.name("name", _WHAT))


ROUTES: tuple[Route[Any, Any], ...] = (
    Route("GET", "/api/agents", listing, Access.CUSTOMER, Nothing, Nothing, AgentList),
    Route(
        "POST", "/api/agents", create, Access.CUSTOMER, NewAgent, Nothing, Agent, status=201, problems=(AGENT_EXISTS,)
    ),
    Route("GET", "/api/agents/{name}", read, Access.CUSTOMER, Nothing, Nothing, Agent, problems=(NOT_FOUND,)),
    Route("PATCH", "/api/agents/{name}", change, Access.CUSTOMER, AgentChanges, Nothing, Agent, problems=(NOT_FOUND,)),
    Route(
        "DELETE",
        "/api/agents/{name}",
        delete,
        Access.CUSTOMER,
        Nothing,
        Nothing,
        None,
        problems=(NOT_FOUND, CANNOT_BE_DELETED),
    ),
)
