"""How the runtime is: for probes, for the customer, and for whoever reads the API."""

from typing import Any, Literal

from aiohttp import web

from claw_crds.instance import State
from claw_crds.plan import Limits
from claw_crds.resource import Model, Timestamp
from claw_runtime.problems import DATABASE_AWAY, NOT_CONFIGURED, Problem, database_away
from claw_runtime.routes import Access, Call, Nothing, Route
from claw_runtime.turns.exchange import UsageAnswer, usage_answer


class Health(Model):
    """That the process is alive."""

    status: Literal["alive"] = "alive"
    version: str


class Readiness(Model):
    """That customers are served."""

    status: Literal["ready"] = "ready"
    version: str


class PlanAnswer(Model):
    """What was bought. Null is no limit."""

    name: str
    display_name: str
    limits: Limits


class AssistantAnswer(Model):
    """Who answers."""

    name: str
    model: str


class Status(Model):
    """The instance as its customer sees it."""

    state: State
    plan: PlanAnswer
    usage: UsageAnswer
    assistant: AssistantAnswer
    version: str
    started_at: Timestamp


class ApiDocument(Model):
    """An OpenAPI document."""

    model_config = Model.model_config | {"extra": "allow"}

    openapi: str


async def health(call: Call[Nothing, Nothing]) -> Health:
    """Alive. Never touches the database."""
    return Health(version=call.services.version)


async def ready(call: Call[Nothing, Nothing]) -> Readiness:
    """Whether customers can be served now. From memory once the database was seen to be away."""
    services = call.services
    if not services.prepared.is_set():
        raise database_away()
    async with services.database.connection() as connection:
        await connection.execute("select 1")
    if services.configurations.active is None:
        raise Problem(NOT_CONFIGURED, services.report().message, retry_after=5)
    return Readiness(version=services.version)


async def status(call: Call[Nothing, Nothing]) -> Status:
    """Plan, limits and usage. Never touches the database."""
    configuration = call.configuration
    plan = configuration.plan
    return Status(
        state=configuration.state,
        plan=PlanAnswer(name=plan.name, display_name=plan.display_name, limits=plan.limits),
        usage=usage_answer(call.services.usage.current(), plan.limits.messages_per_month),
        assistant=AssistantAnswer(name=configuration.assistant.name, model=configuration.assistant.model),
        version=call.services.version,
        started_at=call.services.started_at,
    )


async def openapi(call: Call[Nothing, Nothing]) -> web.Response:
    """The document that describes this API."""
    from claw_runtime.openapi import document
    from claw_runtime.routes.table import ROUTES

    return web.json_response(document(ROUTES, call.services.version))


ROUTES: tuple[Route[Any, Any], ...] = (
    Route("GET", "/status", status, Access.CUSTOMER_ALWAYS, Nothing, Nothing, Status),
    Route("GET", "/health", health, Access.OPEN, Nothing, Nothing, Health),
    Route(
        "GET",
        "/ready",
        ready,
        Access.OPEN,
        Nothing,
        Nothing,
        Readiness,
        problems=(DATABASE_AWAY, NOT_CONFIGURED),
    ),
    Route("GET", "/openapi.json", openapi, Access.OPEN, Nothing, Nothing, ApiDocument),
)
