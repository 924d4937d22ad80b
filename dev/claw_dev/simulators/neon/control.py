"""`/_sim/`: what people, time and the network do, and what a test wants to see."""

from dataclasses import asdict, dataclass, replace
from http import HTTPStatus
from typing import Any, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from claw_dev.simulators.faults import FaultQueue
from claw_dev.simulators.injection import CONTROL_PREFIX, fault_routes
from claw_dev.simulators.neon.api import Neon
from claw_dev.simulators.neon.calls import CallLog
from claw_dev.simulators.neon.picture import counts, picture
from claw_dev.simulators.neon.problems import NeonProblem


class Use(BaseModel):
    """`POST /_sim/use`: what a project has used in this billing period."""

    model_config = ConfigDict(extra="forbid")

    project_id: str
    used: dict[str, int]


class Unavailable(BaseModel):
    """`PUT /_sim/unavailable`: projects that lists can only name from now on."""

    model_config = ConfigDict(extra="forbid")

    project_ids: list[str]


class Nature(BaseModel):
    """`PATCH /_sim/branches/{branch_id}`: what happens to a branch without anybody asking for it."""

    model_config = ConfigDict(extra="forbid")

    state: str | None = Field(default=None, min_length=1, description="`archived`, or a word that nobody knows yet.")
    logical_size: int | None = Field(default=None, ge=0, description="Bytes; a PostgreSQL server soon knows better.")


class Failures(BaseModel):
    """`POST /_sim/failures`: let the next operations of an action fail."""

    model_config = ConfigDict(extra="forbid")

    action: str
    times: int = Field(default=1, ge=1)


OrderT = TypeVar("OrderT", bound=BaseModel)


@dataclass(frozen=True)
class Control:
    """The control endpoints."""

    neon: Neon
    calls: CallLog
    faults: FaultQueue

    def routes(self) -> list[web.RouteDef]:
        """All of them."""
        return [
            web.get(CONTROL_PREFIX + "state", self._state),
            web.get(CONTROL_PREFIX + "calls", self._show_calls),
            web.delete(CONTROL_PREFIX + "calls", self._forget_calls),
            web.post(CONTROL_PREFIX + "use", self._use),
            web.put(CONTROL_PREFIX + "unavailable", self._unavailable),
            web.patch(CONTROL_PREFIX + "branches/{branch_id}", self._change_branch),
            web.post(CONTROL_PREFIX + "failures", self._failures),
            *fault_routes(self.faults),
        ]

    async def _state(self, _: web.Request) -> web.Response:
        world = self.neon.world
        return web.json_response({"picture": picture(world), "counts": counts(world)})

    async def _show_calls(self, _: web.Request) -> web.Response:
        # Answers may hold passwords; who is in the same process can still look.
        shown = [_without_answer(asdict(call)) for call in self.calls]
        return web.json_response({"calls": shown, "by_operation": self.calls.by_operation()})

    async def _forget_calls(self, _: web.Request) -> web.Response:
        self.calls.clear()
        return _done()

    async def _use(self, request: web.Request) -> web.Response:
        order = await _order(request, Use)
        try:
            self.neon.projects.use(self.neon.world.project(order.project_id), order.used)
        except NeonProblem as problem:
            return web.json_response({"error": problem.message}, status=problem.status)
        return _done()

    async def _unavailable(self, request: web.Request) -> web.Response:
        self.neon.world.unavailable_projects = set((await _order(request, Unavailable)).project_ids)
        return _done()

    async def _change_branch(self, request: web.Request) -> web.Response:
        nature = await _order(request, Nature)
        branch = self.neon.world.branches.now(request.match_info["branch_id"])
        if branch is None:
            raise web.HTTPNotFound(text="there is no such branch")
        self.neon.world.branches.put(replace(branch, **nature.model_dump(exclude_none=True)))
        return _done()

    async def _failures(self, request: web.Request) -> web.Response:
        order = await _order(request, Failures)
        self.neon.chains.fail(order.action, order.times)
        return _done()


async def _order(request: web.Request, model: type[OrderT]) -> OrderT:
    try:
        return model.model_validate_json(await request.read())
    except ValidationError as error:
        raise web.HTTPBadRequest(text=str(error)) from None


def _without_answer(call: dict[str, Any]) -> dict[str, Any]:
    return {**call, "answer": None, "at": call["at"].isoformat()}


def _done() -> web.Response:
    return web.Response(status=HTTPStatus.NO_CONTENT)
