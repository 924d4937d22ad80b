"""`/_sim/`: what happened, what there is, and what people do by hand, for those who are not in this process.

GET    /_sim/calls        every call, without the values of its variables; ?since=<sequence>
DELETE /_sim/calls        begin a new log
GET    /_sim/state        {"picture": …, "counts": …, "project_id": …, "environment_id": …}
POST   /_sim/hand         {"do": "delete" | "rename" | "scale" | "crash" | "variables", "service": …, …}
POST   /_sim/tokens       {"secret": …, "revoked": true}
"""

from http import HTTPStatus
from typing import TYPE_CHECKING, Literal

from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from claw_dev.simulators.injection import CONTROL_PREFIX
from claw_dev.simulators.railway.calls import Call
from claw_dev.simulators.railway.records import Json

if TYPE_CHECKING:
    from claw_dev.simulators.railway.simulator import RailwaySimulator


class Order(BaseModel):
    """Something to do by hand."""

    model_config = ConfigDict(extra="forbid")

    do: Literal["delete", "rename", "scale", "crash", "variables"]
    service: str
    name: str = Field(default="", description="The other name, of a rename.")
    replicas: int = 2
    variables: dict[str, str | None] = Field(default_factory=dict, description="None removes one.")


class TokenOrder(BaseModel):
    """Revoke a token, or accept it again."""

    model_config = ConfigDict(extra="forbid")

    secret: str
    revoked: bool = True


def control_routes(simulator: "RailwaySimulator") -> list[web.RouteDef]:
    """All control endpoints but those for faults."""

    async def calls(request: web.Request) -> web.Response:
        since = int(request.query.get("since", 0))
        return web.json_response({"calls": [_shown(call) for call in simulator.calls if call.sequence > since]})

    async def forget(_: web.Request) -> web.Response:
        simulator.call_log.clear()
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def state(_: web.Request) -> web.Response:
        return web.json_response(
            {
                "picture": simulator.picture(),
                "counts": simulator.counts(),
                "project_id": simulator.project.id,
                "environment_id": simulator.environment.id,
            }
        )

    async def hand(request: web.Request) -> web.Response:
        await _carry_out(simulator, Order.model_validate_json(await request.read()))
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def tokens(request: web.Request) -> web.Response:
        order = TokenOrder.model_validate_json(await request.read())
        for token in simulator.tokens.all():
            if token.secret == order.secret:
                token.revoked = order.revoked
        return web.Response(status=HTTPStatus.NO_CONTENT)

    return [
        web.get(CONTROL_PREFIX + "calls", _saying_problems(calls)),
        web.delete(CONTROL_PREFIX + "calls", forget),
        web.get(CONTROL_PREFIX + "state", state),
        web.post(CONTROL_PREFIX + "hand", _saying_problems(hand)),
        web.post(CONTROL_PREFIX + "tokens", _saying_problems(tokens)),
    ]


async def _carry_out(simulator: "RailwaySimulator", order: Order) -> None:
    match order.do:
        case "delete":
            await simulator.hand.delete(order.service)
        case "rename":
            simulator.hand.rename(order.service, order.name)
        case "scale":
            simulator.hand.scale(order.service, order.replicas)
        case "crash":
            simulator.hand.crash(order.service)
        case "variables":
            simulator.hand.set_variables(order.service, order.variables)


def _shown(call: Call) -> Json:
    return {
        "sequence": call.sequence,
        "operation": call.operation,
        "fields": call.fields,
        "writes": call.writes,
        "token_kind": call.token_kind,
        "status": call.status,
        "carried_out": call.carried_out,
        "errors": call.errors,
        "at": call.at.isoformat(),
        "seconds": call.seconds,
    }


def _saying_problems(handler: Handler) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except (ValidationError, ValueError, KeyError, IndexError) as error:
            return web.json_response({"error": f"{type(error).__name__}: {error}"}, status=HTTPStatus.BAD_REQUEST)

    return handle
