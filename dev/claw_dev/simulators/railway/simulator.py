"""The simulator as a whole, ready to be served."""

import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from random import Random
from types import TracebackType
from typing import Self

from aiohttp import web

from claw_dev.simulators.faults import Fault, FaultQueue
from claw_dev.simulators.injection import fault_routes, injecting
from claw_dev.simulators.railway import picture
from claw_dev.simulators.railway.calls import Call, CallLog
from claw_dev.simulators.railway.control import control_routes
from claw_dev.simulators.railway.deployments import Deployments
from claw_dev.simulators.railway.edge import Edge
from claw_dev.simulators.railway.hand import Hand
from claw_dev.simulators.railway.limits import Limits
from claw_dev.simulators.railway.pace import Pace, Quirks
from claw_dev.simulators.railway.programs import Programs
from claw_dev.simulators.railway.protocol import PATH, Protocol
from claw_dev.simulators.railway.records import Environment, Instance, Json, Project
from claw_dev.simulators.railway.running import NoRuntimes, Runtimes, RuntimesName
from claw_dev.simulators.railway.schema import executable_schema
from claw_dev.simulators.railway.stand_in import StandIns
from claw_dev.simulators.railway.tokens import Token, TokenKind, Tokens
from claw_dev.simulators.railway.world import World
from claw_dev.simulators.serving import alive, serving, wall_clock


class RailwaySimulator:
    """A Railway with one workspace and, in it, one project with the environment `production`.

    An async context manager: served on the loopback address while it is entered. `token` is a workspace token (or of
    `token_kind`), `project` the project's name. `runtimes` says what deployments run: nothing, a stand-in that
    answers the operator, or a process of `command`. Without a `pace` everything takes milliseconds.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        token: str = "railway-token",  # noqa: S107 - of a simulator, which keeps no secrets
        token_kind: TokenKind = TokenKind.WORKSPACE,
        project: str = "claw",
        pace: Pace | None = None,
        quirks: Quirks | None = None,
        limits: Limits | None = None,
        runtimes: RuntimesName = "none",
        command: Sequence[str] = (),
        project_id: str | None = None,
        environment_id: str | None = None,
        random: Random | None = None,
        clock: Callable[[], datetime] = wall_clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        random = random or Random()  # noqa: S311 - ids and delays of a simulator, repeatable on purpose
        self._port = port
        self.world = World(pace=pace or Pace.quick(), quirks=quirks, random=random, clock=clock, monotonic=monotonic)
        self.limits = limits or Limits(clock=clock, monotonic=monotonic)
        self.tokens = Tokens()
        self.faults = FaultQueue(Random(random.getrandbits(64)))  # noqa: S311 - as above
        self.call_log = CallLog()
        self.stand_ins = StandIns(clock=clock)
        self.runtimes = self._runtimes(runtimes, command)
        self.edge = Edge(listens=self.runtimes.answers, random=random, monotonic=monotonic)
        self.deployments = Deployments(self.world, self.runtimes, self.edge)
        self.hand = Hand(self.world, self.deployments, self.edge)
        workspace_id = self.world.workspace_id
        self.project = self.world.make(Project, id=project_id, name=project, workspace_id=workspace_id)
        self.environment = self.world.make(
            Environment, id=environment_id, project_id=self.project.id, name="production"
        )
        # They were there long before anybody asked.
        self.project.born = self.environment.born = float("-inf")
        self.token = self.new_token(token_kind, token)
        self.base_url = ""
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Serve it."""
        protocol = Protocol(
            world=self.world,
            deployments=self.deployments,
            edge=self.edge,
            limits=self.limits,
            tokens=self.tokens,
            calls=self.call_log,
            schema=executable_schema(),
        )
        app = web.Application(
            middlewares=[protocol.noting(), injecting(self.faults, protocol.fault_as_error, protocol.asked)],
            client_max_size=16 * 2**20,
        )
        app.router.add_get("/healthz", alive)
        app.router.add_post(PATH, protocol.answer)
        app.router.add_routes([*fault_routes(self.faults), *control_routes(self)])
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.edge.aclose)
            stack.push_async_callback(self.deployments.aclose)
            stack.push_async_callback(protocol.finish)
            self.base_url = await stack.enter_async_context(serving(app, port=self._port))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop serving, and everything that it runs."""
        await self._stack.aclose()

    @property
    def url(self) -> str:
        """What `RAILWAY_API_URL` is set to."""
        return self.base_url + PATH

    @property
    def calls(self) -> tuple[Call, ...]:
        """Everything that was asked, the oldest first."""
        return self.call_log.all()

    @property
    def services(self) -> dict[str, Instance]:
        """What exists in the project's first environment, by the service's name."""
        existing = self.world.all(Instance)
        return {one.service.name: one for one in existing if one.environment_id == self.environment.id}

    def _runtimes(self, name: RuntimesName, command: Sequence[str]) -> Runtimes:
        match name:
            case "none":
                return NoRuntimes()
            case "stand-in":
                return self.stand_ins
            case "process":
                return Programs(command)

    def new_token(self, kind: TokenKind, secret: str) -> Token:
        """Another token. A project token is for the project's first environment."""
        narrow = kind is TokenKind.PROJECT
        return self.tokens.add(
            Token(
                secret,
                kind,
                project_id=self.project.id if narrow else None,
                environment_id=self.environment.id if narrow else None,
            )
        )

    def go_wrong(self, fault: Fault) -> None:
        """Let a fault happen from now on. Its path need not be given."""
        self.faults.add(fault.model_copy(update={"path": PATH}) if fault.path == "/v1/" else fault)

    def picture(self) -> Json:
        """The whole world without ids and times: equal for two runs that ended alike."""
        return picture.picture(self.world)

    def counts(self) -> dict[str, dict[str, int]]:
        """How many of each kind were ever made and deleted."""
        return picture.counts(self.world)
